"""A star over TPC-H's orders by Polars and pandera alone: models, and functions from frame to frame.

Both ways import this. Money is counted in whole numbers, so that sums are equal to the last digit whoever adds them up.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandera.polars as pa
import polars as pl

START, END = dt.date(1992, 1, 1), dt.date(1999, 1, 1)
"""Every order, and every shipment, lies between."""
MONTHS_BEFORE = 4
"""An order is shipped at most 121 days after it was made."""


class Order(pa.DataFrameModel):
    """An order."""

    order_month: pl.Date
    order: int = pa.Field(gt=0)
    customer: int = pa.Field(gt=0)
    ordered: pl.Date
    status: str = pa.Field(isin=["F", "O", "P"])
    priority: str = pa.Field(str_length={"min_value": 3, "max_value": 15})


class Line(pa.DataFrameModel):
    """A line of an order, as it was shipped."""

    ship_month: pl.Date
    order: int = pa.Field(gt=0)
    line: int = pa.Field(ge=1, le=7)
    part: int = pa.Field(gt=0)
    supplier: int = pa.Field(gt=0)
    quantity: int = pa.Field(ge=1, le=50)
    price_cents: int = pa.Field(gt=0)
    discount_percent: int = pa.Field(ge=0, le=10)
    shipped: pl.Date
    mode: str = pa.Field(isin=["AIR", "FOB", "MAIL", "RAIL", "REG AIR", "SHIP", "TRUCK"])


class Customer(pa.DataFrameModel):
    """A customer, with the nation and region."""

    customer: int = pa.Field(gt=0, unique=True)
    segment: str
    customer_nation: str
    customer_region: str


class Supplier(pa.DataFrameModel):
    """A supplier, with the nation and region."""

    supplier: int = pa.Field(gt=0, unique=True)
    supplier_nation: str
    supplier_region: str


class Part(pa.DataFrameModel):
    """A part."""

    part: int = pa.Field(gt=0, unique=True)
    brand: str = pa.Field(str_matches=r"^Brand#[1-5][1-5]$")
    size: int = pa.Field(ge=1, le=50)


class Sale(pa.DataFrameModel):
    """A line with who ordered it, and what it brought in."""

    ship_month: pl.Date
    order: int = pa.Field(gt=0)
    line: int = pa.Field(ge=1, le=7)
    customer: int = pa.Field(gt=0)
    part: int = pa.Field(gt=0)
    supplier: int = pa.Field(gt=0)
    quantity: int = pa.Field(ge=1)
    revenue: int = pa.Field(gt=0)
    """In hundredths of a cent."""
    days_to_ship: int = pa.Field(ge=1, le=121)


class ByNation(pa.DataFrameModel):
    """What went from a nation to a nation in a month."""

    ship_month: pl.Date
    supplier_nation: str
    customer_nation: str
    lines: int = pa.Field(gt=0)
    revenue: int = pa.Field(gt=0)


class ByBrand(pa.DataFrameModel):
    """What a brand brought in, in a month."""

    ship_month: pl.Date
    brand: str
    lines: int = pa.Field(gt=0)
    quantity: int = pa.Field(gt=0)
    revenue: int = pa.Field(gt=0)


def read(folder: Path, name: str) -> pl.LazyFrame:
    """Scan one of TPC-H's tables."""
    return pl.scan_parquet(folder / f"{name}.parquet")


def orders(folder: Path) -> pl.LazyFrame:
    """Return the orders by the month in which they were made."""
    return read(folder, "orders").select(
        order_month=pl.col("o_orderdate").dt.month_start(),
        order="o_orderkey",
        customer="o_custkey",
        ordered="o_orderdate",
        status="o_orderstatus",
        priority="o_orderpriority",
    )


def lines(folder: Path) -> pl.LazyFrame:
    """Return the lines by the month in which they were shipped."""
    return read(folder, "lineitem").select(
        ship_month=pl.col("l_shipdate").dt.month_start(),
        order="l_orderkey",
        line=pl.col("l_linenumber").cast(pl.Int64),
        part="l_partkey",
        supplier="l_suppkey",
        quantity=pl.col("l_quantity").cast(pl.Int64),
        price_cents=_hundredths("l_extendedprice"),
        discount_percent=_hundredths("l_discount"),
        shipped="l_shipdate",
        mode="l_shipmode",
    )


def customers(folder: Path) -> pl.LazyFrame:
    """Return the customers."""
    located = _nations(folder, "customer").join(read(folder, "customer"), left_on="key", right_on="c_nationkey")
    names = {"c_custkey": "customer", "c_mktsegment": "segment"}
    return located.rename(names).select(list(Customer.to_schema().columns))


def suppliers(folder: Path) -> pl.LazyFrame:
    """Return the suppliers."""
    located = _nations(folder, "supplier").join(read(folder, "supplier"), left_on="key", right_on="s_nationkey")
    return located.rename({"s_suppkey": "supplier"}).select(list(Supplier.to_schema().columns))


def parts(folder: Path) -> pl.LazyFrame:
    """Return the parts."""
    return read(folder, "part").select(part="p_partkey", brand="p_brand", size=pl.col("p_size").cast(pl.Int64))


def sales(lines: pl.LazyFrame, orders: pl.LazyFrame) -> pl.LazyFrame:
    """Return each line with who ordered it; the orders are those of its month and some before."""
    return lines.join(orders, on="order").select(
        "ship_month",
        "order",
        "line",
        "customer",
        "part",
        "supplier",
        "quantity",
        revenue=pl.col("price_cents") * (100 - pl.col("discount_percent")),
        days_to_ship=(pl.col("shipped") - pl.col("ordered")).dt.total_days(),
    )


def by_nation(sales: pl.LazyFrame, customers: pl.LazyFrame, suppliers: pl.LazyFrame) -> pl.LazyFrame:
    """Return what went from nation to nation."""
    both = sales.join(customers, on="customer").join(suppliers, on="supplier")
    return both.group_by("ship_month", "supplier_nation", "customer_nation").agg(
        lines=pl.len().cast(pl.Int64), revenue=pl.col("revenue").sum()
    )


def by_brand(sales: pl.LazyFrame, parts: pl.LazyFrame) -> pl.LazyFrame:
    """Return what brands brought in."""
    return (
        sales.join(parts, on="part")
        .group_by("ship_month", "brand")
        .agg(lines=pl.len().cast(pl.Int64), quantity=pl.col("quantity").sum(), revenue=pl.col("revenue").sum())
    )


def fingerprint(lake: Path) -> tuple[float, ...]:
    """Return what equal results agree in: rows and exact sums of every table."""
    found: list[float] = []
    for name in ("lines", "orders", "sales", "by_nation", "by_brand"):
        df = pl.read_delta(str(lake / name))
        numbers = [column for column, dtype in df.schema.items() if dtype == pl.Int64]
        found += [df.height, *df.select(sorted(numbers)).sum().row(0)]
    return tuple(found)


def _hundredths(column: str) -> pl.Expr:
    return (pl.col(column) * 100).cast(pl.Int64)


def _nations(folder: Path, of: str) -> pl.LazyFrame:
    nations, regions = read(folder, "nation"), read(folder, "region")
    return nations.join(regions, left_on="n_regionkey", right_on="r_regionkey").select(
        pl.col("n_nationkey").alias("key"),
        pl.col("n_name").alias(f"{of}_nation"),
        pl.col("r_name").alias(f"{of}_region"),
    )
