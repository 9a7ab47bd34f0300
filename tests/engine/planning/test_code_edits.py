"""Which edits of a project make its tables stale: one project, edited at one place at a time, before and after.

No edit that changes what a function does may go unseen. Edits that are seen though they change nothing are listed as
such at the end.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import deltaworks as dw
from deltaworks.engine.planning.code_version import code_version, unseen_values
from tests.engine.planning.edits import CHANGES, CONSTS, HELPERS, NO_CHANGES, OTHERS, SEEN_FOR_NOTHING, TABLES, Edit

PACKAGE = "edited"

Loaded = Callable[..., dw.Asset[..., Any]]


@contextmanager
def loading(folder: Path) -> Iterator[Loaded]:
    """Yield a function that writes the project with an edit, imports it and returns its table."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.syspath_prepend(folder)
        monkeypatch.setattr(sys, "dont_write_bytecode", True)
        monkeypatch.setattr(pl.Expr, "mine", None, raising=False)
        monkeypatch.setattr(pl.Expr, "_accessors", set(pl.Expr._accessors))

        def load(file: str = "tables", old: str = "", new: str = "") -> dw.Asset[..., Any]:
            delattr(pl.Expr, "mine")
            forget()
            (folder / PACKAGE).mkdir(exist_ok=True)
            files = {"__init__": "", "tables": TABLES, "helpers": HELPERS, "consts": CONSTS, **OTHERS}
            assert old in files[file], "the edit finds its place"
            for name, text in files.items():
                edited = text.replace(old, new, 1) if name == file else text
                (folder / PACKAGE / f"{name}.py").write_text(edited.replace("PACKAGE", PACKAGE))
            importlib.invalidate_caches()
            table: dw.Asset[..., Any] = importlib.import_module(f"{PACKAGE}.tables").table
            return table

        yield load
        forget()


def forget() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Loaded]:
    with loading(tmp_path) as load:
        yield load


@pytest.fixture(scope="module")
def unedited(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The version of the table as the project is."""
    with loading(tmp_path_factory.mktemp("unedited")) as load:
        return version_of(load())


def version_of(asset: dw.Asset[..., Any]) -> str:
    upstreams = asset.signature.upstreams
    return code_version(asset, {each.argument: each.mapping or dw.IdentityMapping() for each in upstreams})


@pytest.mark.parametrize("edit", CHANGES.values(), ids=CHANGES)
def test_what_a_function_does_counts(load: Loaded, edit: Edit, unedited: str) -> None:
    assert unedited != version_of(load(*edit))


@pytest.mark.parametrize("edit", NO_CHANGES.values(), ids=NO_CHANGES)
def test_how_it_is_typed_does_not_count(load: Loaded, edit: Edit, unedited: str) -> None:
    assert unedited == version_of(load(*edit))


def test_a_version_of_the_authors_own_stands_for_all_of_it(load: Loaded) -> None:
    own = ("tables", "    group=", '    code_version="7",\n    group=')

    assert version_of(load(*own)) == "override:7" != version_of(load())
    assert unseen_values(load(*own)) == ()


def test_another_polars_changes_nothing(load: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    before = version_of(load())

    monkeypatch.setattr(pl, "__version__", "9.9.9")

    assert version_of(load()) == before


def test_all_of_this_project_is_seen(load: Loaded) -> None:
    assert unseen_values(load()) == ()


UNSEEN = {
    "a library's object": ("import threading", "threading.Event()", True),
    "a library's object with a state": ("import random", "random.Random()", True),
    "a library's object in a list": ("import threading", "[1, threading.Event()]", True),
    "a frame": ("", 'pl.DataFrame({"a": [1]})', False),
    "an expression": ("", 'pl.col("a")', False),
    "a path": ("", 'Path(__file__).parent / "x"', False),
    "a logger": ("import logging", 'logging.getLogger("x")', False),
    "an object of the project": ("", "consts.Client()", False),
    "a constant": ("import os", 'os.environ.get("HOME")', False),
}


@pytest.mark.parametrize(("imports", "value", "is_unseen"), UNSEEN.values(), ids=UNSEEN)
def test_values_that_a_library_may_change_are_named(load: Loaded, imports: str, value: str, is_unseen: bool) -> None:
    table = load("tables", "MAKER = consts.make()", f"{imports}\nMAKER = {value}")

    found = [(each.name, Path(each.where.file).name) for each in unseen_values(table)]

    assert found == ([("MAKER", "tables.py")] if is_unseen else [])


def test_names_that_are_made_up_are_named(load: Loaded) -> None:
    (found,) = unseen_values(load("helpers", "return column * 102", "return eval('column * 102')"))

    assert (found.name, Path(found.where.file).name) == ("eval()", "helpers.py")


@pytest.mark.parametrize("edit", SEEN_FOR_NOTHING.values(), ids=SEEN_FOR_NOTHING)
def test_some_edits_are_seen_though_nothing_changes(load: Loaded, edit: Edit, unedited: str) -> None:
    assert unedited != version_of(load(*edit))


HELD = {
    "by a closure": "def hold(value):\n    return lambda c: value[0](c)\nMAKER = hold([udf, threading.Event()])",
    "by a default": "def hold(c, value=(udf, threading.Event())):\n    return value\nMAKER = hold",
    "by an object of a library": "import types\nMAKER = types.SimpleNamespace(udf=udf)",
    "by an object of the project": "client.udf = udf\nMAKER = client",
    "by itself": "LOOP = [udf]\nLOOP.append(LOOP)\nMAKER = LOOP",
    "by an object that raises": (
        "class Odd:\n    def __getattr__(self, name):\n        raise RuntimeError\nMAKER = [Odd(), udf]"
    ),
    "by a module that is handed on": "import PACKAGE.slow\nMAKER = functools.partial(getattr, PACKAGE.slow)",
}


@pytest.mark.parametrize("held", HELD.values(), ids=HELD)
def test_functions_that_something_holds_count(load: Loaded, held: str) -> None:
    def version(number: int) -> str:
        edited = held.replace("udf", "added") if "udf" in held else held
        added = f"import threading\ndef added(value):\n    return value + {number}\n{edited}"
        return version_of(load("tables", "MAKER = consts.make()", added))

    assert version(1) == version(1)
    assert "udf" not in held or version(1) != version(2)
