"""Tables in narrow windows: names, keys and run ids stay whole; everything is somewhere."""

from __future__ import annotations

import fcntl
import itertools
import os
import pty
import struct
import subprocess
import sys
import termios
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deltaworks.cli.layout import GAP, fit, visible, wrapped

HEADINGS = ("asset", "version#", "partitions#", "fresh#", "stale#", "missing#", "external#", "failed#")
WIDTHS = [25, 7, 10, 5, 5, 7, 8, 6]


COMMANDS = """
import sys
from deltaworks.cli.app import app

file, *commands = sys.argv[1:]
for command in commands:
    app([*command.split(), "-f", file], standalone_mode=False)
    print("\\f", end="")
"""


def drawn(shell: Any, columns: int, *commands: str) -> list[list[str]]:
    """Run commands in a process on a terminal of so many columns; return the lines of each answer without colours."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environ = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    program = [sys.executable, "-c", COMMANDS, str(shell.folder / "tables.py"), *commands]
    with subprocess.Popen(program, stdout=theirs, stderr=subprocess.DEVNULL, env=environ | {"NO_COLOR": "1"}) as run:
        os.close(theirs)
        told = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            told += part
            if not part:
                break
        assert run.wait(60) == 0
    os.close(ours)
    text = told.decode()
    for code in ("\x1b[1m", "\x1b[2m", "\x1b[0m"):
        text = text.replace(code, "")
    *answers, last = text.split("\f")
    assert (len(answers), last) == (len(commands), "")
    return [[line.rstrip() for line in answer.splitlines()] for answer in answers]


@pytest.fixture
def made(shell: Any) -> Any:
    """Return a project of long names in which a day is stale for what somebody wrote."""
    tables = shell.folder / "tables.py"
    tables.write_text(tables.read_text().replace("doubled", "twice_the_numbers_of_all_days"))
    assert shell.run("backfill").code == 0
    shell.write_outside("2024-01-02")
    return shell


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_sentences_are_wrapped_between_their_words(made: Any, columns: int) -> None:
    tables = made.folder / "tables.py"
    tables.write_text(tables.read_text().replace('end="2024-01-04"', 'end="2024-03-04"'))

    (lines,) = drawn(made, columns, "plan twice_the_numbers_of_all_days")
    plain = made.run("plan", "twice_the_numbers_of_all_days").out

    (sentence,) = (line for line in plain.splitlines() if line.startswith("left out: "))
    start = next(number for number, line in enumerate(lines) if line.startswith("left out: "))
    parts = [lines[start], *itertools.takewhile(lambda line: line.startswith("    "), lines[start + 1 :])]
    assert len(parts) > 1
    assert " ".join(part.strip() for part in parts) == sentence, "no word is broken, and none is lost"
    assert all(len(line) <= columns for line in parts)


@given(st.text(st.sampled_from("ab -/`\n"), max_size=80), st.integers(20, 60), st.integers(0, 6))
def test_wrapped_lines_hold_the_same_words_and_fit(text: str, width: int, indent: int) -> None:
    lines = wrapped(" " * indent + text, width)

    assert [word for line in lines for word in line.split()] == text.split()
    for line in lines:
        assert len(line) <= width or len(line.split()) == 1, "a word that fits nowhere is left whole"


@pytest.mark.parametrize("columns", [60, 80, 100, 120])
def test_names_keys_and_runs_are_whole_in_every_window(made: Any, columns: int) -> None:
    run = made.run("runs", "list", "--json").json[0]["run_id"]
    name = "twice_the_numbers_of_all_days"

    status, history, runs, plan = drawn(
        made, columns, "status --partitions", f"history {name}", "runs list", "plan --only all"
    )

    for lines in (status, history, runs, plan):
        assert all(len(line) <= columns for line in lines), lines
    assert [line.split()[0] for line in status if line.startswith(name)] == [name] * 3
    assert sum("2024-01-02" in line for line in status) >= 2
    assert any(run in line for line in history)
    assert any(line.startswith(run) for line in runs)
    assert any("2024-01-01 .. 2024-01-03" in line for line in history)
    assert any(line.startswith(name) for line in plan)


def test_counts_stand_under_names_that_leave_them_no_room(made: Any) -> None:
    (lines,) = drawn(made, 60, "status")

    assert lines[:3] == [
        "asset                          version  partitions  fresh",
        "numbers                              2           3      2",
        "    stale 0, external 1",
    ]


def test_columns_of_zeros_go_first_the_last_before_the_others() -> None:
    zeros = (4, 6, 7)

    assert list(fit(HEADINGS, WIDTHS, WIDTHS, zeros, 90).widths) == [0, 1, 2, 3, 4, 5, 6, 7]
    assert list(fit(HEADINGS, WIDTHS, WIDTHS, zeros, 80).widths) == [0, 1, 2, 3, 4, 5, 6]
    assert list(fit(HEADINGS, WIDTHS, WIDTHS, zeros, 65).widths) == [0, 1, 2, 3, 5]
    assert fit(HEADINGS, WIDTHS, WIDTHS, zeros, 60).below == (5,)


def test_the_causes_are_wrapped_before_anything_stands_under_its_row() -> None:
    headings, widths, pieces = ("asset", "partitions", "because"), [10, 24, 80], [10, 24, 12]

    assert fit(headings, widths, pieces, (), 120).widths == {0: 10, 1: 24, 2: 80}
    assert fit(headings, widths, pieces, (), 80).widths == {0: 10, 1: 24, 2: 42}
    assert fit(headings, widths, pieces, (), 60) == fit(headings, widths, pieces, (), 40)
    assert fit(headings, widths, pieces, (), 60).below == (2,)


@given(st.data(), st.integers(1, 8), st.integers(20, 200))
def test_what_stands_beside_fits_and_nothing_is_lost(data: Any, count: int, width: int) -> None:
    headings = data.draw(st.lists(st.sampled_from(["name", "number#"]), min_size=count, max_size=count))
    widths = data.draw(st.lists(st.integers(1, 60), min_size=count, max_size=count))
    pieces = [data.draw(st.integers(1, each)) for each in widths]
    zeros = data.draw(st.sets(st.integers(0, count - 1)))

    layout = fit(headings, widths, pieces, zeros, width)

    assert layout.widths[0] == widths[0]
    assert all(layout.widths[place] >= pieces[place] for place in layout.widths)
    assert len(layout.widths) == 1 or sum(layout.widths.values()) + GAP * (len(layout.widths) - 1) <= width
    assert {*layout.widths, *layout.below} | zeros == set(range(count))


HOSTILE = """
import polars as pl
import deltaworks as dw

@dw.asset
def told() -> pl.LazyFrame:
    print("\\x1b]0;title\\x07\\x9b2J said")
    return pl.LazyFrame({"a\\x1b[31m": ["\\x1b[2Jx\\r"]})
"""


def test_what_lies_in_a_lake_cannot_command_a_terminal(shell: Any) -> None:
    (shell.folder / "tables.py").write_text(HOSTILE)
    assert shell.run("backfill").code == 0

    frame, log = (shell.run(*command).out for command in (("show", "told"), ("runs", "logs")))
    drawn_frame, drawn_log = drawn(shell, 80, "show told", "runs logs")

    for text in (frame, "\n".join(drawn_frame)):
        assert r"a\x1b[31m" in text
        assert r"\x1b[2Jx" in text
    for text in (log, "\n".join(drawn_log)):
        assert r"\x1b]0;title\x07\x9b2J said" in text
    assert not {"\x1b", "\x07", "\x9b"} & set("".join((frame, log, *drawn_frame, *drawn_log)))


@given(st.text())
def test_control_characters_are_spelled_out_and_nothing_else(text: str) -> None:
    shown = visible(text)

    assert not any((each < " " and each not in "\n\t") or "\x7f" <= each <= "\x9f" for each in shown)
    assert shown == text or not text.replace("\n", "").replace("\t", "").isprintable()
