"""A wipe deletes content in one commit: partitions are missing, what was made from them is stale; it can be undone."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

import deltaworks as dw
from deltaworks.engine.execution.repairs.repair import Keys
from deltaworks.engine.execution.repairs.wipe import wipe
from deltaworks.engine.planning.graph import build_graph
from deltaworks.engine.planning.plan import Only
from deltaworks.errors import RequestError, TableMismatch
from deltaworks.io.ledger import read_runs
from deltaworks.io.log import SCHEME
from deltaworks.io.record import Kind
from deltaworks.io.run_entry import RunStatus
from deltaworks.io.store import Store
from deltaworks.io.table import Table
from tests.exactness.failing_store import FailingStore, Moment, Trigger

FIRST, SECOND, THIRD, FOURTH = "2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"


def test_wiped_partitions_are_missing_and_what_reads_them_is_stale(work: Any) -> None:
    done = work.wipe("numbers", FIRST, THIRD)

    assert (done.version, done.emptied, done.changed) == (2, (FIRST, THIRD), ())
    assert [row[0].day for row in work.rows("numbers")] == [2, 2, 4, 4]
    assert work.statuses("numbers") == {FIRST: "missing", SECOND: "fresh", THIRD: "missing", FOURTH: "fresh"}
    assert work.causes("numbers") == [f"wiped at version 2 by run {done.entry.run_id}"]
    assert work.statuses("doubled") == {FIRST: "stale", SECOND: "fresh", THIRD: "stale", FOURTH: "fresh"}
    assert f"data: numbers 2024-01-01 was wiped at version 2 by run {done.entry.run_id}, version 1 was read" in (
        work.causes("doubled")
    )


def test_a_backfill_makes_again_what_was_wiped(work: Any) -> None:
    rows = work.rows("numbers")
    work.wipe("numbers", FIRST)

    work.make()

    assert work.rows("numbers") == rows
    assert {
        status for name in ("numbers", "doubled", "window", "total") for status in work.statuses(name).values()
    } == {"fresh"}


def test_a_rollback_undoes_it(work: Any) -> None:
    rows = work.rows("numbers")
    work.wipe("numbers")
    assert work.rows("numbers") == []

    assert work.roll_back("numbers", 1).changed == (FIRST, SECOND, THIRD, FOURTH)
    assert work.rows("numbers") == rows


def test_a_partition_without_rows_is_wiped_as_well(work: Any) -> None:
    work.n = {}
    work.make("numbers", only=frozenset({Only.ALL}))

    assert work.wipe("numbers", FIRST).emptied == (FIRST,)
    assert work.statuses("numbers")[FIRST] == "missing"


def test_what_has_no_content_needs_nothing(work: Any) -> None:
    work.wipe("numbers", FIRST)

    done = work.wipe("numbers", FIRST)

    assert (done.entry, done.unchanged) == (None, (FIRST,))
    work.wipe("numbers")
    assert work.wipe("numbers").entry is None
    assert Table.read(work.store, "numbers").version == 3


def test_rows_beyond_the_definition_go_with_the_whole_table_or_by_name(work: Any) -> None:
    work.append_outside("numbers", "2023-12-31")
    assert work.wipe("numbers", "2023-12-31").emptied == ("2023-12-31",)
    work.append_outside("numbers", "2023-12-30")

    assert work.wipe("numbers").emptied == (FIRST, SECOND, THIRD, FOURTH, "2023-12-30")
    assert work.rows("numbers") == []


def test_a_table_without_partitions_is_wiped(work: Any) -> None:
    work.wipe("total")

    assert (work.rows("total"), work.statuses("total")) == ([], {"": "missing"})


def test_it_is_a_run_that_the_ledger_knows(work: Any) -> None:
    done = work.wipe("numbers", FIRST)

    entry = next(run for run in read_runs(work.store) if run.run_id == done.entry.run_id)
    assert (entry.kind, entry.status, entry.replaced) == (Kind.WIPE, RunStatus.SUCCESS, 1)
    latest = DeltaTable(work.store.uri("numbers")).history(1)[0]
    assert (latest["operation"], latest["deltaworks"]["kind"]) == ("DELETE", "wipe")


def test_without_a_table_there_is_nothing_to_wipe(work: Any) -> None:
    work.folder = work.folder / "nowhere"

    with pytest.raises(RequestError, match="There is no table 'numbers'"):
        work.wipe("numbers")


def test_a_partition_that_somebody_changes_meanwhile_is_left_to_them(work: Any) -> None:
    trigger = Trigger("put_new", 1, Moment.BEFORE, lambda: work.overwrite_outside("numbers", FIRST), "numbers/")

    done = work.wipe("numbers", store=FailingStore(work.store.root, False, trigger))

    assert [conflict.partitions for conflict in done.conflicts] == [(FIRST,)]
    assert (done.emptied, done.version) == ((SECOND, THIRD, FOURTH), 3)
    assert [row[1] for row in work.rows("numbers")] == [99]


# Another kind of partitions.


def by(partitions: Any) -> dw.Asset[..., Any]:
    @dw.asset(partitions=partitions, partition_by="day")
    def counts(partition: dw.Partition) -> pl.LazyFrame:
        return pl.LazyFrame({"day": [partition.start], "n": [1]})

    return counts


DAILY = by(dw.DailyPartitions(start="2024-01-01", end="2024-01-15"))
WEEKLY = by(dw.WeeklyPartitions(start="2024-01-07", end="2024-01-21"))


@pytest.fixture
def recut(work: Any, tmp_path: Path) -> Any:
    """A table by day whose asset is by week now."""
    daily = type(work)(tmp_path / "other", (DAILY,))
    daily.make()
    return type(work)(tmp_path / "other", (WEEKLY,))


def scheme(work: Any) -> str:
    return DeltaTable(work.store.uri("counts")).metadata().configuration[SCHEME]


def test_a_wiped_table_takes_the_partitions_that_its_asset_has_now(recut: Any) -> None:
    with pytest.raises(TableMismatch, match="if nothing of it is needed, `deltaworks wipe` makes it ready"):
        recut.make(only=frozenset({Only.ALL}))

    recut.wipe("counts")

    assert scheme(recut) == WEEKLY.partitions.scheme
    recut.make()
    assert sorted(row[0] for row in recut.rows("counts")) == [dt.date(2024, 1, 7), dt.date(2024, 1, 14)]
    assert set(recut.statuses("counts").values()) == {"fresh"}
    assert DeltaTable(recut.store.uri("counts")).metadata().name == "counts"


def test_an_empty_table_takes_them_too(recut: Any, work: Any) -> None:
    type(work)(recut.folder, (DAILY,)).wipe("counts")

    assert recut.wipe("counts").version == 3
    recut.make()
    assert recut.wipe("counts").emptied == ("2024-01-07", "2024-01-14")


def test_keys_of_the_other_kind_are_refused_by_name(recut: Any) -> None:
    with pytest.raises(TableMismatch, match="its partitions are"):
        recut.wipe("counts", FIRST)


def test_a_table_that_somebody_writes_to_meanwhile_keeps_its_kind(recut: Any) -> None:
    df = pl.DataFrame({"day": [dt.date(2024, 1, 3)], "n": [7]})
    trigger = Trigger(
        "put_new", 1, Moment.BEFORE, lambda: df.write_delta(recut.store.uri("counts"), mode="append"), "counts/"
    )
    before = scheme(recut)

    done = recut.wipe("counts", store=FailingStore(recut.store.root, False, trigger))

    assert [conflict.partitions for conflict in done.conflicts] == [(THIRD,)]
    assert scheme(recut) == before
    recut.wipe("counts")
    assert scheme(recut) != before


BELLS = dw.CronPartitions("0 6 * * *", "2024-01-01", "2024-01-03", timezone="Europe/Berlin")
REGIONS = dw.StaticPartitions(["us"])


@pytest.mark.parametrize(
    ("partitions", "dtype", "keys"),
    [
        (BELLS, pl.Datetime("us", "UTC"), ("2024-01-01T06:00+01:00", "2024-07-01T07:30+02:00")),
        (BELLS, pl.String(), ("2024-01-01T06:00+01:00", "2024-07-01T05:30Z")),
        (REGIONS, pl.String(), ("us", "2024-07-01T05:30Z")),
    ],
)
def test_what_lies_beyond_a_definition_is_named_as_it_would_name_it(
    tmp_path: Path, partitions: Any, dtype: pl.DataType, keys: tuple[str, str]
) -> None:
    inside, outside = (
        pl.DataFrame({"at": [keys[0]]}).select(_read(dtype), n=1),
        pl.DataFrame({"at": ["2024-07-01T05:30Z"]}).select(_read(dtype), n=2),
    )

    @dw.asset(partitions=partitions, partition_by="at")
    def bells() -> pl.LazyFrame:
        return inside.lazy()

    assert _wiped_beyond(bells, tmp_path, outside) == keys


def test_what_lies_beyond_several_dimensions_is_named_as_they_would_name_it(tmp_path: Path) -> None:
    cut = dw.MultiPartitions({"at": BELLS, "region": REGIONS})
    times = [dt.datetime(2024, 1, 1, 5, tzinfo=dt.UTC), dt.datetime(2024, 7, 1, 5, 30, tzinfo=dt.UTC)]
    rows = pl.DataFrame(
        {"at": times, "region": ["us", "a,b"], "n": [1, 2]}, schema_overrides={"at": pl.Datetime("us", "UTC")}
    )

    @dw.asset(partitions=cut, partition_by=["at", "region"])
    def sales() -> pl.LazyFrame:
        return rows.head(1).lazy()

    keys = ("at=2024-01-01T06:00+01:00,region=us", "at=2024-07-01T07:30+02:00,region=a%2Cb")
    assert _wiped_beyond(sales, tmp_path, rows.tail(1)) == keys


def _read(dtype: pl.DataType) -> pl.Expr:
    return pl.col("at") if dtype == pl.String else pl.col("at").str.to_datetime(time_zone="UTC", time_unit="us")


def _wiped_beyond(asset: Any, lake: Path, outside: pl.DataFrame) -> tuple[str, ...]:
    """Make the first partition, let others write rows beyond the definition, wipe all; return the keys."""
    graph = build_graph(dw.Definitions([asset]), dt.datetime.now(dt.UTC))
    node = graph.node(str(asset.key))
    dw.materialize([asset], lake=lake, partition=node.partitions.key(0))
    write_deltalake(str(lake / str(asset.key)), outside, mode="append")

    done = wipe(graph, node, Store(lake), Keys(), command="wipe", now=lambda: dt.datetime.now(dt.UTC))

    assert pl.read_delta(str(lake / str(asset.key))).is_empty()
    return done.emptied
