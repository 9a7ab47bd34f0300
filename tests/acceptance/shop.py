"""A project that reads tables of others, and those who write them."""

from __future__ import annotations

import datetime as dt
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from deltalake import DeltaTable, write_deltalake

from tests.acceptance.conftest import Here, Project

TABLES = """
import polars as pl
import deltaworks as dw

days = dw.DailyPartitions(start="2024-01-01", end="2024-01-06")
orders = dw.external_asset("orders", uri="../theirs/orders", partitions=days, partition_by="day", group="shop")
rates = dw.external_asset("rates", uri="../theirs/rates")

@dw.asset(partitions=days, partition_by="day")
def daily(orders: pl.LazyFrame, rates: pl.LazyFrame) -> pl.LazyFrame:
    return orders.group_by("day").agg(pl.col("amount").sum()).join(rates.select("rate").head(1), how="cross")

@dw.asset
def total(daily: pl.LazyFrame) -> pl.LazyFrame:
    return daily.select(pl.col("amount").sum())
"""
OUTSIDE = "by an outside writer (WRITE, delta-rs:py-"


@dataclass(frozen=True)
class Shop:
    """A project, and the tables of those who write what it reads."""

    project: Project
    theirs: Path

    @property
    def orders(self) -> str:
        return str(self.theirs / "orders")

    def order(self, *days: int, amount: float = 1.0) -> int:
        """Append an order to each of some days of January 2024."""
        df = pl.DataFrame({"day": [dt.date(2024, 1, day) for day in days], "amount": [amount] * len(days)})
        write_deltalake(self.orders, df, mode="append", partition_by=["day"])
        return DeltaTable(self.orders).version()

    def rate(self, rate: float, mode: Any = "overwrite") -> None:
        df = pl.DataFrame({"currency": ["eur"], "rate": [rate]})
        write_deltalake(str(self.theirs / "rates"), df, mode=mode, partition_by=["currency"])

    def clean(self) -> None:
        """Delete the commits before the latest one, as retention does when they are old enough."""
        table = DeltaTable(self.orders)
        table.create_checkpoint()
        long_ago = time.time() - 40 * 86_400
        for each in (Path(self.orders) / "_delta_log").iterdir():
            os.utime(each, (long_ago, long_ago))
        table.cleanup_metadata()
        assert sorted(self.commits()) == [table.version()]

    def commits(self) -> list[int]:
        return [int(each.stem) for each in (Path(self.orders) / "_delta_log").glob("*.json")]

    def backfill(self) -> Any:
        done = self.project.run("backfill", "--json")
        assert done.code == 0, done.err
        return done.json["totals"]

    def found(self, *arguments: str) -> dict[str, dict[str, list[str]]]:
        """The ranges of each asset by status, as `first..last`."""
        return {
            asset: {
                word: [
                    "..".join(dict.fromkeys(pair))
                    for each in found["ranges"]
                    if each["status"] == word
                    for pair in each["partitions"]["ranges"]
                ]
                for word in dict.fromkeys(each["status"] for each in found["ranges"])
            }
            for asset, found in self.project.status("--partitions", *arguments).items()
        }

    def causes(self, asset: str) -> list[str]:
        """The causes of what is stale of an asset."""
        ranges = self.project.status("--partitions")[asset]["ranges"]
        return [cause for each in ranges if each["status"] == "stale" for cause in each["causes"]]


def open_shop(project: Project) -> Shop:
    """Four of five days have orders; nothing is made of them yet."""
    project.write("tables.py", TABLES)
    shop = Shop(Here(project.folder), project.folder.parent / "theirs")
    shop.order(1, 2, 3)
    shop.order(2, 4)
    shop.rate(1.5)
    return shop


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file below a folder, with size and time."""
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


def days(*numbers: int) -> list[str]:
    return [f"2024-01-{number:02d}" for number in numbers]
