"""A migration that dies at any call of its store leaves the former table or the new one, and nothing between."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event as Flag

import pandera.polars as pa
import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

import deltaworks as dw
from deltaworks import LazyFrame
from deltaworks.engine.execution.entry import begin_entry
from deltaworks.engine.execution.events import Event, EventSink, RunNoted
from deltaworks.engine.execution.launch import launch
from deltaworks.engine.execution.observe import observe
from deltaworks.engine.execution.repairs.migrate import migrate
from deltaworks.engine.execution.report import RunReport
from deltaworks.engine.planning.graph import AssetGraph, build_graph
from deltaworks.engine.planning.plan import Only, plan
from deltaworks.engine.planning.request import request
from deltaworks.engine.planning.status import Status
from deltaworks.errors import StorageError
from deltaworks.io.run_entry import RunStatus
from deltaworks.io.store import Store
from deltaworks.io.tickets import Line, Ticket
from tests.exactness.failing_store import METHODS, Crash, FailingStore, Moment, Trigger

NOW = dt.datetime(2024, 6, 1, tzinfo=dt.UTC)
START = dt.date(2024, 1, 1)
days = dw.DailyPartitions(start=START, end=START + dt.timedelta(days=4))


class Narrow(pa.DataFrameModel):
    day: pl.Date
    n: pl.Int32
    gone: str


class Wide(pa.DataFrameModel):
    day: pl.Date
    n: int

    class Config:
        strict = True


def definitions(*, wide: bool) -> dw.Definitions:
    """One asset of four days, the last without rows, before and after its columns change."""

    def rows(partition: dw.Partition) -> pl.LazyFrame:
        df = pl.DataFrame({"day": [partition.start] * 2, "n": [partition.start.day, 100]}).head(
            0 if partition.key == "2024-01-04" else 2
        )
        return df.lazy().with_columns(pl.col("n").cast(pl.Int64 if wide else pl.Int32))

    if wide:

        @dw.asset(name="daily", partitions=days, partition_by="day")
        def widened(partition: dw.Partition) -> LazyFrame[Wide]:
            return rows(partition)

        return dw.Definitions([widened])

    @dw.asset(name="daily", partitions=days, partition_by="day")
    def daily(partition: dw.Partition) -> LazyFrame[Narrow]:
        return rows(partition).with_columns(gone=pl.lit("x"))

    return dw.Definitions([daily])


AFTER = definitions(wide=True)
GRAPH: AssetGraph = build_graph(AFTER, NOW)
OUTSIDE = pl.DataFrame(
    {"day": [START + dt.timedelta(days=1)], "n": [7], "gone": ["y"]}, schema_overrides={"n": pl.Int32}
)
OLD = pl.DataFrame(
    {
        "day": [START, START, START + dt.timedelta(days=1), START + dt.timedelta(days=2), START + dt.timedelta(days=2)],
        "n": pl.Series([1, 100, 7, 3, 100], dtype=pl.Int32),
        "gone": ["x", "x", "y", "x", "x"],
    }
)
NEW = OLD.select("day", pl.col("n").cast(pl.Int64))


def run(store: Store, tell: EventSink = lambda _: None) -> RunReport:
    return migrate(
        AFTER,
        GRAPH,
        GRAPH.node("daily"),
        store,
        workers=1,
        entry=begin_entry("a test", NOW),
        environ={},
        now=lambda: NOW,
        tell=tell,
        stop=Flag(),
    )


def read(lake: Path) -> pl.DataFrame:
    return pl.read_delta(str(lake / "daily")).sort("day", "n")


def statuses(lake: Path) -> list[str]:
    found = observe(GRAPH, Store(lake, durable=False)).status[GRAPH.node("daily").key]
    return [Status(value).word for value in found.status]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake whose table has the former columns, with a day that others wrote."""
    lake = tmp_path_factory.mktemp("template") / "lake"
    dw.materialize(definitions(wide=False).assets, lake=lake)
    write_deltalake(str(lake / "daily"), OUTSIDE, mode="overwrite", predicate="day = '2024-01-02'")
    assert read(lake).equals(OLD)
    return lake


@pytest.fixture(scope="module")
def calls(template: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """How often an undisturbed migration calls each method."""
    lake, trigger = tmp_path_factory.mktemp("sound") / "lake", Trigger("", 0, Moment.BEFORE)
    shutil.copytree(template, lake)
    assert run(FailingStore(lake, False, trigger)).entry.status is RunStatus.SUCCESS
    assert read(lake).equals(NEW)
    assert statuses(lake) == ["fresh", "external", "fresh", "fresh"]
    return trigger.calls


def deaths(calls: int, method: str) -> Iterator[int]:
    """The calls at which the process dies: each of those that write, some of the others."""
    step = 1 if method in ("put", "put_new", "delete", "sync_file", "sync_folders") else 4
    yield from range(1, calls + 1, step)


@pytest.mark.parametrize(
    ("method", "moment"),
    [
        (method, moment)
        for method in METHODS
        for moment in Moment
        if moment is not Moment.WITHIN or method in ("put", "put_new")
    ],
)
def test_a_death_leaves_one_table_or_the_other_and_the_next_migration_makes_the_new_one(
    method: str, moment: Moment, calls: dict[str, int], template: Path, tmp_path: Path
) -> None:
    for number in deaths(calls.get(method, 0), method):
        lake = tmp_path / f"{number}"
        shutil.copytree(template, lake)
        with pytest.raises(Crash):
            run(FailingStore(lake, False, Trigger(method, number, moment)))

        found = read(lake)
        is_new = found.columns == NEW.columns
        assert found.equals(NEW if is_new else OLD), f"at call {number}"
        assert statuses(lake) == (["fresh"] if is_new else ["stale"]) + ["external"] + (
            ["fresh", "fresh"] if is_new else ["stale", "stale"]
        )
        assert run(Store(lake, durable=False)).entry.status is RunStatus.SUCCESS
        assert read(lake).equals(NEW)
        assert statuses(lake) == ["fresh", "external", "fresh", "fresh"]


def raced(lake: Path, template: Path, act: Callable[[], None]) -> RunReport:
    """Migrate while somebody does something just before the commit is put."""
    shutil.copytree(template, lake)
    return run(FailingStore(lake, False, Trigger("put_new", 1, Moment.BEFORE, act, "daily/")))


def test_what_others_write_meanwhile_is_not_lost_and_both_versions_are_named(template: Path, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    third = OUTSIDE.with_columns(day=START + dt.timedelta(days=2))

    report = raced(lake, template, lambda: write_deltalake(str(lake / "daily"), third, mode="append"))

    assert report.entry.status is RunStatus.FAILURE
    assert {failure.error.partition(";")[0] for failure in report.entry.failures} == {
        "daily: the whole table changed at version 3 while this run worked from version 2"
    }
    assert read(lake).equals(pl.concat([OLD, third]).sort("day", "n"))
    assert len(list((lake / "daily").rglob("*.parquet"))) == 5, "what was staged is gone"


def test_what_others_write_while_a_migration_waits_for_its_turn_is_carried_over(template: Path, tmp_path: Path) -> None:
    lake, store = tmp_path / "lake", Store(tmp_path / "lake", durable=False)
    shutil.copytree(template, lake)
    theirs = Ticket("theirs", "theirs", NOW.isoformat(), "elsewhere", "", facts={"daily": [["2024-01-01"] * 2]})
    line = Line(store, "work")
    assert line.ask(theirs, lambda _: True)
    beyond, third = (OUTSIDE.with_columns(day=START + dt.timedelta(days=days)) for days in (31, 2))

    def end_of_theirs(event: Event) -> None:
        if isinstance(event, RunNoted) and "is queued" in event.note:
            write_deltalake(str(lake / "daily"), beyond, mode="append")
            write_deltalake(str(lake / "daily"), third, mode="overwrite", predicate="day = '2024-01-03'")
            line.leave(theirs)

    report = run(store, end_of_theirs)

    assert report.entry.status is RunStatus.SUCCESS
    written = pl.concat([OLD.filter(pl.col("day") != START + dt.timedelta(days=2)), third, beyond])
    assert read(lake).equals(written.select(NEW.columns).cast({"n": pl.Int64}).sort("day", "n"))
    assert statuses(lake) == ["fresh", "external", "external", "fresh"]


def test_what_others_say_of_the_table_meanwhile_is_not_lost_either(template: Path, tmp_path: Path) -> None:
    lake = tmp_path / "lake"

    report = raced(
        lake, template, lambda: DeltaTable(str(lake / "daily")).alter.set_column_metadata("n", {"comment": "theirs"})
    )

    assert report.entry.status is RunStatus.FAILURE
    assert read(lake).equals(OLD)


def compact(lake: Path) -> None:
    DeltaTable(str(lake / "daily")).optimize.compact()


def test_rows_that_others_only_move_meanwhile_are_replaced_where_they_lie(template: Path, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    twice = tmp_path / "twice"
    shutil.copytree(template, twice)
    write_deltalake(str(twice / "daily"), OUTSIDE.with_columns(n=pl.lit(8, pl.Int32)), mode="append")

    report = raced(lake, twice, lambda: compact(lake))

    assert report.entry.status is RunStatus.SUCCESS
    assert read(lake)["n"].to_list() == [1, 100, 7, 8, 3, 100]
    assert statuses(lake) == ["fresh", "external", "fresh", "fresh"]


# A column that may be null comes with an ordinary commit, and others may bring the same one at the same time.


def with_a_column(dtype: pl.DataType) -> dw.Definitions:
    @dw.asset(name="daily", partitions=days, partition_by="day")
    def daily(partition: dw.Partition) -> pl.LazyFrame:
        df = pl.DataFrame({"day": [partition.start], "n": [0], "gone": ["z"], "more": [partition.start.day]})
        return df.lazy().with_columns(pl.col("n").cast(pl.Int32), pl.col("more").cast(dtype))

    return dw.Definitions([daily])


def remake(store: Store, defined: dw.Definitions, key: str) -> RunReport:
    """Make one day as it is defined now, whatever its status."""
    graph, only = build_graph(defined, NOW), frozenset({Only.ALL})
    seen = observe(graph, store)
    return launch(
        defined,
        graph,
        store,
        seen.tables,
        plan(graph, seen.status, request(graph, tuple(graph.nodes), [key]), only),
        workers=1,
        command="a test",
        environ={},
        now=lambda: NOW,
        tell=lambda _: None,
        stop=Flag(),
    )


def remade_at_once(lake: Path, theirs: pl.DataType) -> RunReport:
    """Make the first day, with a new column of whole numbers, while others make the third, with one of theirs."""

    def others() -> None:
        assert remake(Store(lake, durable=False), with_a_column(theirs), "2024-01-03").entry.commits == 1

    store = FailingStore(lake, False, Trigger("put_new", 1, Moment.BEFORE, others, "daily/"))
    return remake(store, with_a_column(pl.Int64()), "2024-01-01")


def test_two_runs_that_add_the_same_column_both_land(template: Path, tmp_path: Path) -> None:
    shutil.copytree(template, tmp_path / "lake")

    report = remade_at_once(tmp_path / "lake", pl.Int64())

    assert report.entry.status is RunStatus.SUCCESS
    assert read(tmp_path / "lake").select("n", "gone", "more").rows() == [(0, "z", 1), (7, "y", None), (0, "z", 3)]
    log = tmp_path / "lake" / "daily" / "_delta_log"
    assert sum('{"metaData"' in path.read_text("utf-8") for path in log.glob("*.json")) == 2


def test_of_two_runs_that_disagree_about_a_column_the_second_is_refused(template: Path, tmp_path: Path) -> None:
    shutil.copytree(template, tmp_path / "lake")

    report = remade_at_once(tmp_path / "lake", pl.String())

    (failure,) = report.entry.failures
    assert "column 'more' is String instead of Int64. Nothing was written." in failure.error
    assert read(tmp_path / "lake")["more"].to_list() == [None, None, None, "3"]
    assert len(list((tmp_path / "lake" / "daily").glob("day=*/*.parquet"))) == 5, "what was staged is gone"


@pytest.mark.parametrize("method", ["put_new", "sync_folders", "size_bytes", "put"])
@pytest.mark.parametrize("moment", [Moment.BEFORE, Moment.AFTER])
def test_a_commit_that_adds_a_column_and_dies_has_added_it_with_its_rows_or_not_at_all(
    method: str, moment: Moment, template: Path, tmp_path: Path
) -> None:
    sound = Trigger("", 0, Moment.BEFORE)
    shutil.copytree(template, tmp_path / "sound")
    remake(FailingStore(tmp_path / "sound", False, sound), with_a_column(pl.Int64()), "2024-01-01")
    for number in range(1, sound.calls[method] + 1):
        lake = tmp_path / f"{number}"
        shutil.copytree(template, lake)
        with pytest.raises(Crash):
            remake(FailingStore(lake, False, Trigger(method, number, moment)), with_a_column(pl.Int64()), "2024-01-01")

        found = read(lake)
        is_new = "more" in found.columns
        assert found.select(OLD.columns).equals(OLD) is not is_new
        if is_new:
            assert found["more"].to_list() == [1, None, None, None]
            continue
        assert remake(Store(lake, durable=False), with_a_column(pl.Int64()), "2024-01-01").entry.commits == 1
        assert read(lake)["more"].to_list() == [1, None, None, None]


def test_a_store_that_refuses_leaves_the_table_as_it_was(template: Path, tmp_path: Path) -> None:
    def refuse() -> None:
        raise StorageError("the disk is full")

    report = raced(tmp_path / "lake", template, refuse)

    assert report.entry.status is RunStatus.FAILURE
    assert read(tmp_path / "lake").equals(OLD)
