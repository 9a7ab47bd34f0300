"""A project in a folder of its own, worked on through the real command line in real processes."""

from __future__ import annotations

import json
import linecache
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deltaworks.cli.app import app

EXAMPLE = Path(__file__).parents[2] / "examples" / "flights"


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def sentence(self) -> str:
        """The error, which must be one line without a traceback."""
        assert "Traceback" not in self.err
        lines = [line for line in self.err.splitlines() if line.startswith("error: ")]
        assert len(lines) == 1, self.err
        return lines[0].removeprefix("error: ")


@dataclass(frozen=True)
class Project:
    folder: Path

    @property
    def lake(self) -> Path:
        return self.folder / "lake"

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def edit(self, name: str, old: str, new: str) -> None:
        text = (self.folder / name).read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {name}"
        self.write(name, text.replace(old, new))

    def run(self, *arguments: str, **environ: str) -> Result:
        done = subprocess.run(
            [sys.executable, "-m", "deltaworks", *arguments],
            cwd=self.folder,
            env={**os.environ, **environ},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def status(self, *arguments: str) -> dict[str, dict[str, Any]]:
        """The status document of each asset."""
        result = self.run("status", "--json", *arguments)
        assert result.code == 0, result.err
        return {each["asset"]: each for each in result.json["assets"]}

    def interrupt_backfill(self, after_commits: int) -> Result:
        """Start a backfill and press Ctrl-C once after some commits."""
        with subprocess.Popen(
            [sys.executable, "-m", "deltaworks", "backfill", "--json"],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stderr is not None
            seen: list[str] = []
            deadline = time.monotonic() + 60
            while sum("committed" in line for line in seen) < after_commits:
                assert time.monotonic() < deadline, "".join(seen)
                seen.append(process.stderr.readline())
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
            return Result(process.returncode, out, "".join(seen) + err)


@dataclass(frozen=True)
class Here(Project):
    """A project that is worked on in this process: by its settings, or without any by the file of its only module.

    What a process of its own shows, other stories tell; here a command costs a tenth.
    """

    module: str = "tables.py"

    def run(self, *arguments: str, **environ: str) -> Result:
        is_set = (self.folder / "deltaworks.toml").exists()
        which = () if is_set else ("-f", str(self.folder / self.module))
        with chdir(self.folder), own_imports(self.folder), pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["deltaworks", *arguments])
            done = CliRunner().invoke(app, [*arguments, *which], env=environ)
        return Result(done.exit_code, done.stdout, done.stderr)


@contextmanager
def own_imports(folder: Path) -> Generator[None]:
    """Import the modules of a folder anew, and forget them at the end: the next command finds them as they are then."""
    for file in folder.glob("*.py"):
        sys.modules.pop(file.stem, None)  # what another story left there
    before, path, is_written = set(sys.modules), list(sys.path), sys.dont_write_bytecode
    sys.dont_write_bytecode = True  # compiled files are compared by the second, in which a test edits a module twice
    try:
        yield
    finally:
        sys.path[:], sys.dont_write_bytecode = path, is_written
        for name in set(sys.modules) - before:
            if str(getattr(sys.modules[name], "__file__", None)).startswith(str(folder)):
                del sys.modules[name]
        linecache.clearcache()


@pytest.fixture
def here(tmp_path: Path) -> Here:
    """An empty project folder, for commands in this process."""
    folder = tmp_path / "project"
    folder.mkdir()
    return Here(folder)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty project folder."""
    folder = tmp_path / "project"
    folder.mkdir()
    return Project(folder)


def copy_example(folder: Path) -> Project:
    """Copy the flights example, without any lake."""
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("lake", "__pycache__"))
    return Project(folder)
