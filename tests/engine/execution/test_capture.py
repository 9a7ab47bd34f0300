"""What a step prints is told with its name, whichever threads print at the same time."""

from __future__ import annotations

import logging
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from io import StringIO
from threading import Barrier

import pytest

from deltaworks.engine.execution.workers.capture import LINE_CHARACTERS, Line, LineSink, capture, capturing


def test_threads_that_print_at_once_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    lines: list[Line] = []
    start = Barrier(4)

    def step(name: str) -> None:
        with capture(name, lines.append):
            start.wait()
            for number in range(50):
                print(name, end=" ")
                print(number)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(step, "abcd"))

    for name in "abcd":
        assert [line.text for line in lines if line.step == name] == [f"{name} {number}" for number in range(50)]
    assert len(capsys.readouterr().out.split()) == 400, "it also goes where it would have gone"


def test_what_nobody_captures_is_nobodys(capsys: pytest.CaptureFixture[str]) -> None:
    lines: list[Line] = []
    before = sys.stdout, sys.stderr

    with capturing():
        print("between")
        with capture("a", lines.append), ThreadPoolExecutor(1) as pool:
            pool.submit(print, "a thread of its own").result()
        print("after", file=sys.stderr)

    assert lines == []
    assert (sys.stdout, sys.stderr) == before
    assert tuple(capsys.readouterr()) == ("between\na thread of its own\n", "after\n")


def test_the_streams_come_back_though_another_step_still_runs(capsys: pytest.CaptureFixture[str]) -> None:
    lines: list[Line] = []
    before = sys.stdout
    outer, inner = capture("outer", lines.append), capture("inner", lines.append)

    outer.__enter__()
    with inner:
        print("in")
    print("out")
    outer.__exit__(None, None, None)

    assert [(line.step, line.text) for line in lines] == [("inner", "in"), ("outer", "out")]
    assert sys.stdout is before


def test_a_step_that_never_ends_does_not_keep_others_from_being_heard(capsys: pytest.CaptureFixture[str]) -> None:
    lines: list[Line] = []
    abandoned = capture("abandoned", lines.append)

    with redirect_stdout(StringIO()):
        abandoned.__enter__()
    before = sys.stdout
    with ThreadPoolExecutor(1) as pool:
        pool.submit(_say, "b", lines.append).result()

    assert lines == [Line("b", "stdout", "heard")]
    assert sys.stdout is before
    abandoned.__exit__(None, None, None)


def _say(step: str, sink: LineSink) -> None:
    with capture(step, sink):
        print("heard")


def test_messages_come_with_their_level() -> None:
    lines: list[Line] = []

    with capture("a", lines.append):
        logging.getLogger("deltaworks.asset").warning("watch %s", "out")
        logging.getLogger("elsewhere").warning("not ours")

    assert lines == [Line("a", "log", "watch out", "WARNING")]


def test_a_limit_cuts_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    lines: list[Line] = []

    with capture("a", lines.append, limit_bytes=10):
        print("12345678")
        print("12345678")
        print("1")

    assert lines == [Line("a", "stdout", "12345678"), Line("a", "cut", "11 more bytes of output are not kept")]


def test_a_line_without_end_is_cut_into_several(capsys: pytest.CaptureFixture[str]) -> None:
    lines: list[Line] = []

    with capture("a", lines.append):
        for _ in range(3):
            sys.stdout.write("x" * LINE_CHARACTERS)
        print("y" * (LINE_CHARACTERS * 2))

    assert {len(line.text) for line in lines} == {LINE_CHARACTERS}
    assert "".join(line.text for line in lines) == "x" * 3 * LINE_CHARACTERS + "y" * 2 * LINE_CHARACTERS


CHILD = """
import os, pickle
from deltaworks.engine.execution.workers.capture import capture

with capture("a", lambda line: os.write(2, pickle.dumps(line))):
    print("far away")
"""


def test_a_child_process_sends_its_lines_home() -> None:
    child = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, check=True)

    assert pickle.loads(child.stderr) == Line("a", "stdout", "far away")
