"""What was made is put back, emptied, kept apart, laid out anew, and changes its columns."""

from __future__ import annotations

import datetime as dt
import time

import polars as pl
import pytest

from tests.acceptance.evolving import DROPPED, MODULE, WIDER
from tests.stores.home import CHAIN, Housed, day


@pytest.fixture
def made(housed: Housed) -> Housed:
    """A project of which everything is made."""
    housed.given(CHAIN)
    housed.did("backfill")
    return housed


@pytest.mark.telling
def test_a_day_is_rolled_back_and_emptied_as_new_commits(made: Housed) -> None:
    good = made.home.table("lake/base").version()
    made.home.append("lake/base", day(2, 666))

    made.said("rollback", "base", "--to", f"v{good}", "--partition", "2024-01-02")
    assert made.rows("base") == [(dt.date(2024, 1, n), n) for n in range(1, 6)]
    assert made.counts("base") == {"fresh": 4, "external": 1}

    made.said("wipe", "base", "--partition", "2024-01-02", "--yes")
    assert made.counts("base") == {"fresh": 4, "missing": 1}
    assert made.home.table("lake/base").version() == good + 3
    made.did("backfill")
    assert made.rows("total") == [(30,)]


def test_what_was_appended_again_and_again_is_compacted(made: Housed) -> None:
    for number in range(3):
        made.home.append("lake/base", day(1, 10 + number))
    made.did("backfill")
    before, rows = made.ranges("child", "fresh"), made.rows("base")

    told = made.did("maintain")

    assert told["totals"]["compacted"] == 1
    assert made.rows("base") == rows
    assert made.ranges("child", "fresh") == before
    assert len(made.home.table("lake/base").file_uris()) == 5
    assert made.run("doctor").code == 0


def test_old_versions_are_freed_and_what_was_made_from_them_is_kept(made: Housed) -> None:
    made.did("backfill", "base", "--only", "all")
    made.did("backfill", "base", "--only", "all")
    time.sleep(1.1)  # clocks of stores count whole seconds

    vacuumed = made.did("maintain", "--retention-days", "0")["totals"]["vacuumed"]

    assert vacuumed == 5
    assert made.run("show", "base@v1").code == 0, "child was made from it"
    assert "were removed" in made.refused("show", "base@v2")
    assert made.run("rerun", "child@v1", "--verify").code == 0


def test_the_ledger_is_folded_and_says_what_it_said(made: Housed) -> None:
    made.did("materialize", "base", "--partition", "2024-01-01")
    before = made.did("runs", "list")

    folded = made.did("maintain", "--fold-after-days", "0")
    made.did("maintain", "--fold-after-days", "0")

    assert folded["folded_runs"] > 0
    assert made.did("runs", "list") == before
    assert made.did("runs", "show", before[0]["run_id"])["run_id"] == before[0]["run_id"]


READINGS = """
class Reading(pa.DataFrameModel):
    day: pl.Date
    n: int = pa.Field(ge=0, metadata={"on_fail": "quarantine"})

@dw.asset(partitions=days, partition_by="day")
def readings(partition: dw.Partition) -> LazyFrame[Reading]:
    return pl.LazyFrame({"day": [partition.start] * 3, "n": [1, 2, -partition.start.day]})
"""


def test_rows_that_break_a_rule_are_kept_apart_and_come_back(housed: Housed) -> None:
    housed.given(READINGS)

    done = housed.did("backfill")

    assert done["totals"]["quarantined"] == 5
    assert len(housed.rows("readings")) == 10
    rejected = housed.did("show", "readings", "--rejects")["rows"]
    assert sorted(row["n"] for row in rejected) == [-5, -4, -3, -2, -1]
    housed.edit("tables.py", "ge=0", "ge=-2")
    housed.did("materialize", "readings", "--from-rejects")
    assert len(housed.rows("readings")) == 12
    assert min(row[1] for row in housed.rows("readings")) == -2
    assert len(housed.did("show", "readings", "--rejects")["rows"]) == 3


def evolving(housed: Housed) -> Housed:
    """A project whose columns are about to change."""
    housed.set("")
    housed.write("tables.py", MODULE)
    housed.did("backfill")
    return housed


def test_a_nullable_column_comes_with_the_next_commit(housed: Housed) -> None:
    evolving(housed)
    housed.edit("tables.py", "    # more\n", "    weight: float = pa.Field(nullable=True)\n")
    housed.edit("tables.py", "        # computed\n", '        weight=pl.col("n") / 2,\n')

    housed.did("backfill", "numbers", "--partition", "2024-01-02")

    assert [row[3] for row in housed.rows("numbers")] == [None, 1.0, None, None]
    assert housed.counts("numbers") == {"fresh": 1, "stale": 3}


@pytest.mark.parametrize("edits", [WIDER, DROPPED], ids=["a wider dtype", "a column less"])
def test_columns_of_another_kind_are_a_migration(edits: tuple[tuple[str, str], ...], housed: Housed) -> None:
    evolving(housed)
    for old, new in edits:
        housed.edit("tables.py", old, new)
    assert "--migrate" in housed.run("backfill", "numbers").err

    done = housed.did("materialize", "numbers", "--migrate")

    assert done["status"] == "success"
    df = pl.read_delta(housed.home.table("lake/numbers"))
    assert df.sort("day")["n"].to_list() == [1, 2, 3, 4]
    assert ("note" in df.columns, df.schema["n"]) in ((True, pl.Int64), (False, pl.Int32))
    assert housed.counts("doubled") == {"stale": 4}


REGIONS = """
@dw.asset(partitions=dw.DynamicPartitions("regions"), partition_by="region")
def sales(partition: dw.Partition) -> pl.LazyFrame:
    return pl.LazyFrame({"region": [partition.key], "n": [1]})
"""


def test_keys_come_and_go_and_no_data_goes(housed: Housed) -> None:
    housed.given(REGIONS)

    housed.said("partitions", "add", "sales", "eu", "us", "São Paulo")
    housed.did("backfill")
    housed.said("partitions", "remove", "sales", "us")

    assert "us" not in housed.said("partitions", "list", "sales").split()
    assert housed.status()["sales"]["partitions"]["undefined"] == 1
    assert {row[0] for row in housed.rows("sales")} == {"eu", "us", "São Paulo"}
    housed.said("partitions", "add", "sales", "us")
    assert housed.counts("sales") == {"fresh": 3}
