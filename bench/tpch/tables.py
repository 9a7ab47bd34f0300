"""The star over TPC-H's orders as assets: five tables by month, and three without partitions.

The data is what `tpchgen-cli` writes as Parquet; the environment variable `TPCH_DATA` says where.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import star
from star import ByBrand, ByNation, Customer, Line, Order, Part, Sale, Supplier

import deltaworks as dw
from deltaworks import LazyFrame

DATA = Path(os.environ.get("TPCH_DATA", "data"))

months = dw.MonthlyPartitions(start=str(star.START), end=str(star.END))
AT_ONCE = dw.BackfillPolicy.ranges()


@dw.asset(partitions=months, partition_by="ship_month", backfill=AT_ONCE, group="raw")
def lines(partition: dw.Partition) -> LazyFrame[Line]:
    """The lines of orders, by the month in which they were shipped."""
    return star.lines(DATA).filter(partition.contains("shipped"))


@dw.asset(partitions=months, partition_by="order_month", backfill=AT_ONCE, group="raw")
def orders(partition: dw.Partition) -> LazyFrame[Order]:
    """The orders, by the month in which they were made."""
    return star.orders(DATA).filter(partition.contains("ordered"))


@dw.asset(group="raw")
def customers() -> LazyFrame[Customer]:
    """The customers, with nation and region."""
    return star.customers(DATA)


@dw.asset(group="raw")
def suppliers() -> LazyFrame[Supplier]:
    """The suppliers, with nation and region."""
    return star.suppliers(DATA)


@dw.asset(group="raw")
def parts() -> LazyFrame[Part]:
    """The parts."""
    return star.parts(DATA)


RECENT = dw.Input(mapping=dw.TimeWindowMapping(start_offset=-star.MONTHS_BEFORE))


@dw.asset(partitions=months, partition_by="ship_month", backfill=AT_ONCE)
def sales(lines: LazyFrame[Line], orders: Annotated[LazyFrame[Order], RECENT]) -> LazyFrame[Sale]:
    """Each line with who ordered it, up to four months before."""
    return star.sales(lines, orders)


@dw.asset(partitions=months, partition_by="ship_month", backfill=AT_ONCE, group="report")
def by_nation(
    sales: LazyFrame[Sale], customers: LazyFrame[Customer], suppliers: LazyFrame[Supplier]
) -> LazyFrame[ByNation]:
    """What went from nation to nation, month by month."""
    return star.by_nation(sales, customers, suppliers)


@dw.asset(partitions=months, partition_by="ship_month", backfill=AT_ONCE, group="report")
def by_brand(sales: LazyFrame[Sale], parts: LazyFrame[Part]) -> LazyFrame[ByBrand]:
    """What brands brought in, month by month."""
    return star.by_brand(sales, parts)


defs = dw.Definitions(assets=[lines, orders, customers, suppliers, parts, sales, by_nation, by_brand])
