"""A full or read-only disk ends a run in one sentence; what is there is read, and with room the rest is made."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Generator
from pathlib import Path

import polars as pl
import pytest

from tests.acceptance.conftest import Here, Result
from tests.acceptance.running import HEAD
from tests.campaign.recorder import recorded

TABLES = """
@dw.asset(partitions=days, partition_by="day")
def wide(partition: dw.Partition) -> LazyFrame[Row]:
    n = pl.int_range(6_000, eager=True).shuffle(seed=partition.start.day)
    return pl.LazyFrame({"n": n}).with_columns(day=pl.lit(partition.start)).select("day", "n")

@dw.asset(partitions=days, partition_by="day")
def copied(wide: LazyFrame[Row]) -> LazyFrame[Row]:
    return wide
"""


@pytest.fixture
def disk(tmp_path: Path) -> Generator[Path]:
    """A disk of one page, which only root can make."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.call(command, stderr=subprocess.DEVNULL):
        pytest.skip("needs the right to mount a file system")
    yield folder
    subprocess.check_call(["umount", folder])


def remount(disk: Path, options: str) -> None:
    subprocess.check_call(["mount", "-o", f"remount,{options}", disk])


def is_one_sentence(result: Result, told: str) -> None:
    assert result.code == 1
    assert "Traceback" not in result.err
    assert told in result.out + result.err


def test_whatever_room_there_is_no_partition_is_half_made_and_more_room_is_used(here: Here, disk: Path) -> None:
    here.write("tables.py", HEAD + TABLES)
    lake = str(disk / "lake")
    fresh: list[int] = []
    for size in (*range(8, 64, 8), *range(100, 1300, 150)):
        remount(disk, f"size={size}k")
        result = here.run("backfill", "--lake", lake, "--workers", "1")
        if result.code:
            is_one_sentence(result, "No space left on device")
        found = here.status("--lake", lake)
        fresh.append(sum(each["partitions"]["fresh"] for each in found.values()))
        assert here.run("runs", "list", "--lake", lake).code == 0
        for name in ("wide", "copied"):
            if found[name]["version"] is not None:
                days = pl.read_delta(f"{lake}/{name}").group_by("day").len()
                assert set(days["len"]) <= {6_000}
                assert days.height == found[name]["partitions"]["fresh"]

    assert fresh == sorted(fresh)
    assert (fresh[0], fresh[-1]) == (0, 20)
    assert here.run("doctor", "--lake", lake).code == 0
    assert pl.read_delta(f"{lake}/copied").height == 60_000


@pytest.mark.soak
def test_a_disk_of_any_size_holds_whole_partitions(here: Here, disk: Path) -> None:
    here.write("tables.py", HEAD + TABLES)
    lake, amid = disk / "lake", 0
    with recorded("a full disk") as row:
        for size in range(8, 328, 16):
            with row.one():
                remount(disk, f"size={size}k")
                full = here.run("backfill", "--lake", str(lake), "--workers", "1")
                is_one_sentence(full, "No space left on device")
                amid += any(len(days) > 0 for days in whole_days(lake).values())
                remount(disk, "size=16m")
                assert here.run("backfill", "--lake", str(lake)).code == 0
                assert {len(days) for days in whole_days(lake).values()} == {10}
                assert here.run("doctor", "--lake", str(lake)).code == 0
                shutil.rmtree(lake)
        row.note = f"with room for some of the partitions {amid} times"


def whole_days(lake: Path) -> dict[str, set[object]]:
    """The days that each table has, each of them with all of its rows."""
    found: dict[str, set[object]] = {"wide": set(), "copied": set()}
    for name in found:
        if (lake / name / "_delta_log" / f"{0:020d}.json").exists():
            days = pl.read_delta(str(lake / name)).group_by("day").len()
            assert set(days["len"]) <= {6_000}
            found[name] = set(days["day"])
    return found


@pytest.mark.counted
def test_a_read_only_lake_is_read_and_not_written(here: Here, disk: Path) -> None:
    here.write("tables.py", HEAD + TABLES)
    lake = str(disk / "lake")
    remount(disk, "size=16m")
    assert here.run("backfill", "wide", "--lake", lake).code == 0
    (before,) = here.run("runs", "list", "--lake", lake, "--json").json
    remount(disk, "ro")

    with recorded("a read-only disk") as row:
        for command in (("backfill",), ("materialize", "wide"), ("runs", "retry", "latest"), ("maintain",)):
            with row.one():
                refused = here.run(*command, "--lake", lake)
                if command[0] != "runs":
                    is_one_sentence(refused, "Read-only file system")
                    assert refused.sentence

    assert here.status("--lake", lake)["wide"]["partitions"]["fresh"] == 10
    assert here.run("runs", "list", "--lake", lake, "--json").json == [before]
    assert here.run("show", "wide", "--lake", lake).code == 0
    remount(disk, "rw")
    assert here.run("backfill", "--lake", lake).code == 0
