"""Broken code locations: each says in one sentence what is wrong with it, and keeps none of the others from working."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from tests.acceptance.conftest import Here

GOOD = """
import deltaworks as dw
import polars as pl

@dw.asset
def {name}() -> pl.LazyFrame:
    return pl.LazyFrame({{"n": [1]}})
"""


@dataclass(frozen=True)
class Kind:
    """One way to be broken."""

    said: str
    """What is said of it."""
    code: str = ""
    settings: Mapping[str, str] = field(default_factory=dict[str, str])
    """What stands in its section, as TOML."""
    program: str | None = None
    """What stands in for its interpreter."""


def asset(name: str, reads: str = "", kind: str = "asset") -> str:
    return (
        f"import deltaworks as dw\nimport polars as pl\n@dw.{kind}\ndef {name}({reads}) -> pl.LazyFrame:\n"
        '    return pl.LazyFrame({"n": [1]})\n'
    )


CHEAP = {
    "nowhere": Kind("there is no interpreter", settings={"python": '"nowhere/bin/python"'}),
    "no_program": Kind("is no program that can be run", settings={"python": '"deltaworks.toml"'}),
    "no_folder": Kind("there is no folder", settings={"working_directory": '"gone"'}),
    "no_variable": Kind(
        "it takes KEY from the environment variable NOT_SET, which is not set",
        settings={"environment": '{ KEY = { env = "NOT_SET" } }'},
    ),
    "no_file": Kind("cannot be read: No such file", settings={"environment_file": '"gone.env"'}),
    "other_version": Kind(
        "its interpreter has deltaworks 9.9.0, and this is deltaworks",
        program='#!/bin/sh\necho \'{"wire": 99, "deltaworks": "9.9.0"}\'\nexec sleep 60\n',
    ),
    "without_us": Kind(
        "has no deltaworks that knows code locations", program=f'#!/bin/sh\nexec "{sys.executable}" -S -E "$@"\n'
    ),
    "talker": Kind(
        "that is no answer; it is no process of deltaworks", program="#!/bin/sh\necho hello\nexec sleep 60\n"
    ),
    "exiting": Kind("its process ended with exit code 3: gone", program="#!/bin/sh\necho gone >&2\nexit 3\n"),
    "syntax": Kind("SyntaxError", "def broken(:\n"),
    "endless": Kind(
        "it took longer than 3 s to import its modules",
        "import time\ntime.sleep(600)\n",
        settings={"import_timeout_s": "3"},
    ),
    "second": Kind("asset 'good' of location 'second' is defined twice; the other definition is at", asset("good")),
}

MORE = {
    "lacking": Kind("No module named 'not_installed'", "import not_installed\n"),
    "leaving": Kind("SystemExit: 4", "import sys\nsys.exit(4)\n"),
    "killed": Kind("was killed by signal 9", "import os\nos.kill(os.getpid(), 9)\n"),
    "dropping": Kind("its process ended with exit code 5", "import os\nos._exit(5)\n"),
    "raising": Kind("ValueError: this is wrong", "raise ValueError('this is wrong')\n"),
    "unnamed": Kind("No module named 'code_of_unnamed'", settings={"working_directory": '"."'}),
    "empty": Kind("define no assets", "import deltaworks as dw\n"),
    "wrong": Kind("has no annotation", "import deltaworks as dw\n@dw.asset\ndef wrong(x):\n    return x\n"),
    "resourceless": Kind(
        "asks for a Files as 'files', but there is none",
        "import deltaworks as dw\nimport polars as pl\nclass Files(dw.Resource):\n    path: str\n"
        "@dw.asset\ndef unread(files: Files) -> pl.LazyFrame: ...\n",
    ),
    "eater": Kind(
        "MB of memory", "x = []\nwhile True:\n    x.append(bytearray(b'1') * 10_000_000)\n", {"memory_mb": "700"}
    ),
    "circle_one": Kind("", asset("one", "two: pl.LazyFrame")),
    "circle_two": Kind("it is made from itself: one reads two reads one", asset("two", "one: pl.LazyFrame")),
    "unknown": Kind(
        "reads 'goood', but no asset has that name. Did you mean 'good'?", asset("u", "goood: pl.LazyFrame")
    ),
    "viewing": Kind("", asset("seen", "good: pl.LazyFrame", "view")),
    "peeping": Kind("a view is computed by whoever reads it", asset("peep", "seen: pl.LazyFrame")),
}


def write(here: Here, kinds: Mapping[str, Kind], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(here.folder / "cache"))
    sections = ['lake = "./lake"', section("fine", {})]
    here.write("code_of_fine.py", GOOD.format(name="good"))
    for name, kind in kinds.items():
        folder = here.folder / name
        folder.mkdir()
        settings = {"working_directory": f'"{name}"', **kind.settings}
        if kind.code:
            here.write(f"{name}/code_of_{name}.py", kind.code)
        if kind.program is not None:
            here.write(f"{name}/python", kind.program).chmod(0o755)
            settings["python"] = f'"{name}/python"'
        sections.append(section(name, settings))
    here.write("deltaworks.toml", "\n".join(sections))


def section(name: str, settings: Mapping[str, str]) -> str:
    lines = [f"{key} = {value}" for key, value in settings.items()]
    return "\n".join(["[[locations]]", f'name = "{name}"', f'modules = ["code_of_{name}"]', *lines])


def refuse(here: Here, kinds: Mapping[str, Kind]) -> None:
    checked = here.run("check", "--json")

    assert checked.code == 2
    said = [problem["message"] for problem in checked.json["problems"]]
    for name, kind in kinds.items():
        assert any(kind.said in each for each in said), "\n".join([name, *said])
    assert all("Traceback" not in each and "\n" not in each for each in said)
    assert "Traceback" not in checked.err
    assert len(said) == sum(bool(kind.said) for kind in kinds.values()), said


def test_each_says_what_is_wrong_and_the_others_work(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    write(here, CHEAP, monkeypatch)

    refuse(here, CHEAP)

    made = here.run("backfill", "--json")
    assert made.json["totals"]["materialized"] == 1
    assert made.err.count("warning: ") == len(CHEAP)


@pytest.mark.soak
def test_many_more_kinds_say_so_too(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    write(here, MORE, monkeypatch)

    refuse(here, MORE)

    status = here.status()
    assert {"good"} <= set(status) <= {"good", "seen"}
    here.write("code_of_fine.py", "print('x' * 10_000_000)\n" + GOOD.format(name="good"))
    assert here.run("backfill", "--location", "fine", "--json").json["totals"]["materialized"] == 1


def test_what_a_location_told_last_stands_for_it_while_it_is_broken(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(here, {"reader": Kind("", asset("reads", "good: pl.LazyFrame"))}, monkeypatch)
    assert here.run("backfill", "--json").json["totals"]["materialized"] == 2
    here.write("code_of_fine.py", "raise ValueError\n")

    made = here.run("materialize", "reads", "--json")

    assert made.json["totals"]["materialized"] == 1
    assert "warning: " in made.err
    assert "location 'fine': cannot import 'code_of_fine'" in made.err
