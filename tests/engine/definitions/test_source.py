"""Sources: what may be observed, which files are meant, and what is refused with its place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import deltaworks as dw
from deltaworks.engine.definitions.asset import AssetKind
from deltaworks.engine.definitions.files import read_files
from deltaworks.errors import InvalidDefinition
from deltaworks.validation import declare

days = dw.DailyPartitions(start="2013-01-01", end="2013-02-01")


def version() -> int:
    return 1


def test_a_source_stays_a_plain_function() -> None:
    @dw.observable_source(partitions=days, group="raw", owners=["team:ops"], tags={"tier": "bronze"})
    def orders(log: dw.Logger) -> Mapping[str, int]:
        """Orders, by day."""
        return {"2013-01-01": 1}

    assert (orders.kind, str(orders.key), orders.group, orders.description) == (
        AssetKind.SOURCE,
        "orders",
        "raw",
        "Orders, by day.",
    )
    assert orders(None) == {"2013-01-01": 1}  # type: ignore[arg-type]


def test_one_without_parentheses_and_one_by_another_name() -> None:
    @dw.observable_source
    def rates() -> str:
        return "v1"

    @dw.observable_source(name="raw/rates", location="old/rates")
    def others() -> int:
        return 1

    assert [str(rates.key), str(others.key), others.table_name] == ["rates", "raw/rates", "old/rates"]


@pytest.mark.parametrize("partitions", [None, days])
@pytest.mark.parametrize("has_files", [True, False])
def test_readers_are_checked_against_the_columns_of_a_source(partitions: Any, has_files: bool) -> None:
    source: Any
    if has_files:
        source = dw.file_source("s", "*.csv", partitions=partitions, key=None if partitions is None else "(.*)")
    else:
        source = dw.observable_source(name="s", partitions=partitions)(version)

    declared = declare(source.model)
    names = ["partition", "path", "version", "observed_at"] if has_files else ["partition", "version", "observed_at"]
    assert list(declared.schema()) == names
    assert declared.schema()["observed_at"] == pl.Datetime("us", "UTC")
    assert [column.name for column in declared.columns if column.nullable] == ([] if partitions else ["partition"])


def test_calling_a_file_source_tells_the_key_of_a_path() -> None:
    trips = dw.file_source("trips", "data/*/*.csv", partitions=days, key=r"^(?P<key>[\d-]+)/(.*)")
    monthly = dw.file_source(
        "monthly", "*.csv", partitions=dw.MonthlyPartitions(start="2013-01-01"), key=lambda path: f"{path[:7]}-01"
    )

    assert [trips("2013-01-01/a.csv"), trips("x/a.csv"), monthly("2013-05.csv")] == ["2013-01-01", None, "2013-05-01"]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"partitions": "daily"}, "partitions must be a definition such as"),
        ({"name": "../up"}, "asset key '../up' has the part"),
        ({"location": "/etc"}, "must be a folder below the lake"),
    ],
)
def test_a_source_that_makes_no_sense_is_refused(arguments: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidDefinition, match=problem) as refused:

        @dw.observable_source(**arguments)
        def wrong() -> str:
            return ""

    assert refused.value.where is not None
    assert refused.value.where.file == __file__


def test_a_source_is_made_from_nothing() -> None:
    with pytest.raises(InvalidDefinition, match="argument 'flights' is a frame, but a source is made from nothing"):

        @dw.observable_source
        def from_frame(flights: pl.LazyFrame) -> str:
            return ""

    with pytest.raises(InvalidDefinition, match="argument 'partition' is a Partition, but one call tells"):

        @dw.observable_source(partitions=days)
        def by_partition(partition: dw.Partition) -> dict[str, str]:
            return {}

    with pytest.raises(InvalidDefinition, match="decorates a plain function"):

        @dw.observable_source
        async def later() -> str:
            return ""


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"partitions": days}, "partitions is given, but not key"),
        ({"key": "(.*)"}, "key is given, but not partitions"),
        ({"partitions": days, "key": "("}, "is no regular expression"),
        ({"partitions": days, "key": ".*"}, "has 0 groups"),
        ({"partitions": days, "key": "(a)(b)"}, "has 2 groups"),
        ({"pattern": "data/"}, "must name files"),
        ({"pattern": "[z-a].csv"}, "brackets that make no sense"),
        ({"pattern": "s3://bucket"}, "must name files"),
        ({"pattern": "s3://*/a.csv"}, "must name files"),
        ({"pattern": "a/*/../b.csv"}, "must name files"),
        ({"pattern": "ftp://host/*.csv"}, "must be a path or begin with"),
    ],
)
def test_files_that_make_no_sense_are_refused(arguments: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidDefinition, match=problem) as refused:
        dw.file_source("files", **{"pattern": "*.csv", **arguments})

    assert refused.value.where is not None
    assert refused.value.where.file == __file__


@pytest.mark.parametrize(
    ("pattern", "base", "below"),
    [
        ("*.csv", "/project", "*.csv"),
        ("data/a.csv", "/project/data", "a.csv"),
        ("data/**/b?/[ab]*.csv", "/project/data", "**/b?/[ab]*.csv"),
        ("/data/x y/*", "/data/x y", "*"),
        ("file:///data/x%20y/*", "/data/x y", "*"),
        ("s3://bucket/*.csv", "s3://bucket", "*.csv"),
        ("s3://bucket/pre fix/é/**", "s3://bucket/pre fix/é", "**"),
        ("gs://bucket/a.csv", "gs://bucket", "a.csv"),
    ],
)
def test_a_pattern_begins_with_a_folder_that_is_listed(pattern: str, base: str, below: str) -> None:
    files = read_files(pattern, Path("/project"), None)

    assert (files.base, files.below) == (base, below)
    assert files.whole("x.csv") == f"{base}/x.csv"


@pytest.mark.parametrize(
    ("pattern", "meant", "others"),
    [
        ("*.csv", ["a.csv", "é 1%.csv", "a\nb.csv"], [".a.csv", "b/a.csv", "a.csvx", "a_csv"]),
        ("?.csv", ["a.csv"], ["ab.csv", ".csv", "/.csv"]),
        ("[a-c!]?.csv", ["b1.csv", "!1.csv"], ["d1.csv"]),
        ("[!a]*.csv", ["b.csv"], ["a.csv", ".csv"]),
        ("[]]*.csv", ["].csv"], ["a.csv"]),
        ("**/*.csv", ["a.csv", "b/a.csv", "b/c/a.csv"], [".b/a.csv", "b/.c/a.csv", "b/.a.csv"]),
        ("*/**/x.csv", ["a/x.csv", "a/b/x.csv"], ["x.csv", "a/b/y.csv"]),
        ("**", ["a", "b/a"], [".a"]),
        ("a.b+c(1)*", ["a.b+c(1)2"], ["aXb+c(1)2"]),
        (".hidden*", [".hidden.csv"], ["hidden.csv"]),
    ],
)
def test_wildcards_mean_what_they_mean_in_a_shell(pattern: str, meant: list[str], others: list[str]) -> None:
    files = read_files(f"/base/*/{pattern}", Path("/"), None)

    assert [path for path in meant if not files.matches(f"x/{path}")] == []
    assert [path for path in others if files.matches(f"x/{path}")] == []
