"""The star over TPC-H's orders as a script without an engine: `python plain.py DATA LAKE`.

Every table is computed at once, validated by pandera, kept in memory for those made of it, and written in one commit.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import polars as pl
import star
from deltalake import write_deltalake


def main() -> None:
    """Make the eight tables."""
    data, lake = Path(sys.argv[1]), Path(sys.argv[2])

    def made(name: str, model: Any, frame: pl.LazyFrame, by: str | None = None) -> pl.LazyFrame:
        df: pl.DataFrame = model.validate(frame.collect())
        write_deltalake(str(lake / name), df, partition_by=[by] if by else None)
        return df.lazy()

    lines = made("lines", star.Line, star.lines(data), "ship_month")
    orders = made("orders", star.Order, star.orders(data), "order_month")
    customers = made("customers", star.Customer, star.customers(data))
    suppliers = made("suppliers", star.Supplier, star.suppliers(data))
    parts = made("parts", star.Part, star.parts(data))
    sales = made("sales", star.Sale, star.sales(lines, orders), "ship_month")
    made("by_nation", star.ByNation, star.by_nation(sales, customers, suppliers), "ship_month")
    made("by_brand", star.ByBrand, star.by_brand(sales, parts), "ship_month")


if __name__ == "__main__":
    main()
