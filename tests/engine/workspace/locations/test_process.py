"""The process of a code location, as its host has it: whoever asks is told, whatever becomes of it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deltaworks.engine.workspace.locations.process import LocationProcess
from deltaworks.engine.workspace.locations.spec import LocationSpec
from deltaworks.errors import LocationFailed


@contextmanager
def process_of(folder: Path) -> Generator[LocationProcess]:
    process = LocationProcess(LocationSpec("shop", sys.executable, ("tables",), folder), os.environ)
    try:
        yield process
    finally:
        process.end()


DESCRIBED = {"name": "shop", "modules": ("tables",), "environment": None}


def test_one_that_has_ended_says_so_however_often_it_is_asked(tmp_path: Path) -> None:
    with process_of(tmp_path) as process:
        os.kill(process.pid, signal.SIGKILL)

        for _ in range(2):
            with pytest.raises(LocationFailed, match=r"location 'shop': its process was killed by signal 9"):
                process.ask("run", {})

        assert process.is_over


def test_what_it_started_in_a_session_of_its_own_keeps_nobody_waiting(tmp_path: Path) -> None:
    (tmp_path / "tables.py").write_text(
        "import subprocess, sys\nfrom pathlib import Path\nimport polars as pl\nimport deltaworks as dw\n"
        "server = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)\n"
        "Path('server').write_text(str(server.pid))\n"
        "@dw.asset\ndef numbers() -> pl.LazyFrame:\n    return pl.LazyFrame({'n': [1]})\n"
    )
    try:
        with process_of(tmp_path) as process:
            process.ask("describe", {**DESCRIBED, "folder": str(tmp_path)})
        assert process.is_over
    finally:
        os.kill(int((tmp_path / "server").read_text()), signal.SIGKILL)  # it runs still: it is not ours to end


def test_who_cannot_hear_what_it_tells_raises_that_and_others_go_on(tmp_path: Path) -> None:
    (tmp_path / "telling.py").write_text("def answer(inside, told, tell):\n    tell(1)\n    return told['n']\n")

    def full(_: object) -> None:
        raise OSError("the disk is full")

    with process_of(tmp_path) as process:
        (tmp_path / "tables.py").write_text(
            "import polars as pl\nimport deltaworks as dw\n"
            "@dw.asset\ndef numbers() -> pl.LazyFrame:\n    return pl.LazyFrame({'n': [1]})\n"
        )
        process.ask("describe", {**DESCRIBED, "folder": str(tmp_path)})
        with pytest.raises(OSError, match="the disk is full"):
            process.ask("telling:answer", {"n": 1}, full)

        assert process.ask("telling:answer", {"n": 2}) == 2
