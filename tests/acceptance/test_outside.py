"""Others write to the tables too; everything is told from the logs, whatever else of the lake is there."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from tests.acceptance.conftest import Here, Project, copy_example

DAY = "2013-01-10"
WEEK = [DAY, "2013-01-16"]
TABLES = ("flights", "daily_carrier", "trailing_week")


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The example, cut to January and made; tests work on copies of it."""
    project = Here(copy_example(tmp_path_factory.mktemp("month") / "flights").folder)
    project.edit("flights.py", 'end="2014-01-01"', 'end="2013-02-01"')
    made = project.run("backfill", "--json")
    assert made.json["totals"]["materialized"] == 3 * 31 + 2
    return project


@pytest.fixture
def january(month: Project, tmp_path: Path) -> Project:
    """A copy of the month of one's own."""
    return Here(shutil.copytree(month.folder, tmp_path / "january"))


def overwrite_day(project: Project) -> None:
    """Replace one day of flights by five of its rows, as anybody can who has deltalake."""
    path = str(project.lake / "flights")
    df = pl.read_delta(path).filter(pl.col("flight_date") == pl.lit(DAY).str.to_date()).head(5)
    write_deltalake(path, df, mode="overwrite", predicate=f"flight_date = '{DAY}'")


def ranges(status: dict[str, Any], asset: str, word: str) -> list[list[str]]:
    """The partitions of an asset that have a status."""
    found = [each["partitions"]["ranges"] for each in status[asset]["ranges"] if each["status"] == word]
    return [bounds for each in found for bounds in each]


def causes(status: dict[str, Any], asset: str, word: str) -> str:
    (found,) = [each["causes"] for each in status[asset]["ranges"] if each["status"] == word]
    return "; ".join(found)


def test_a_day_changed_from_outside_makes_exactly_what_is_made_from_it_stale(january: Project) -> None:
    overwrite_day(january)
    version = DeltaTable(str(january.lake / "flights")).version()

    status = january.status("--partitions")

    counts = {
        asset: (status[asset]["partitions"]["external"], status[asset]["partitions"]["stale"]) for asset in TABLES
    }
    assert counts == {"flights": (1, 0), "daily_carrier": (0, 1), "trailing_week": (0, 7)}
    assert ranges(status, "flights", "external") == [[DAY, DAY]]
    assert ranges(status, "daily_carrier", "stale") == [[DAY, DAY]]
    assert ranges(status, "trailing_week", "stale") == [WEEK]
    for asset, word in [("flights", "external"), ("daily_carrier", "stale"), ("trailing_week", "stale")]:
        assert f"at version {version} by an outside writer (WRITE, delta-rs" in causes(status, asset, word)
    assert f"daily_carrier {DAY} is stale" in causes(status, "trailing_week", "stale")


def test_backfill_redoes_exactly_that_and_leaves_the_outside_day_alone(january: Project) -> None:
    overwrite_day(january)

    redone = january.run("backfill", *TABLES, "--json")

    assert redone.code == 0, redone.err
    assert redone.json["totals"] == {"materialized": 8, "failed": 0, "skipped": 0, "commits": 2}
    status = january.status("--partitions")
    assert ranges(status, "flights", "external") == [[DAY, DAY]]
    assert [status[asset]["partitions"]["stale"] for asset in TABLES] == [0, 0, 0]
    day = pl.col("flight_date") == pl.lit(DAY).str.to_date()
    assert pl.read_delta(str(january.lake / "flights")).filter(day).height == 5
    assert pl.read_delta(str(january.lake / "daily_carrier")).filter(day)["flights"].sum() == 5


def test_after_a_compaction_nothing_is_stale(january: Project) -> None:
    path = str(january.lake / "flights")
    write_deltalake(path, pl.read_delta(path).head(3), mode="append")
    january.run("backfill")
    before = january.status("--partitions")

    assert DeltaTable(path).optimize.compact()["numFilesRemoved"] > 0

    after = january.status("--partitions")
    assert after.pop("flights")["version"] == before.pop("flights")["version"] + 1
    assert after == before


@pytest.fixture
def mixed(january: Project) -> Project:
    """A lake with fresh, stale, missing, external and failed partitions."""
    overwrite_day(january)
    DeltaTable(str(january.lake / "trailing_week")).delete("flight_date = '2013-01-03'")
    january.edit(
        "flights.py", "    return daily_carrier.group_by", "    assert False\n    return daily_carrier.group_by"
    )
    assert january.run("backfill", "trailing_week", "--partition", "2013-01-03").code == 1
    january.edit("flights.py", "    assert False\n", "")
    return january


def test_without_all_that_is_no_record_the_status_is_the_same_but_for_failures(mixed: Project) -> None:
    before = mixed.status("--partitions")
    assert before["trailing_week"]["partitions"]["failed"] == 1
    words = {word for found in before.values() for word, count in found["partitions"].items() if count}
    assert words >= {"fresh", "stale", "missing", "external"}

    for name in ("index", "ledger", "claims", "logs"):
        shutil.rmtree(mixed.lake / "_deltaworks" / name, ignore_errors=True)

    assert without_failures(mixed.status("--partitions")) == without_failures(before)


def test_a_read_only_copy_tells_the_same(mixed: Project, tmp_path: Path) -> None:
    before = mixed.status("--partitions")
    copy = shutil.copytree(mixed.lake, tmp_path / "copy")
    shutil.rmtree(copy / "_deltaworks" / "index")
    for lake in read_only(copy):
        assert mixed.status("--partitions", "--lake", str(lake)) == before
        refused = mixed.run("backfill", "--lake", str(lake))
        doctor = mixed.run("doctor", "--lake", str(lake))

        assert refused.code == 1
        assert "cannot" in refused.sentence
        assert (doctor.code, doctor.err) == (0, "")


def without_failures(status: dict[str, Any]) -> dict[str, Any]:
    return {asset: found | {"partitions": {**found["partitions"], "failed": None}} for asset, found in status.items()}


def read_only(folder: Path) -> Generator[Path]:
    """Yield the folder where nobody can write to it; root needs a mount for that."""
    if os.geteuid():
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
        yield folder
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755)
        return
    mounted = folder.with_name("mounted")
    mounted.mkdir()
    if subprocess.call(["mount", "--bind", folder, mounted], stderr=subprocess.DEVNULL):
        pytest.skip("neither a mount nor a user who is held by permissions")
    try:
        subprocess.check_call(["mount", "-o", "remount,ro,bind", mounted])
        yield mounted
    finally:
        subprocess.check_call(["umount", mounted])
