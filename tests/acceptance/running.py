"""Commands of a project that run beside the test, and are ended by their id, whatever happens."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.acceptance.conftest import Project

PATIENCE_S = 60
"""How long anything is waited for."""

HEAD = """
import os
import time
from pathlib import Path
import pandera.polars as pa
import polars as pl
import deltaworks as dw
from deltaworks import LazyFrame

HERE = Path(__file__).parent
days = dw.DailyPartitions(start="2024-01-01", end="2024-01-11")

class Row(pa.DataFrameModel):
    day: pl.Date
    n: int

def rows(partition):
    return pl.LazyFrame({"day": [partition.start], "n": [1]})

def hold(name):
    '''Say that this is reached, and go on when the test has made a file of that name.'''
    (HERE / f"{name}.reached").touch()
    while not (HERE / name).exists():
        time.sleep(0.01)
"""
"""What the modules of these stories begin with."""


@contextmanager
def started(project: Project, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start a command; at the end it is gone."""
    process = subprocess.Popen(
        [sys.executable, "-m", "deltaworks", *arguments],
        cwd=project.folder,
        env={**os.environ, "POLARS_MAX_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def wait_until(condition: Callable[[], Any], what: str) -> None:
    """Wait for something, not forever."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"{what} took longer than {PATIENCE_S} s"
        time.sleep(0.02)


def reached(project: Project, name: str) -> None:
    """Wait until an asset holds at a name."""
    wait_until((project.folder / f"{name}.reached").exists, f"reaching {name}")


def release(project: Project, name: str) -> None:
    """Let assets that hold at a name go on."""
    (project.folder / name).touch()


def of_module(project: Project, text: str, settings: str = "") -> Project:
    """Write the only module of a project."""
    project.write("deltaworks.toml", f'modules = ["tables"]\ndurable = false\n{settings}')
    project.write("tables.py", HEAD + text)
    return project


def runs(project: Project) -> list[dict[str, Any]]:
    """What `runs list` says, the latest first."""
    result = project.run("runs", "list", "--json")
    assert result.code == 0, result.err
    found: list[dict[str, Any]] = result.json
    return found
