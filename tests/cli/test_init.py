"""`init`: a project that runs as it is, and never in place of somebody's files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

FILES = {"deltaworks.toml", "tables.py", "flights_2013_01.parquet", ".gitignore"}


COUNT = "select count(*) as n from flights"


def deltaworks(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "deltaworks", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_what_it_writes_is_complete_and_comes_to_a_month_of_fresh_tables(tmp_path: Path) -> None:
    written = json.loads(deltaworks(tmp_path, "init", "new/project", "--json"))
    folder = tmp_path / "new" / "project"
    assert written["next"] == ["cd new/project", "deltaworks check", "deltaworks backfill", "deltaworks status"]

    checked, _ = deltaworks(folder, "check"), deltaworks(folder, "backfill")
    status = json.loads(deltaworks(folder, "status", "--json"))

    assert checked.splitlines()[-1] == "3 assets: no problems found"
    assert {each["asset"]: each["partitions"]["fresh"] for each in status["assets"]} == {
        "flights": 31,
        "daily_carrier": 31,
        "trailing_week": 31,
    }
    assert json.loads(deltaworks(folder, "show", "flights", "--sql", COUNT, "--json"))["rows"] == [{"n": 27_004}]


def test_files_that_are_there_are_named_and_nothing_is_written(shell: Any, tmp_path: Path) -> None:
    answer = shell.run("init", str(tmp_path))

    assert answer.code == 2
    assert answer.sentence.startswith(f"{tmp_path} already has tables.py; nothing was written.")
    assert {path.name for path in tmp_path.iterdir()} == {"tables.py"}


def test_a_folder_that_cannot_be_made_is_one_sentence(shell: Any, tmp_path: Path) -> None:
    answer = shell.run("init", str(tmp_path / "tables.py" / "below"))

    assert answer.code == 1
    assert "cannot write a project to" in answer.sentence


def test_the_data_is_a_small_month_of_flights(shell: Any, tmp_path: Path) -> None:
    assert set(shell.run("init", str(tmp_path / "new"), "--json").json["files"]) == FILES

    assert {path.name for path in (tmp_path / "new").iterdir()} == FILES
    assert (tmp_path / "new" / "flights_2013_01.parquet").stat().st_size < 100_000
