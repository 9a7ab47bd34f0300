"""Damage costs one sentence where it hurts, `doctor` names the repair, and the repair repairs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable

from tests.acceptance.conftest import Here, Project

MODULE = """
import pandera.polars as pa
import polars as pl
import deltaworks as dw
from deltaworks import LazyFrame

days = dw.DailyPartitions(start="2024-01-01", end="2024-01-11")

class Row(pa.DataFrameModel):
    day: pl.Date
    n: int

@dw.asset(partitions=days, partition_by="day")
def numbers(partition: dw.Partition) -> LazyFrame[Row]:
    return pl.LazyFrame({"day": [partition.start] * SIZE, "n": pl.int_range(SIZE, eager=True).shuffle(seed=1)})

@dw.asset(partitions=days, partition_by="day")
def doubled(numbers: LazyFrame[Row]) -> LazyFrame[Row]:
    return numbers.with_columns(pl.col("n") * 2)
"""


def write_project(project: Project, size: int = 3) -> Project:
    project.write("deltaworks.toml", 'modules = ["numbers_"]\n')
    project.write("numbers_.py", MODULE.replace("SIZE", str(size)))
    return project


@pytest.fixture
def made(here: Here) -> Project:
    """A small here, all of it made, with nothing wrong."""
    write_project(here)
    assert here.run("backfill").code == 0
    healthy = here.run("doctor", "--json")
    assert (healthy.code, healthy.json) == (0, {"ok": True, "problems": [], "repaired": []})
    return here


def test_on_an_absent_lake_nothing_is_wrong_and_nothing_is_made(here: Here) -> None:
    write_project(here)

    assert here.run("doctor", "--json").json == {"ok": True, "problems": [], "repaired": []}
    assert here.run("maintain").code == 0
    assert not here.lake.exists()


def diagnosed(project: Project) -> dict[str, Any]:
    """The only problem that there is."""
    result = project.run("doctor", "--json")
    assert result.code == 1, result.err
    assert result.json["ok"] is False
    (problem,) = result.json["problems"]
    return problem


def test_a_truncated_last_commit(made: Project) -> None:
    commit = made.lake / "doubled" / "_delta_log" / f"{1:020d}.json"
    whole = commit.read_bytes()
    # Cut between two lines: others read this as a table without its last rows.
    commit.write_bytes(b"".join(whole.splitlines(keepends=True)[:3]))
    assert pl.read_delta(str(made.lake / "doubled")).height == 2 * 3

    for command in (["status"], ["backfill"], ["show", "doubled"]):
        refused = made.run(*command)
        assert refused.code == 1
        assert re.search(r"doubled: version 1 of the log was cut off \(it recorded rows of", refused.sentence)
    found = diagnosed(made)
    assert (found["kind"], found["asset"]) == ("damaged_commit", "doubled")
    assert "or delete it, and `deltaworks backfill` makes again what it held" in found["repair"]

    commit.unlink()
    assert made.run("backfill", "--json").json["totals"]["materialized"] == 10
    assert made.run("doctor").code == 0


def test_a_damaged_checkpoint_hurts_others_and_not_us(made: Project) -> None:
    table = made.lake / "doubled"
    DeltaTable(str(table)).create_checkpoint()
    checkpoint = table / "_delta_log" / f"{1:020d}.checkpoint.parquet"
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(Exception, match=r"."):
        DeltaTable(str(table))

    assert made.status()["doubled"]["partitions"]["fresh"] == 10
    found = diagnosed(made)
    assert found["kind"] == "damaged_checkpoint"
    assert found["repair"].startswith("delete ")

    for path in re.findall(r"/\S+(?:parquet|_last_checkpoint)", found["repair"]):
        Path(path).unlink()
    assert DeltaTable(str(table)).version() == 1
    assert made.run("doctor").code == 0


def test_a_deleted_data_file(made: Project) -> None:
    (file,) = (made.lake / "numbers" / "day=2024-01-03").iterdir()
    file.unlink()

    assert made.status()["numbers"]["partitions"]["fresh"] == 10
    failed = made.run("backfill", "doubled", "--only", "all", "--json")
    assert failed.code == 1
    assert (failed.json["totals"]["materialized"], failed.json["totals"]["failed"]) == (9, 1)
    (failure,) = failed.json["failures"]
    assert failure["partition"] == "2024-01-03"
    assert file.name in failure["error"]
    assert "Traceback" not in failed.err
    assert file.name in made.run("show", "numbers").sentence
    found = diagnosed(made)
    assert found["kind"] == "missing_files"
    assert found["repair"] == "`deltaworks materialize numbers --partition 2024-01-03`"

    assert made.run(*found["repair"].strip("`").split()[1:]).code == 0
    assert made.run("backfill", "--json").json["totals"]["materialized"] == 1
    assert made.run("doctor").code == 0


def test_a_wrong_index_is_made_anew(made: Project) -> None:
    for path in (made.lake / "_deltaworks" / "index").glob("numbers.*"):
        path.write_bytes(b"torn")

    assert diagnosed(made)["kind"] == "damaged_index"
    assert made.run("doctor", "--rebuild-index").code == 0
    assert made.status()["numbers"]["partitions"]["fresh"] == 10

    for path in (made.lake / "_deltaworks" / "index").glob("numbers.*"):
        path.write_bytes(b"torn again")
    assert made.status()["numbers"]["partitions"]["fresh"] == 10
    assert made.run("doctor").code == 0, "whoever could not use it wrote it anew"


def test_a_killed_run_leaves_files_that_maintain_takes_when_they_are_old(here: Here) -> None:
    write_project(here)
    here.edit(
        "numbers_.py",
        "    return pl.LazyFrame({",
        "    import os\n    if partition.key > '2024-01-05': os.kill(os.getpid(), 9)\n    return pl.LazyFrame({",
    )
    assert Project(here.folder).run("backfill", "numbers").code == -9
    left = list((here.lake / "numbers").rglob("*.parquet"))
    assert left
    write_project(here)
    assert here.run("backfill").code == 0
    before = here.status("--partitions")
    for path in here.lake.rglob("*"):
        os.utime(path, (time.time() - 8 * 86400,) * 2)

    lives = here.run("maintain", "--json")
    shutil.rmtree(here.lake / "_deltaworks" / "ledger")
    told = here.run("maintain", "--dry-run", "--json")
    young = here.run("maintain", "--older-than-days", "9", "--json")
    assert [result.json["totals"]["removed"] for result in (lives, told, young)] == [0, len(left), 0]
    assert diagnosed(here)["repair"] == "`deltaworks maintain numbers`"
    swept = here.run("maintain", "--json")

    assert swept.code == 0
    assert swept.json["totals"]["removed"] == len(left)
    assert swept.json["totals"]["bytes"] == told.json["totals"]["bytes"] > 0
    assert not any(path.exists() for path in left)
    assert here.status("--partitions") == before
    assert here.run("doctor").code == 0
    assert here.run("maintain", "--older-than-days", "0").code == 2


@pytest.fixture
def small_disk(tmp_path: Path) -> Generator[Path]:
    """A disk of 256 kB, which only root can make."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.call(command, stderr=subprocess.DEVNULL):
        pytest.skip("needs the right to mount a file system")
    yield disk
    subprocess.check_call(["umount", disk])


def test_a_full_disk_fails_in_one_sentence_and_with_room_the_rest_is_made(here: Here, small_disk: Path) -> None:
    write_project(here, size=12_000)
    lake = str(small_disk / "lake")

    full = here.run("backfill", "--lake", lake)
    status = here.status("--lake", lake)

    assert full.code == 1
    assert "Traceback" not in full.err
    assert "No space left on device" in full.out + full.err
    partitions = status["numbers"]["partitions"]
    assert partitions["fresh"] < 10
    subprocess.check_call(["mount", "-o", "remount,size=64m", small_disk])
    assert here.run("doctor", "--lake", lake).code == 0
    resumed = here.run("backfill", "--lake", lake, "--json")
    assert resumed.code == 0, resumed.err
    fresh = sum(found["partitions"]["fresh"] for found in status.values())
    assert resumed.json["totals"]["materialized"] == 20 - fresh
    rows = pl.read_delta(f"{lake}/numbers")
    assert (rows.height, rows["n"].sum()) == (10 * 12_000, 10 * sum(range(12_000)))
