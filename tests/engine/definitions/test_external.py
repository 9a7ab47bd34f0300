"""External assets: what their definition takes and refuses."""

from __future__ import annotations

from pathlib import Path

import pandera.polars as pa
import polars as pl
import pytest

import deltaworks as dw
from deltaworks.errors import InvalidDefinition

days = dw.DailyPartitions(start="2024-01-01", end="2024-01-04")


class Order(pa.DataFrameModel):
    day: pl.Date
    id: int


def test_a_relative_uri_is_taken_from_the_folder_of_the_module() -> None:
    asset = dw.external_asset("orders", uri="data/../orders")

    assert asset.location == str(Path(__file__).resolve().parent / "orders")
    assert asset.where.file == __file__


@pytest.mark.parametrize("uri", ["/srv/theirs/orders", "file:///srv/theirs/orders", Path("/srv/theirs/orders/")])
def test_an_absolute_uri_is_taken_as_it_is(uri: str | Path) -> None:
    assert dw.external_asset("orders", uri=uri).location == "/srv/theirs/orders"


def test_a_uri_is_decoded_and_a_path_is_not() -> None:
    assert dw.external_asset("orders", uri="file:///srv/their%20orders").location == "/srv/their orders"


def test_it_is_an_asset_that_no_run_makes() -> None:
    asset = dw.external_asset(
        "shop/orders", uri="/srv/orders", partitions=days, partition_by="day", model=Order, owners=["team:shop"]
    )

    assert (asset.kind, asset.kind.is_made) == ("external", False)
    assert (str(asset.key), asset.model, asset.owners) == ("shop/orders", Order, ("team:shop",))
    assert [column.name for column in asset.partition_columns] == ["day"]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"uri": ""}, "uri is empty"),
        ({"uri": "/"}, "uri='/' is no folder of a table"),
        (
            {"uri": "ftp://host/orders"},
            "table ftp://host/orders: a place is a path, a file:// URI, or begins with s3://",
        ),
        ({"uri": "az://"}, "expected az://CONTAINER/PREFIX"),
        ({"uri": "/srv/a%20b"}, "delta-rs reads '%20' in a path as an escaped character"),
        ({"uri": "/srv/orders", "model": int}, "model must be a pandera.polars DataFrameModel"),
        ({"uri": "/srv/orders", "partitions": days}, "partition_by"),
        ({"uri": "/srv/orders", "partition_by": "day"}, "partition_by"),
        (
            {"uri": "/srv/orders", "partitions": days, "partition_by": pl.col("at").dt.date().alias("day")},
            "must be the name of one of the table's columns",
        ),
        (
            {"uri": "/srv/orders", "partitions": days, "partition_by": "date", "model": Order},
            "no required column 'date'",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_line(arguments: dict[str, object], problem: str) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        dw.external_asset("orders", **arguments)  # type: ignore[arg-type]

    assert problem in str(refused.value)
    assert refused.value.where is not None
    assert refused.value.where.file == __file__
    assert refused.value.asset == "orders"


def test_two_names_for_one_table_are_refused() -> None:
    one = dw.external_asset("one", uri="/srv/orders")
    other = dw.external_asset("other", uri="file:///srv/orders")

    with pytest.raises(InvalidDefinition, match=r"asset 'other' is the same table, /srv/orders, as 'one'"):
        dw.Definitions([one, other])


def test_its_name_and_its_folder_stand_in_no_ones_way_below_the_lake() -> None:
    outer = dw.external_asset("shop", uri="/srv/shop")

    @dw.asset(name="shop/orders")
    def orders(shop: pl.LazyFrame) -> pl.LazyFrame:
        return shop

    @dw.asset(name="shops", location="srv/shop")
    def shops(shop: pl.LazyFrame) -> pl.LazyFrame:
        return shop

    assert len(dw.Definitions([outer, orders, shops]).assets) == 3


def test_a_table_of_the_lake_itself_is_refused_by_whoever_opens_the_lake(tmp_path: Path) -> None:
    @dw.asset
    def made() -> pl.LazyFrame:
        return pl.LazyFrame({"a": [1]})

    for folder in ("made", "made/inside"):
        outside = dw.external_asset("outside", uri=tmp_path / "lake" / folder)
        with pytest.raises(InvalidDefinition, match=r"is the folder of asset 'made' \(.*\), or lies in it"):
            dw.materialize([made, outside], lake=tmp_path / "lake")
