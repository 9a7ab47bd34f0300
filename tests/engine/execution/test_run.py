"""Runs through the Python door, on real tables, while others write to them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated, Any

import pandera.polars as pa
import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

import deltaworks as dw
from deltaworks import LazyFrame
from deltaworks.errors import RequestError, RunError, VersionGone
from deltaworks.io.ledger import RunStatus, read_runs
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
    (group,) = DeltaTable(str(tmp_path / "window")).history(1)[0]["deltaworks"]["groups"]
    table_id = DeltaTable(str(tmp_path / "counts")).metadata().id
    assert group["inputs"] == {table_id: {"asset": "counts", "version": 1}}


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
