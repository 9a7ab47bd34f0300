"""Sensors on files: each file once in each version, and only when it is whole."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import deltaworks as dw
from deltaworks.engine.automation.file_arrivals import MOST_FILES, read_arrivals
from deltaworks.engine.automation.sensing import Scene, cursor_at_end
from deltaworks.errors import StorageError
from tests.engine.automation.sensed import NOW, Watching


@dw.op
def take() -> None: ...


@dw.job
def load() -> None:
    take()


def on_files(tmp_path: Path, pattern: str = "inbox/*.csv") -> tuple[Watching, list[list[tuple[str, bool]]]]:
    told: list[list[tuple[str, bool]]] = []
    (tmp_path / "inbox").mkdir(exist_ok=True)

    @dw.file_sensor(tmp_path / pattern, job=load, settle_s=0)
    def follow(arrivals: dw.Arrivals) -> Any:
        told.append([(file.path, file.is_new) for file in arrivals])
        return [dw.RunRequest(run_key=file.run_key, tags={"file": file.uri}) for file in arrivals]

    return Watching(tmp_path, follow), told


def drop(folder: Path, name: str, text: str = "x") -> Path:
    path = folder / "inbox" / name
    path.write_text(text)
    return path


def test_each_file_is_told_once_in_each_version(tmp_path: Path) -> None:
    sensor, told = on_files(tmp_path)
    old = drop(tmp_path, "b.csv")
    os.utime(old, (1e9, 1e9))
    drop(tmp_path, "note.txt")

    first = sensor.ask()
    again = sensor.ask()
    older = drop(tmp_path, "a.csv")
    os.utime(older, (1e8, 1e8))  # moved here, with a time long before the cursor
    drop(tmp_path, "b.csv", "changed")
    sensor.ask()

    assert [each.tags["file"] for each in first.requests] == [str(old)]
    assert (again.requests, again.cursor, again.skip_reason) == ((), None, "no file that is new and whole")
    assert told == [[("b.csv", True)], [("a.csv", True), ("b.csv", False)]]


def test_a_file_that_is_gone_and_comes_back_is_new(tmp_path: Path) -> None:
    sensor, told = on_files(tmp_path)
    path = drop(tmp_path, "a.csv")
    sensor.ask()

    path.unlink()
    gone = sensor.ask()
    drop(tmp_path, "a.csv")
    sensor.ask()

    assert (gone.requests, gone.cursor) == ((), '{"files":{}}')
    assert told == [[("a.csv", True)], [("a.csv", True)]]


def test_a_file_that_is_being_written_waits_until_it_is_whole(tmp_path: Path) -> None:
    sensor, _ = on_files(tmp_path)
    drop(tmp_path, "whole.csv")
    growing = drop(tmp_path, "growing.csv")
    watched: Any = sensor.sensor.watches

    def write_on(_: float) -> None:
        with growing.open("a") as file:
            file.write("more")

    first = read_arrivals("sensor", watched, None, write_on)
    then = read_arrivals("sensor", watched, first.cursor, lambda _: None)

    assert [file.path for file in first.arrivals] == ["whole.csv"]
    assert [file.path for file in then.arrivals] == ["growing.csv"]


def test_many_files_are_told_some_at_a_time(tmp_path: Path) -> None:
    sensor, told = on_files(tmp_path)
    for number in range(MOST_FILES + 2):
        drop(tmp_path, f"{number:04d}.csv")

    requests = [len(sensor.ask().requests) for _ in range(3)]

    assert requests == [MOST_FILES, 2, 0]
    assert told[1] == [("0500.csv", True), ("0501.csv", True)]


def test_what_is_there_already_can_be_passed_over(tmp_path: Path) -> None:
    sensor, told = on_files(tmp_path)
    drop(tmp_path, "a.csv")

    sensor.cursor = cursor_at_end(sensor.sensor, Scene(sensor.definitions, sensor.store, NOW))
    drop(tmp_path, "b.csv")
    sensor.ask()

    assert told == [[("b.csv", True)]]


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    sensor, _ = on_files(tmp_path)
    (tmp_path / "inbox").rmdir()

    with pytest.raises(StorageError, match="there is no such folder"):
        sensor.ask()


def test_a_cursor_that_is_none_is_said(tmp_path: Path) -> None:
    sensor, _ = on_files(tmp_path)
    sensor.cursor = "7"

    with pytest.raises(StorageError, match="sensor 'follow': its cursor names no files"):
        sensor.ask()


def test_a_look_finds_what_was_not_told(tmp_path: Path) -> None:
    sensor, told = on_files(tmp_path)
    watch = sensor.watch()

    empty = sensor.is_due(watch, 2.0)
    drop(tmp_path, "a.csv")
    too_early, found, after = sensor.is_due(watch, 0.5), sensor.is_due(watch, 2.0), sensor.is_due(watch, 2.0)

    assert (empty, too_early, found, after) == (False, False, True, False)
    assert told == [[("a.csv", True)]]
