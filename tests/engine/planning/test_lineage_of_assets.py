"""Lineage from asset to asset: a project of ten with all that its columns are made of, written by hand."""

from __future__ import annotations

import datetime as dt
import typing
from pathlib import Path
from typing import Annotated, Any

import pandera.polars as pa
import polars as pl
import pytest
from polars import col

import deltaworks as dw
from deltaworks import LazyFrame
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.planning import resolved_plan
from deltaworks.engine.planning.graph import AssetGraph, build_graph
from deltaworks.engine.planning.lineage import Lineage, column_lineage
from deltaworks.engine.planning.lineage_expressions import Source
from deltaworks.errors import UnknownAsset, UnknownColumn

NOW = dt.datetime(2013, 2, 1, tzinfo=dt.UTC)
days = dw.DailyPartitions(start="2013-01-01", end="2013-02-01")


class Order(pa.DataFrameModel):
    order_id: int
    customer_id: int
    product_id: int
    ordered_at: Annotated[pl.Datetime, "us", "UTC"]
    quantity: int
    status: str
    comment: str


class Customer(pa.DataFrameModel):
    customer_id: int
    name: str
    country: str
    is_test: bool


class Product(pa.DataFrameModel):
    product_id: int
    category: str
    price: float
    currency: str


class Rate(pa.DataFrameModel):
    currency: str
    day: pl.Date
    rate: float


class Web(dw.Resource):
    url: str = ""


@dw.asset(partitions=days, partition_by=col("ordered_at").dt.date())
def orders(partition: dw.Partition) -> LazyFrame[Order]:
    raise AssertionError("what has no upstream is not called")


@dw.asset
def customers() -> LazyFrame[Customer]:
    raise AssertionError("what has no upstream is not called")


@dw.asset
def products() -> LazyFrame[Product]:
    raise AssertionError("what has no upstream is not called")


@dw.asset(partitions=days, partition_by="day")
def rates(web: Web) -> LazyFrame[Rate]:
    raise AssertionError("what has no upstream is not called")


@dw.asset(partitions=days, partition_by="day")
def valid_orders(orders: LazyFrame[Order], customers: LazyFrame[Customer], partition: dw.Partition) -> pl.LazyFrame:
    known = customers.filter(~col("is_test"))
    return (
        orders.filter(col("status") != "canceled")
        .join(known, on="customer_id", how="semi")
        .with_columns(day=col("ordered_at").dt.date())
        .filter(partition.contains("day"))
        .select("order_id", "customer_id", "product_id", "day", "quantity")
    )


@dw.asset(partitions=days, partition_by="day")
def sales(valid_orders: pl.LazyFrame, products: LazyFrame[Product], rates: LazyFrame[Rate]) -> pl.LazyFrame:
    return (
        valid_orders.join(products, on="product_id", how="left")
        .join(rates, on=["currency", "day"], how="left")
        .with_columns(amount=col("quantity") * col("price") * col("rate"))
        .select("order_id", "customer_id", "category", "day", "amount")
    )


@dw.asset(partitions=days, partition_by="day")
def daily(sales: pl.LazyFrame) -> pl.LazyFrame:
    return sales.group_by("day", "category").agg(amount=col("amount").sum(), orders=pl.len())


@dw.asset(partitions=days, partition_by="day")
def trailing(
    daily: Annotated[pl.LazyFrame, dw.Input(mapping=dw.TimeWindowMapping(start_offset=-6))], partition: dw.Partition
) -> pl.LazyFrame:
    mean = col("amount").mean().over("category")
    return daily.with_columns(mean=mean).filter(partition.contains("day")).select("day", "category", "mean")


@dw.asset
def best_customers(sales: pl.LazyFrame, customers: LazyFrame[Customer]) -> pl.LazyFrame:
    spent = sales.group_by("customer_id").agg(spent=col("amount").sum())
    best = spent.sort("spent", descending=True).head(10)
    return best.join(customers, on="customer_id").select(pl.struct("name", "country").alias("who"), "spent")


@dw.asset
def scored(best_customers: pl.LazyFrame, trailing: pl.LazyFrame) -> pl.LazyFrame:
    score = col("spent").map_elements(lambda spent: spent * 2, return_dtype=pl.Float64)
    level = trailing.select(col("mean").max())
    name = col("who").struct.field("name")
    return best_customers.with_columns(name, score=score).join(level, how="cross").drop("who")


EXPECTED: dict[str, tuple[str, dict[str, str]]] = {
    "orders": (
        "",
        dict.fromkeys(["order_id", "customer_id", "product_id", "ordered_at", "quantity", "status", "comment"], "")
        | {"ordered_at_day": "orders.ordered_at"},
    ),
    "customers": ("", dict.fromkeys(("customer_id", "name", "country", "is_test"), "")),
    "products": ("", dict.fromkeys(("product_id", "category", "price", "currency"), "")),
    "rates": ("", dict.fromkeys(("currency", "day", "rate"), "")),
    "valid_orders": (
        "customers.customer_id customers.is_test orders.customer_id orders.ordered_at orders.ordered_at_day "
        "orders.status",
        {
            "order_id": "orders.order_id",
            "customer_id": "orders.customer_id",
            "product_id": "orders.product_id",
            "day": "orders.ordered_at",
            "quantity": "orders.quantity",
        },
    ),
    "sales": (
        "products.currency products.product_id rates.currency rates.day valid_orders.day valid_orders.product_id",
        {
            "order_id": "valid_orders.order_id",
            "customer_id": "valid_orders.customer_id",
            "category": "products.category",
            "day": "valid_orders.day",
            "amount": "products.price rates.rate valid_orders.quantity",
        },
    ),
    "daily": (
        "sales.category sales.day",
        {"day": "sales.day", "category": "sales.category", "amount": "sales.amount", "orders": ""},
    ),
    "trailing": (
        "daily.day",
        {"day": "daily.day", "category": "daily.category", "mean": "daily.amount daily.category"},
    ),
    "best_customers": (
        "customers.customer_id sales.amount sales.customer_id",
        {"who": "customers.country customers.name", "spent": "sales.amount"},
    ),
    "scored": (
        "",
        {
            "spent": "best_customers.spent",
            "name": "best_customers.who",
            "score": "best_customers.spent",
            "mean": "trailing.mean",
        },
    ),
}


@pytest.fixture(scope="module")
def graph() -> AssetGraph:
    assets = [orders, customers, products, rates, valid_orders, sales, daily, trailing, best_customers, scored]
    return build_graph(dw.Definitions(assets, resources={"web": Web()}), NOW)


@pytest.fixture(scope="module")
def lineage(graph: AssetGraph) -> Lineage:
    return column_lineage(graph)


def spelled(sources: Any) -> str:
    return " ".join(sorted(f"{key}.{name}" for key, name in sources))


def of(text: str) -> Source:
    asset, _, name = text.partition(".")
    return AssetKey(asset), name


@pytest.mark.parametrize("asset", EXPECTED)
def test_each_asset_is_made_of_what_its_function_says(lineage: Lineage, asset: str) -> None:
    rows, values = EXPECTED[asset]

    found = lineage.assets[AssetKey(asset)]

    assert {name: spelled(each.values) for name, each in found.items()} == values
    assert {spelled(each.rows) for each in found.values()} == {rows}
    assert [name for name, each in found.items() if each.is_opaque] == (["score"] if asset == "scored" else [])


def test_the_way_up_ends_at_the_sources(lineage: Lineage) -> None:
    found = lineage.upstream(of("daily.amount"))

    assert spelled(each.column for each in found if each.influence == "value") == (
        "orders.quantity products.price rates.rate sales.amount valid_orders.quantity"
    )
    assert spelled(each.column for each in found if each.influence == "rows") == (
        "customers.customer_id customers.is_test orders.customer_id orders.ordered_at orders.ordered_at_day "
        "orders.product_id orders.status products.category products.currency products.product_id rates.currency "
        "rates.day sales.category sales.day valid_orders.day valid_orders.product_id"
    )
    assert {spelled([each.column]): each.distance for each in found}["orders.status"] == 3


def test_the_way_down_ends_at_what_nobody_reads(lineage: Lineage) -> None:
    found = lineage.downstream(of("products.price"))

    assert spelled(each.column for each in found if each.influence == "value") == (
        "best_customers.spent daily.amount sales.amount scored.mean scored.score scored.spent trailing.mean"
    )
    assert spelled(each.column for each in found if each.influence == "rows") == "best_customers.who scored.name"


def test_up_and_down_are_the_same_ways(lineage: Lineage) -> None:
    columns = [(key, name) for key, names in lineage.assets.items() for name in names]

    down = {(column, each.column, each.influence) for column in columns for each in lineage.downstream(column)}
    up = {(each.column, column, each.influence) for column in columns for each in lineage.upstream(column)}

    assert up == down


def test_columns_that_nobody_reads_are_listed(lineage: Lineage) -> None:
    unread = {str(key): lineage.unread(key) for key in lineage.assets}

    assert {key: names for key, names in unread.items() if names} == {
        "orders": ("comment",),
        "sales": ("order_id",),
        "daily": ("orders",),
        "trailing": ("day", "category"),
        "scored": ("spent", "name", "score", "mean"),
    }


def test_a_count_of_rows_goes_back_to_what_decided_them() -> None:
    @dw.asset
    def few(products: LazyFrame[Product]) -> pl.LazyFrame:
        return products.filter(col("price") > 1).select("category")

    @dw.asset
    def count(few: pl.LazyFrame) -> pl.LazyFrame:
        return few.select(n=pl.len())

    found = made(products, few, count)

    assert [(each.column, each.influence) for each in found.upstream(of("count.n"))] == [(of("products.price"), "rows")]
    assert of("count.n") in [each.column for each in found.downstream(of("products.price"))]
    assert found.unread(few.key) == ("category",)


class Priced(pa.DataFrameModel):
    product_id: int
    price: float = pa.Field(ge=0, metadata={"on_fail": "drop"})
    currency: str = pa.Field(isin=["EUR", "USD"], metadata={"on_fail": "warn"})


class Paired(pa.DataFrameModel):
    product_id: int
    price: float
    currency: str

    class Config:
        unique: typing.ClassVar = ["product_id", "currency"]
        metadata: typing.ClassVar = {"on_fail": {"unique": "quarantine"}}


class Framed(pa.DataFrameModel):
    product_id: int
    price: float
    currency: str

    @pa.dataframe_check
    def priced(cls, data: pa.PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(col("price") > 0)

    class Config:
        metadata: typing.ClassVar = {"on_fail": {"priced": "drop"}}


class Own(pa.DataFrameModel):
    product_id: int
    price: float
    currency: str = pa.Field(metadata={"on_fail": {"dear": "quarantine"}})

    @pa.check("currency", name="dear")
    def dear(cls, data: pa.PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(col("price") > 0)


class Patterned(pa.DataFrameModel):
    product_id: int
    rest: str = pa.Field(alias="curr.*", regex=True, nullable=False, metadata={"on_fail": {"not_null": "drop"}})


@pytest.mark.parametrize(
    ("model", "deciding"),
    [
        (Priced, {"price"}),
        (Paired, {"product_id", "currency"}),
        (Framed, {"product_id", "price", "currency"}),
        (Own, {"product_id", "price", "currency"}),
        (Patterned, {"currency"}),
    ],
)
def test_rules_that_leave_rows_out_decide_the_rows_of_all_columns(model: Any, deciding: set[str]) -> None:
    def function(products: pl.LazyFrame) -> Any:
        return products.select("product_id", "price", "currency")

    function.__annotations__["return"] = LazyFrame[model]
    clean = dw.asset(name="clean")(function)

    @dw.asset
    def ids(clean: pl.LazyFrame) -> pl.LazyFrame:
        return clean.select("product_id")

    found = made(products, clean, ids)

    expected = spelled((AssetKey(key), name) for key in ("clean", "products") for name in deciding)
    assert {spelled(each.rows) for each in found.assets[clean.key].values()} == {expected}
    assert set(found.unread(clean.key)) == {"product_id", "price", "currency"} - deciding - {"product_id"}
    above = {each.column: each.influence for each in found.upstream(of("ids.product_id"))}
    assert {name for key, name in above if key == products.key} == deciding | {"product_id"}
    assert all(of("ids.product_id") in [each.column for each in found.downstream((products.key, n))] for n in deciding)


def test_a_rule_on_what_python_hides_hides_what_decides_the_rows() -> None:
    @dw.asset
    def clean(products: LazyFrame[Product]) -> LazyFrame[Priced]:
        hidden = col("price").map_elements(lambda price: price, return_dtype=pl.Float64)
        return products.select("product_id", hidden, "currency")

    assert {name: each.is_opaque for name, each in made(products, clean).assets[clean.key].items()} == {
        "product_id": True,
        "price": True,
        "currency": True,
    }


def test_a_rule_of_what_has_no_upstream_is_read_by_its_own_asset() -> None:
    @dw.asset
    def raw() -> LazyFrame[Priced]:
        raise AssertionError("what has no upstream is not called")

    @dw.asset
    def count(raw: pl.LazyFrame) -> pl.LazyFrame:
        return raw.select(n=pl.len())

    found = made(raw, count)

    assert found.unread(raw.key) == ("product_id", "currency")
    assert [(each.column, each.influence) for each in found.upstream(of("count.n"))] == [(of("raw.price"), "rows")]


def made(*assets: dw.Asset[..., Any]) -> Lineage:
    return column_lineage(build_graph(dw.Definitions(assets, resources={"web": Web()}), NOW))


def test_a_function_with_a_resource_is_made_of_all_that_it_is_given() -> None:
    @dw.asset
    def fetched(customers: LazyFrame[Customer], web: Web) -> LazyFrame[Rate]:
        raise AssertionError("what asks for a resource is not called")

    found = made(customers, fetched).assets[fetched.key]

    assert list(found) == ["currency", "day", "rate"]
    assert {spelled(each.values) for each in found.values()} == {
        "customers.country customers.customer_id customers.is_test customers.name"
    }
    assert all(each.is_opaque and each.rows == each.values for each in found.values())


def test_a_function_of_eager_frames_is_made_of_all_that_it_is_given() -> None:
    @dw.asset
    def eager(customers: dw.DataFrame[Customer]) -> pl.DataFrame:
        return customers.select("name")

    found = made(customers, eager).assets[eager.key]

    assert found["name"].is_opaque
    assert spelled(found["name"].values) == "customers.country customers.customer_id customers.is_test customers.name"


def test_columns_that_a_model_does_not_name_are_seen_and_read() -> None:
    @dw.asset
    def wide(products: LazyFrame[Product]) -> LazyFrame[Product]:
        return products.with_columns(gross=col("price") * 1.2)

    @dw.asset
    def narrow(wide: pl.LazyFrame) -> pl.LazyFrame:
        return wide.select("gross")

    found = made(products, wide, narrow)

    assert spelled(found.of(of("narrow.gross")).values) == "wide.gross"
    assert spelled(found.of(of("wide.gross")).values) == "products.price"


def test_an_asset_that_reads_its_own_earlier_partitions_is_made_of_itself() -> None:
    @dw.asset(partitions=days, partition_by="day")
    def running(rates: LazyFrame[Rate], before: dw.Previous[Rate]) -> LazyFrame[Rate]:
        last = before.select("currency", last=col("rate"))
        total = col("rate") + col("last").fill_null(0)
        return rates.join(last, on="currency", how="left").with_columns(rate=total).drop("last")

    found = made(rates, running)

    assert spelled(found.of(of("running.rate")).values) == "rates.rate running.rate"
    assert spelled(found.of(of("running.rate")).rows) == "rates.currency rates.day running.currency running.day"
    assert [spelled([each.column]) for each in found.upstream(of("running.rate")) if each.influence == "value"] == [
        "rates.rate",
        "running.rate",
    ]


def test_a_plan_that_differs_between_the_first_and_the_last_partition_is_seen() -> None:
    @dw.asset(partitions=days, partition_by="day")
    def changed(rates: LazyFrame[Rate], partition: dw.Partition) -> pl.LazyFrame:
        if partition.start >= dt.date(2013, 1, 15):
            return rates.select("day", x=col("rate"))
        return rates.filter(col("currency") == "EUR").select("day", x=pl.lit(1.0))

    found = made(rates, changed).of(of("changed.x"))

    assert (spelled(found.values), spelled(found.rows)) == ("rates.rate", "rates.currency rates.day")


def test_the_column_that_cuts_a_call_into_partitions_decides_the_rows() -> None:
    @dw.asset
    def moments(orders: LazyFrame[Order]) -> pl.LazyFrame:
        return orders.select("ordered_at", "status")

    @dw.asset(partitions=days, partition_by=col("at").dt.date())
    def cut(moments: pl.LazyFrame) -> pl.LazyFrame:
        return moments.select("status", at="ordered_at")

    found = made(orders, moments, cut).assets[cut.key]

    assert {name: (spelled(each.values), spelled(each.rows)) for name, each in found.items()} == {
        "status": ("moments.status", "moments.ordered_at"),
        "at": ("moments.ordered_at", "moments.ordered_at"),
        "at_day": ("cut.at", "moments.ordered_at"),
    }


def test_a_function_is_seen_through_before_its_partitions_have_a_key() -> None:
    @dw.asset(partitions=dw.DynamicPartitions("region"), partition_by="country")
    def chosen(customers: LazyFrame[Customer], partition: dw.Partition) -> pl.LazyFrame:
        return customers.filter(col("country") == partition.key).select("country", "name")

    @dw.asset(partitions=dw.MultiPartitions({"day": days, "country": dw.DynamicPartitions("region")}))
    def both(rates: LazyFrame[Rate], customers: LazyFrame[Customer], partition: dw.Partition) -> pl.LazyFrame:
        return rates.join(customers, how="cross").filter(partition.contains("country")).select("day", "country", "rate")

    found = made(customers, rates, chosen, both)

    assert spelled(found.of(of("chosen.name")).values) == "customers.name"
    assert spelled(found.of(of("chosen.name")).rows) == "customers.country"
    assert spelled(found.of(of("both.rate")).values) == "rates.rate"


def test_plans_of_another_polars_hide_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolved_plan, "_KNOWN", 0)

    @dw.asset
    def named(customers: LazyFrame[Customer]) -> pl.LazyFrame:
        return customers.select("name")

    found = made(customers, named).of(of("named.name"))

    assert found.is_opaque
    assert spelled(found.values) == "customers.country customers.customer_id customers.is_test customers.name"


def test_a_seed_has_the_columns_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "countries.csv").write_text("country,continent\nAT,Europe\n")
    countries = dw.seed("countries", tmp_path / "countries.csv")

    found = made(countries).assets[countries.key]

    assert {name: (spelled(each.values), each.is_opaque) for name, each in found.items()} == {
        "country": ("", False),
        "continent": ("", False),
    }


@pytest.mark.parametrize(
    ("text", "column"),
    [("raw", None), ("raw.v1", None), ("raw.v1.n", "n"), ("raw.n", "n"), ("raw.v1.n.m", "n.m"), ("raw.v2", "v2")],
)
def test_a_text_names_an_asset_or_its_column(text: str, column: str | None) -> None:
    @dw.asset(name="raw")
    def short(rates: LazyFrame[Rate]) -> pl.LazyFrame:
        return rates.select(pl.lit(1).alias("n"), pl.lit(1).alias("v1"), pl.lit(1).alias("v2"))

    @dw.asset(name="raw.v1")
    def long(rates: LazyFrame[Rate]) -> pl.LazyFrame:
        return rates.select(pl.lit(1).alias("n"), pl.lit(1).alias("n.m"))

    asset, found = made(rates, short, long).named(text)

    assert found == column
    assert str(asset) == ("raw.v1" if text.startswith("raw.v1") else "raw")


def test_names_that_are_not_there_are_refused(lineage: Lineage) -> None:
    with pytest.raises(UnknownColumn, match=r"Asset 'rates' has no column 'rat': .* Did you mean 'rate'\?"):
        lineage.named("rates.rat")
    with pytest.raises(UnknownAsset, match=r"There is no asset 'rats'\. Did you mean 'rates'\?"):
        lineage.named("rats")
