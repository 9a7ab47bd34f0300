"""`partitions`: keys are listed, added and removed; what cannot be is refused before anything is written."""

from __future__ import annotations

from typing import Any

import pytest

TABLES = """
import pandera.polars as pa
import polars as pl
import deltaworks as dw
from deltaworks import LazyFrame

regions = dw.DynamicPartitions("regions")
days = dw.DailyPartitions("2024-01-01", "2024-01-03")

class Row(pa.DataFrameModel):
    region: str
    n: int

class Numbered(pa.DataFrameModel):
    number: pl.Int8

@dw.asset(partitions=regions, partition_by="region")
def sales(partition: dw.Partition) -> LazyFrame[Row]:
    return pl.LazyFrame({"region": [partition.key], "n": [1]})

@dw.asset(partitions=dw.DynamicPartitions.from_column(sales, "region"), partition_by="region")
def report(sales: LazyFrame[Row]) -> LazyFrame[Row]:
    return sales

@dw.asset(partitions=dw.MultiPartitions({"day": days, "region": regions}), partition_by={"day": "d"})
def both(partition: dw.Partition) -> pl.LazyFrame:
    return pl.LazyFrame({"d": [partition.start], "region": [partition.dimension("region").key]})

@dw.asset(partitions=dw.MultiPartitions({"from_": regions, "to": dw.DynamicPartitions("ports")}))
def routes() -> pl.LazyFrame: ...

@dw.asset(partitions=dw.DynamicPartitions("numbers"), partition_by="number")
def numbers() -> LazyFrame[Numbered]: ...

@dw.asset(partitions=dw.StaticPartitions([f"k{n}" for n in range(1200)]), partition_by="k")
def many() -> pl.LazyFrame: ...

@dw.asset
def whole() -> pl.LazyFrame: ...
"""


@pytest.fixture
def regions(shell: Any) -> Any:
    (shell.folder / "tables.py").write_text(TABLES)
    return shell


def test_keys_are_added_listed_and_removed(regions: Any) -> None:
    added = regions.run("partitions", "add", "sales", "us", "São Paulo / 100%", "--json")
    again = regions.run("partitions", "add", "sales", "us", "eu", "--json")
    removed = regions.run("partitions", "remove", "sales", "eu", "mars", "--json")
    listed = regions.run("partitions", "list", "sales", "--json")

    assert (added.code, again.code, removed.code, listed.code) == (0, 0, 0, 0)
    assert added.json == {
        "asset": "sales",
        "partitions": ["São Paulo / 100%", "us"],
        "added": ["us", "São Paulo / 100%"],
        "known": [],
    }
    assert (again.json["added"], again.json["known"]) == (["eu"], ["us"])
    assert (removed.json["removed"], removed.json["unknown"]) == (["eu"], ["mars"])
    assert removed.json["partitions"] == listed.json["partitions"] == ["São Paulo / 100%", "us"]


def test_people_are_told_what_happened_and_that_no_data_goes(regions: Any) -> None:
    added = regions.run("partitions", "add", "sales", "us", "eu")
    again = regions.run("partitions", "add", "sales", "us")
    removed = regions.run("partitions", "remove", "sales", "us", "mars")
    unchanged = regions.run("partitions", "remove", "sales", "mars")

    assert added.lines == ["added: us, eu", "sales has 2 keys now"]
    assert again.lines == ["there already: us", "sales has 2 keys now"]
    assert removed.lines == [
        "removed: us",
        "not there: mars",
        "sales has 1 key now",
        "No data was deleted: rows that are there stay, and `deltaworks status` counts them as undefined.",
    ]
    assert unchanged.lines == ["not there: mars", "sales has 1 key now"]


def test_assets_that_share_keys_get_them_too(regions: Any) -> None:
    regions.run("partitions", "add", "both", "us", "a,b")

    assert regions.run("partitions", "list", "sales", "--json").json["partitions"] == ["a,b", "us"]
    assert regions.run("partitions", "list", "both", "--json").json["partitions"] == [
        "day=2024-01-01,region=a%2Cb",
        "day=2024-01-01,region=us",
        "day=2024-01-02,region=a%2Cb",
        "day=2024-01-02,region=us",
    ]


def test_every_kind_of_partitions_is_listed(regions: Any) -> None:
    many = regions.run("partitions", "list", "many")

    assert regions.run("partitions", "list", "whole", "--json").json == {"asset": "whole", "partitions": []}
    assert regions.run("partitions", "list", "whole").lines == ["whole has no partitions: it is made as a whole."]
    assert regions.run("partitions", "list", "sales").lines == [
        "sales has no partition yet: its partitions are the keys of 'regions', of which there is none yet."
    ]
    assert len(regions.run("partitions", "list", "many", "--json").json["partitions"]) == 1200
    assert many.lines[:2] == ["partition", "k0"]
    assert many.lines[1000:] == [
        "k999",
        "and 200 more; --json lists them all",
        "1,200 partitions: the 1,200 keys k0 to k1199",
    ]
    assert not (regions.folder / "lake").exists()


def test_keys_that_follow_a_column_come_with_its_partitions(regions: Any) -> None:
    regions.run("partitions", "add", "sales", "us", "eu")

    before = regions.run("partitions", "list", "report", "--json").json["partitions"]
    regions.run("materialize", "sales", "--partition", "eu")
    after = regions.run("partitions", "list", "report", "--json").json["partitions"]

    assert (before, after) == ([], ["eu"])


def test_keys_of_one_of_several_dimensions_are_told_apart(regions: Any) -> None:
    unsaid = regions.run("partitions", "add", "routes", "us")
    said = regions.run("partitions", "add", "routes", "Rotterdam", "--dimension", "to", "--json")
    wrong = regions.run("partitions", "add", "routes", "us", "--dimension", "via")
    fixed = regions.run("partitions", "add", "both", "2024-01-03", "--dimension", "day")

    assert (unsaid.code, said.code, wrong.code, fixed.code) == (2, 0, 2, 2)
    assert unsaid.sentence == (
        "Asset 'routes' has several dynamic dimensions: say which one by --dimension from_ or --dimension to."
    )
    assert said.json["partitions"] == ["Rotterdam"]
    assert wrong.sentence == "Asset 'routes' has no dimension 'via': its dimensions are from_, to."
    assert fixed.sentence == (
        "Dimension 'day' of asset 'both' is not dynamic: the code defines it as days 2024-01-01 to 2024-01-02."
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("add", "sale", "us"), "There is no asset 'sale'. Did you mean 'sales'?"),
        (
            ("add", "many", "us"),
            "The partitions of asset 'many' are not dynamic: the code defines them as the 1,200 keys k0 to k1199.",
        ),
        (
            ("remove", "whole", "us"),
            "The partitions of asset 'whole' are not dynamic: the code defines them as the whole table.",
        ),
        (
            ("add", "report", "us"),
            "The partitions of asset 'report' follow column 'region' of sales: they come and go with that table's.",
        ),
        (("add", "sales", "us", ""), "A partition key is empty; a key has at least one character. Nothing was added."),
        (
            ("add", "numbers", "7", "300"),
            "Partition column 'number' of asset 'numbers' has dtype Int8, whose keys are whole numbers in its range, "
            "such as '7', but one key is '300'. Nothing was added.",
        ),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(
    regions: Any, arguments: tuple[str, ...], sentence: str
) -> None:
    refused = regions.run("partitions", *arguments)

    assert refused.code == 2
    assert refused.sentence == sentence
    assert not (regions.folder / "lake").exists()


def test_damaged_keys_stop_what_needs_them_but_not_check(regions: Any) -> None:
    regions.run("partitions", "add", "sales", "us")
    (path,) = regions.store.list("_deltaworks/state")
    regions.store.put(path, b"{")

    listed, checked = regions.run("partitions", "list", "sales"), regions.run("check", "sales")

    assert listed.code == 1
    assert "is damaged: it is no JSON object with a format" in listed.sentence
    assert checked.code == 0, checked.out
