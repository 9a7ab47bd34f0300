"""What reads other partitions than it did, though none of them changed, since a definition now has more or fewer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

import deltaworks as dw
from tests.acceptance.lake import Lake

REGROUPED = "data: it is made from other partitions of source than were read"


def days(start: str, end: str) -> dw.DailyPartitions:
    return dw.DailyPartitions(start, end)


def assets(source_partitions: Any, partitions: Any, **options: Any) -> tuple[dw.Asset[..., Any], dw.Asset[..., Any]]:
    """A source with one row a partition, and a table that counts them."""
    names = _columns(source_partitions)
    read_names = _columns(partitions)

    @dw.asset(name="source", partitions=source_partitions, partition_by=names, code_version="1")
    def source(partition: dw.Partition) -> pl.LazyFrame:
        return pl.LazyFrame({**_values(partition, names), "n": [1]})

    @dw.asset(name="read", partitions=partitions, partition_by=read_names, code_version="1")
    def read(source: Annotated[pl.LazyFrame, dw.Input(**options)], partition: dw.Partition) -> pl.LazyFrame:
        values = [pl.lit(value[0]).alias(name) for name, value in _values(partition, read_names).items()]
        return source.select(*values, n=pl.col("n").sum())

    return source, read


def _columns(partitions: Any) -> Any:
    return partitions.names if isinstance(partitions, dw.MultiPartitions) else ("key",)


def _values(partition: dw.Partition, names: Any) -> dict[str, list[str]]:
    return {name: [partition.dimension(name).key if len(names) > 1 else partition.key] for name in names}


def status(lake: Path, *defined: dw.Asset[..., Any]) -> str:
    """One letter for each partition of `read`, which is stale for nothing else."""
    found = Lake(lake, *defined)
    assert found.causes("read") <= {REGROUPED}
    return found.status("read")[0]


def cube(start: str, *regions: str) -> dw.MultiPartitions:
    return dw.MultiPartitions({"day": days(start, "2024-01-05"), "region": dw.StaticPartitions(regions)})


def named(key: str) -> list[str]:
    return {"x": ["a"], "y": ["a", "b"]}[key]


HOURS = dw.HourlyPartitions("2024-01-01T00:00", "2024-01-03T00:00")


@pytest.mark.parametrize(
    ("fewer", "more", "partitions", "options", "expected"),
    [
        (
            days("2024-01-03", "2024-01-08"),
            days("2024-01-01", "2024-01-08"),
            days("2024-01-03", "2024-01-08"),
            {"mapping": dw.TimeWindowMapping(-2, 0)},
            "ssfff",
        ),
        (
            days("2024-01-01", "2024-01-04"),
            days("2024-01-01", "2024-01-05"),
            days("2024-01-01", "2024-01-04"),
            {"mapping": dw.TimeWindowMapping(0, 1)},
            "ffs",
        ),
        (
            days("2023-12-20", "2024-02-05"),
            days("2023-12-10", "2024-02-10"),
            dw.MonthlyPartitions("2023-12-01", "2024-03-01"),
            {},
            "sfs",
        ),
        (
            dw.HourlyPartitions("2024-01-01T05:00", "2024-01-03T00:00"),
            HOURS,
            days("2024-01-01", "2024-01-03"),
            {"mapping": dw.TimeWindowMapping(-1, 0)},
            "sf",
        ),
        (
            days("2024-01-02", "2024-01-04"),
            days("2024-01-01", "2024-01-04"),
            days("2024-01-01", "2024-01-04"),
            {"allow_missing": True},
            "sff",
        ),
        (
            cube("2024-01-01", "us", "eu"),
            cube("2024-01-01", "us", "eu", "asia"),
            days("2024-01-01", "2024-01-05"),
            {},
            "ssss",
        ),
        (
            cube("2024-01-01", "us"),
            dw.MultiPartitions({"day": days("2024-01-01", "2024-01-06"), "region": dw.StaticPartitions(["us"])}),
            dw.StaticPartitions(["us"]),
            {"mapping": dw.MultiMapping({"day": dw.LastPartitionMapping()})},
            "s",
        ),
        (
            cube("2024-01-02", "us", "eu"),
            cube("2024-01-01", "us", "eu"),
            dw.MultiPartitions({"region": dw.StaticPartitions(["eu", "us"]), "day": days("2024-01-02", "2024-01-05")}),
            {"mapping": dw.TimeWindowMapping(-1, 0)},
            "sffsff",
        ),
        (
            dw.StaticPartitions(["a"]),
            dw.StaticPartitions(["a", "b"]),
            dw.StaticPartitions(["x", "y"]),
            {"mapping": named, "allow_missing": True},
            "fs",
        ),
    ],
)
def test_more_and_fewer_old_partitions_make_stale_what_reads_them(
    tmp_path: Path, fewer: Any, more: Any, partitions: Any, options: Any, expected: str
) -> None:
    small, large = (assets(each, partitions, **options) for each in (fewer, more))
    dw.materialize(large[:1], lake=tmp_path)
    dw.materialize(small, lake=tmp_path)
    assert set(status(tmp_path, *small)) == {"f"}

    assert status(tmp_path, *large) == expected

    dw.materialize(large, lake=tmp_path)
    assert set(status(tmp_path, *large)) == {"f"}
    assert status(tmp_path, *small) == expected


def test_partitions_that_are_not_there_yet_change_nothing(tmp_path: Path) -> None:
    window = {"mapping": dw.TimeWindowMapping(-2, 0)}
    for number, options in enumerate((window, window | {"allow_missing": True})):
        lake, read = tmp_path / str(number), days("2024-01-03", "2024-01-06")
        dw.materialize(assets(days("2024-01-03", "2024-01-06"), read, **options), lake=lake)

        assert status(lake, *assets(days("2024-01-01", "2024-01-06"), read, **options)) == "fff"

    lake, read = tmp_path / "cube", days("2024-01-01", "2024-01-05")
    dw.materialize(assets(cube("2024-01-01", "us"), read), lake=lake)
    assert status(lake, *assets(cube("2024-01-01", "us", "eu"), read)) == "ffff"


def test_one_in_the_place_of_another_is_seen(tmp_path: Path) -> None:
    read = days("2024-01-01", "2024-01-05")
    dw.materialize(assets(cube("2024-01-01", "us", "eu", "asia"), read)[:1], lake=tmp_path)
    dw.materialize(assets(cube("2024-01-01", "us", "eu"), read), lake=tmp_path)

    assert status(tmp_path, *assets(cube("2024-01-01", "us", "asia"), read)) == "ssss"


@pytest.mark.parametrize(
    ("partitions", "options"),
    [
        (days("2024-01-01", "2024-01-04"), {"allow_missing": True}),
        (days("2024-01-01", "2024-01-04"), {"mapping": dw.TimeWindowMapping(-1, 0), "allow_missing": True}),
        (dw.StaticPartitions(["all"]), {}),
    ],
)
def test_what_came_and_went_changes_nothing(tmp_path: Path, partitions: Any, options: Any) -> None:
    lake = Lake(tmp_path, *assets(days("2024-01-01", "2024-01-04"), partitions, **options))
    lake.run(lake.plan("source", named=("2024-01-01", "2024-01-03")))
    lake.run(lake.plan("read"))
    table = str(tmp_path / "source")

    write_deltalake(table, pl.DataFrame({"key": ["2024-01-02"], "n": [5]}), mode="append")
    came, _ = lake.status("read")
    DeltaTable(table).delete("key = '2024-01-02'")
    went, _ = lake.status("read")
    DeltaTable(table).delete("key = '2024-01-03'")

    assert "s" in came
    assert set(went) == {"f"}
    assert lake.status("read")[0][-1] == "s"


def test_a_batch_is_one_group_but_for_what_is_cut(tmp_path: Path) -> None:
    months = dw.MonthlyPartitions("2023-01-01", "2024-01-01")
    year = days("2023-01-10", "2024-01-01")
    lakes = [
        Lake(tmp_path / name, *assets(year, partitions))
        for name, partitions in (("months", months), ("days", days("2023-01-10", "2023-02-10")))
    ]

    for lake in lakes:
        lake.run(lake.plan("source"))
        lake.run()
    groups = _groups(tmp_path / "months")

    assert [len(group["keys"]) for group in groups] == [1, 11]
    assert [pin["members"] for group in groups for pin in group["inputs"].values()] == [
        {"source": f"22/22/{2 * 9 * 24 * 3_600_000_000}"},
        {"source": "all"},
    ]
    (group,) = _groups(tmp_path / "days")
    assert [list(pin) for pin in group["inputs"].values()] == [["asset", "version"]]


def _groups(lake: Path) -> list[Any]:
    (commit,) = (lake / "read" / "_delta_log").glob("*1.json")
    lines = map(json.loads, commit.read_text(encoding="utf-8").splitlines())
    return next(line["commitInfo"]["deltaworks"]["groups"] for line in lines if "commitInfo" in line)
