"""Runs through the Python door, on real tables, while others write to them."""

from __future__ import annotations

import datetime as dt
import json
import math
import threading
from dataclasses import replace
from pathlib import Path
from threading import Event as Flag
from typing import Annotated, Any

import pandera.polars as pa
import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

import deltaworks as dw
from deltaworks import LazyFrame
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.execution.events import Event, PartitionBlocked, RunNoted
from deltaworks.engine.execution.launch import launch
from deltaworks.engine.execution.observe import observe
from deltaworks.engine.execution.report import RunReport
from deltaworks.engine.planning.graph import build_graph
from deltaworks.engine.planning.plan import DEFAULT_ONLY, Only, plan
from deltaworks.engine.planning.request import request
from deltaworks.errors import RequestError, RunError, VersionGone
from deltaworks.io.ledger import read_runs
from deltaworks.io.run_entry import RunStatus
from deltaworks.io.store import Store

days = dw.DailyPartitions(start="2024-01-01", end="2024-01-04")


class Row(pa.DataFrameModel):
    day: pl.Date
    n: int


def one(day: dt.date, n: int = 1) -> pl.DataFrame:
    return pl.DataFrame({"day": [day], "n": [n]})


def counting(before: Any = lambda partition: None) -> dw.Asset[..., Any]:
    @dw.asset(partitions=days, partition_by="day")
    def counts(partition: dw.Partition) -> LazyFrame[Row]:
        before(partition)
        return one(partition.start).lazy()

    return counts


def overwrite_outside(table: Path, day: str) -> None:
    df = one(dt.date.fromisoformat(day), n=99)
    write_deltalake(DeltaTable(str(table)), df, mode="overwrite", predicate=f"day = '{day}'")


def test_a_run_makes_tables_and_returns_what_it_did(tmp_path: Path) -> None:
    report = dw.materialize([counting()], lake=tmp_path)

    assert (report.entry.status, report.entry.materialized, report.entry.commits) == (RunStatus.SUCCESS, 3, 1)
    assert dw.read("counts", lake=tmp_path).collect()["n"].sum() == 3
    assert dw.read("counts", lake=tmp_path, partition="2024-01-02").collect().to_dicts() == [
        {"day": dt.date(2024, 1, 2), "n": 1}
    ]
    assert dw.read("counts", lake=tmp_path, version=0).collect().is_empty()
    (entry,) = read_runs(Store.at(str(tmp_path)))
    assert entry == report.entry


def test_a_partition_changed_by_somebody_else_meanwhile_is_left_alone_and_reported(tmp_path: Path) -> None:
    dw.materialize([counting()], lake=tmp_path)

    def meddle(partition: dw.Partition) -> None:
        if partition.key == "2024-01-02":
            overwrite_outside(tmp_path / "counts", "2024-01-02")

    with pytest.raises(RunError, match=r"counts: 2024-01-02 changed at version 2 while this run worked from version 1"):
        dw.materialize([counting(meddle)], lake=tmp_path)

    assert dw.read("counts", lake=tmp_path).sort("day").collect()["n"].to_list() == [1, 99, 1]
    latest = DeltaTable(str(tmp_path / "counts")).history(1)[0]["deltaworks"]
    assert latest["groups"][0]["keys"] == ["2024-01-01", "2024-01-03"]


def test_a_compaction_meanwhile_disturbs_nothing(tmp_path: Path) -> None:
    dw.materialize([counting()], lake=tmp_path)
    write_deltalake(str(tmp_path / "counts"), one(dt.date(2024, 1, 3), n=5), mode="append")

    def meddle(partition: dw.Partition) -> None:
        if partition.key == "2024-01-02":
            DeltaTable(str(tmp_path / "counts")).optimize.compact()

    dw.materialize([counting(meddle)], lake=tmp_path)

    assert dw.read("counts", lake=tmp_path).sort("day").collect()["n"].to_list() == [1, 1, 1]


def test_what_a_downstream_reads_is_pinned_in_its_record(tmp_path: Path) -> None:
    @dw.asset(partitions=days, partition_by="day")
    def window(
        counts: Annotated[LazyFrame[Row], dw.Input(mapping=dw.TimeWindowMapping(start_offset=-1))],
        partition: dw.Partition,
    ) -> LazyFrame[Row]:
        return counts.select(day=pl.lit(partition.start), n=pl.col("n").sum())

    upstream = counting()
    dw.materialize([upstream, window], lake=tmp_path)

    assert dw.read(window, lake=tmp_path).sort("day").collect()["n"].to_list() == [1, 2, 2]
    groups = DeltaTable(str(tmp_path / "window")).history(1)[0]["deltaworks"]["groups"]
    table_id = DeltaTable(str(tmp_path / "counts")).metadata().id
    pin = {"asset": "counts", "version": 1}
    assert [(group["keys"], group["inputs"]) for group in groups] == [
        (["2024-01-01"], {table_id: pin | {"members": {"counts": "1/1/2"}}}),
        (["2024-01-02", "2024-01-03"], {table_id: pin | {"members": {"counts": "all"}}}),
    ]


def test_what_others_wait_for_is_committed_while_a_long_call_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deltaworks.engine.execution.batch.BATCH_AGE_S", math.inf)
    last_is_made = threading.Event()

    @dw.asset(partitions=days, partition_by="day")
    def chain(before: dw.Previous[Row], partition: dw.Partition) -> LazyFrame[Row]:
        if partition.key == "2024-01-03":
            last_is_made.set()
        return one(partition.start).lazy()

    @dw.asset
    def long() -> pl.LazyFrame:
        assert last_is_made.wait(30), "the chain waits for this call"
        return pl.LazyFrame({"n": [1]})

    dw.materialize([chain, long], lake=tmp_path, workers=2)

    assert [run.materialized for run in read_runs(Store(tmp_path))] == [4]


def test_a_run_that_is_stopped_before_its_commits_are_checked_is_no_success(tmp_path: Path) -> None:
    stop, told = Flag(), list[Event]()
    counts = counting(lambda partition: stop.set() if partition.key == "2024-01-03" else None)

    @dw.asset_check(asset=counts, when="after")
    def positive(result: LazyFrame[Row]) -> bool:
        raise NotImplementedError

    definitions, store = dw.Definitions([counts], checks=[positive]), Store(tmp_path, durable=False)
    graph = build_graph(definitions, dt.datetime(2024, 6, 1, tzinfo=dt.UTC))
    seen = observe(graph, store)
    decided = plan(graph, seen.status, request(graph, tuple(graph.nodes)), DEFAULT_ONLY)
    now = lambda: dt.datetime.now(dt.UTC)  # noqa: E731 - a clock

    report = launch(
        definitions, graph, store, seen.tables, decided, workers=1, command="a test", environ={}, now=now,
        tell=told.append, stop=stop,
    )  # fmt: skip

    assert (report.entry.status, report.entry.materialized) == (RunStatus.CANCELED, 3)
    assert RunNoted("the run was stopped before 3 commits were checked") in told


def test_resources_take_their_values_from_the_environment_when_a_run_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Factor(dw.Resource):
        by: int

    @dw.asset
    def scaled(factor: Factor, log: dw.Logger) -> LazyFrame[Row]:
        log.info("scaling by %s", factor.by)
        return one(dt.date(2024, 1, 1), n=factor.by).lazy()

    resources = {"factor": Factor(by=dw.EnvVar("FACTOR"))}
    with pytest.raises(dw.errors.InvalidSettings, match="environment variable FACTOR, which is not set"):
        dw.materialize([scaled], lake=tmp_path, resources=resources)
    assert not list(tmp_path.iterdir()), "nothing was written"
    monkeypatch.setenv("FACTOR", "7")

    dw.materialize([scaled], lake=tmp_path, resources=resources)

    assert dw.read(scaled, lake=tmp_path).collect()["n"].to_list() == [7]


def test_eager_frames_pass_in_and_out(tmp_path: Path) -> None:
    upstream = counting()

    @dw.asset
    def total(counts: dw.DataFrame[Row]) -> dw.DataFrame[Row]:
        return one(dt.date(2024, 1, 1), n=counts.height)

    dw.materialize([upstream, total], lake=tmp_path)

    assert dw.read(total, lake=tmp_path).collect()["n"].to_list() == [3]


def test_an_asset_stays_a_function_that_can_be_called() -> None:
    @dw.asset
    def doubled(counts: dw.DataFrame[Row]) -> dw.DataFrame[Row]:
        return counts.with_columns(pl.col("n") * 2)

    assert doubled(one(dt.date(2024, 1, 1), n=4))["n"].to_list() == [8]


def test_reading_what_is_not_there_is_refused(tmp_path: Path) -> None:
    dw.materialize([counting()], lake=tmp_path)

    with pytest.raises(RequestError, match="no table 'other'"):
        dw.read("other", lake=tmp_path)
    with pytest.raises(VersionGone, match="no version 7: its versions are 0 to 1"):
        dw.read("counts", lake=tmp_path, version=7)


def backfill(lake: Path, *assets: dw.Asset[..., Any], only: frozenset[Only] = DEFAULT_ONLY) -> RunReport:
    """Run what a backfill asks for."""
    definitions = dw.Definitions(assets)
    graph = build_graph(definitions, dt.datetime(2024, 2, 1, tzinfo=dt.UTC))
    store = Store.at(str(lake))
    observation = observe(graph, store)
    decided = plan(graph, observation.status, request(graph, tuple(graph.nodes)), only)
    return launch(
        definitions,
        graph,
        store,
        observation.tables,
        decided,
        workers=2,
        command="test",
        environ={},
        now=lambda: dt.datetime.now(dt.UTC),
        tell=lambda _: None,
        stop=threading.Event(),
    )


def test_what_another_run_made_fresh_meanwhile_is_skipped(tmp_path: Path) -> None:
    def meddle(partition: dw.Partition) -> None:
        if partition.key == "2024-01-02":
            dw.materialize([asset], lake=tmp_path, partition="2024-01-02")

    asset = replace(counting(), code_version="same")
    report = backfill(tmp_path, replace(asset, function=counting(meddle).function))

    assert (report.entry.status, report.entry.materialized, report.entry.skipped) == (RunStatus.SUCCESS, 2, 1)
    (skipped,) = report.skipped
    assert (skipped.key, skipped.version, skipped.by.startswith("run ")) == ("2024-01-02", 1, True)
    assert files_beyond(tmp_path / "counts") == set()


def test_what_somebody_wrote_outside_meanwhile_is_left_as_it_is(tmp_path: Path) -> None:
    dw.materialize([counting()], lake=tmp_path)

    def meddle(partition: dw.Partition) -> None:
        if partition.key == "2024-01-02":
            overwrite_outside(tmp_path / "counts", "2024-01-02")

    report = backfill(tmp_path, counting(meddle))

    assert (report.entry.status, report.entry.materialized, report.entry.skipped) == (RunStatus.SUCCESS, 2, 1)
    assert dw.read("counts", lake=tmp_path).sort("day").collect()["n"].to_list() == [1, 99, 1]


def test_what_was_emptied_meanwhile_is_made_again(tmp_path: Path) -> None:
    dw.materialize([counting()], lake=tmp_path)
    emptied: list[int] = []

    def meddle(partition: dw.Partition) -> None:
        if partition.key == "2024-01-02" and not emptied:
            emptied.append(1)
            DeltaTable(str(tmp_path / "counts")).delete("day = '2024-01-02'")

    report = backfill(tmp_path, counting(meddle))

    assert (report.entry.status, report.entry.materialized) == (RunStatus.SUCCESS, 3)
    assert dw.read("counts", lake=tmp_path).collect()["n"].to_list() == [1, 1, 1]
    assert files_beyond(tmp_path / "counts") == set()


def test_whoever_changes_a_partition_each_time_wins_after_three_tries(tmp_path: Path) -> None:
    dw.materialize([counting()], lake=tmp_path)
    tries: list[str] = []

    def meddle(partition: dw.Partition) -> None:
        if partition.key == "2024-01-02":
            tries.append(partition.key)
            overwrite_outside(tmp_path / "counts", partition.key)

    report = backfill(tmp_path, counting(meddle), only=frozenset({Only.STALE, Only.EXTERNAL}))

    assert len(tries) == 3
    assert (report.entry.status, report.entry.failed) == (RunStatus.FAILURE, 1)
    assert "changed at version" in report.entry.failures[0].error


@pytest.mark.parametrize(("fails", "status"), [(2, RunStatus.SUCCESS), (3, RunStatus.FAILURE)])
def test_a_call_that_raises_is_tried_again_as_often_as_the_policy_says(
    tmp_path: Path, fails: int, status: RunStatus
) -> None:
    tries: list[str] = []

    def fail(partition: dw.Partition) -> None:
        if partition.key == "2024-01-02":
            tries.append(partition.key)
            if len(tries) <= fails:
                raise ConnectionError("not yet")

    policy = dw.RetryPolicy(max_retries=2, delay_s=0.01)
    report = backfill(tmp_path, replace(counting(fail), retry=policy))

    assert len(tries) == 3
    assert report.entry.status is status
    assert report.entry.materialized == (3 if status is RunStatus.SUCCESS else 2)


def test_data_that_breaks_its_contract_is_not_tried_again(tmp_path: Path) -> None:
    tries: list[str] = []

    @dw.asset(partitions=days, partition_by="day", retry=dw.RetryPolicy(max_retries=5, delay_s=0.01))
    def wrong(partition: dw.Partition) -> LazyFrame[Row]:
        tries.append(partition.key)
        return one(partition.start).with_columns(n=pl.lit("text")).lazy()

    report = backfill(tmp_path, wrong)

    assert report.entry.failed == 3
    assert len(tries) == 3


def test_what_was_deleted_before_a_call_begins_blocks_its_own_partition_of_the_range(tmp_path: Path) -> None:
    def delete(partition: dw.Partition) -> None:
        if partition.key == "2024-01-03":
            DeltaTable(str(tmp_path / "counts")).delete("day = '2024-01-02'")

    upstream = replace(counting(), code_version="same")

    @dw.asset
    def total(counts: LazyFrame[Row]) -> LazyFrame[Row]:
        return counts.select(day=pl.lit(dt.date(2024, 1, 1)), n=pl.col("n").sum())

    @dw.asset(partitions=days, partition_by="day", backfill=dw.BackfillPolicy.ranges(3))
    def below(counts: LazyFrame[Row], total: LazyFrame[Row]) -> LazyFrame[Row]:
        return counts

    dw.materialize([upstream], lake=tmp_path)
    DeltaTable(str(tmp_path / "counts")).delete("day = '2024-01-03'")

    # `total` waits for the third day, and `below` for `total`.
    report = backfill(tmp_path, replace(upstream, function=counting(delete).function), total, below)

    assert (report.entry.status, report.entry.materialized, report.entry.failed) == (RunStatus.SUCCESS, 4, 0)
    assert report.blocked == (PartitionBlocked(AssetKey("below"), "2024-01-02", "counts 2024-01-02", is_gone=True),)
    assert report.entry.skipped == 1
    assert dw.read("below", lake=tmp_path).sort("day").collect()["day"].dt.day().to_list() == [1, 3]
    assert backfill(tmp_path, upstream, total, below).entry.materialized == 5
    assert dw.read("below", lake=tmp_path).sort("day").collect()["day"].dt.day().to_list() == [1, 2, 3]


class Sale(Row):
    region: str


def test_what_reads_all_that_exists_is_blocked_where_nothing_is_left(tmp_path: Path) -> None:
    regions = dw.StaticPartitions(["eu", "us"])
    both = dw.MultiPartitions({"day": days, "region": regions})
    others_delete = tmp_path / "others delete"

    @dw.asset(partitions=both, partition_by=("day", "region"), code_version="same")
    def sales(partition: dw.Partition) -> LazyFrame[Sale]:
        if others_delete.exists():
            DeltaTable(str(tmp_path / "sales")).delete("region = 'us'")
        return one(partition.start).with_columns(region=pl.lit(partition.dimension("region").key)).lazy()

    @dw.asset
    def total(sales: LazyFrame[Sale]) -> LazyFrame[Sale]:
        return sales

    @dw.asset(partitions=regions, partition_by="region")
    def by_region(sales: LazyFrame[Sale], total: LazyFrame[Sale]) -> LazyFrame[Sale]:
        return sales

    dw.materialize([sales], lake=tmp_path)
    DeltaTable(str(tmp_path / "sales")).delete("day = '2024-01-02' and region = 'eu'")
    others_delete.touch()

    report = backfill(tmp_path, sales, total, by_region)

    assert (report.entry.status, report.entry.materialized, report.entry.failed) == (RunStatus.SUCCESS, 3, 0)
    (blocked,) = report.blocked
    assert (str(blocked.asset), blocked.key, blocked.because) == ("by_region", "us", "sales day=2024-01-01,region=us")
    assert sorted(dw.read("by_region", lake=tmp_path).collect()["region"]) == ["eu", "eu", "eu"]


def files_beyond(table: Path) -> set[str]:
    """Data files that the latest version does not name and no earlier one did either."""
    named = {
        action["add"]["path"]
        for path in (table / "_delta_log").glob("*.json")
        for action in map(json.loads, path.read_text().splitlines())
        if "add" in action
    }
    return {str(path.relative_to(table)) for path in table.rglob("*.parquet")} - named


class Loose(pa.DataFrameModel):
    day: pl.Date
    n: int
    extra: str | None

    class Config:
        strict = True


def test_a_strict_model_with_an_optional_column_can_be_made_twice(tmp_path: Path) -> None:
    @dw.asset(partitions=days, partition_by="day")
    def loose(partition: dw.Partition) -> LazyFrame[Loose]:
        return one(partition.start).with_columns(extra=pl.lit("x")).lazy()

    dw.materialize([loose], lake=tmp_path)
    report = dw.materialize([loose], lake=tmp_path)

    assert report.entry.materialized == 3


def test_a_partition_with_other_columns_costs_only_itself(tmp_path: Path) -> None:
    @dw.asset(partitions=days, partition_by="day")
    def odd(partition: dw.Partition) -> pl.LazyFrame:
        df = one(partition.start)
        return (df.with_columns(more=pl.lit(1)) if partition.key == "2024-01-02" else df).lazy()

    report = backfill(tmp_path, odd)

    assert (report.entry.materialized, report.entry.failed) == (2, 1)
    assert "column 'more'" in report.entry.failures[0].error
    assert files_beyond(tmp_path / "odd") == set()


def test_an_upstream_that_cannot_be_read_costs_only_what_is_made_from_it(tmp_path: Path) -> None:
    upstream = counting()

    @dw.asset(partitions=days, partition_by="day")
    def below(counts: LazyFrame[Row]) -> LazyFrame[Row]:
        return counts

    @dw.asset(partitions=days, partition_by="day")
    def other(partition: dw.Partition) -> LazyFrame[Row]:
        return one(partition.start).lazy()

    dw.materialize([upstream], lake=tmp_path)
    log = tmp_path / "counts" / "_delta_log"
    created = json.loads((log / f"{0:020d}.json").read_text().splitlines()[-1])["metaData"]
    schema = json.loads(created["schemaString"])
    kind = {"type": "map", "keyType": "string", "valueType": "interval", "valueContainsNull": True}
    schema["fields"].append({"name": "m", "type": kind, "nullable": True, "metadata": {}})
    action = {"metaData": {**created, "schemaString": json.dumps(schema)}}
    (log / f"{2:020d}.json").write_text(json.dumps({"commitInfo": {"timestamp": 0}}) + "\n" + json.dumps(action) + "\n")

    report = backfill(tmp_path, upstream, below, other)

    assert (report.entry.materialized, report.entry.failed) == (3, 3)
    assert all("below" in failure.error and "counts" in failure.error for failure in report.entry.failures)


def test_an_empty_list_of_partitions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="partition is empty"):
        dw.materialize([counting()], lake=tmp_path, partition=[])
    assert not list(tmp_path.iterdir())
