"""An outsider: writes to the tables of the small project with plain delta-rs and tells the oracle what it wrote."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from deltalake import DeltaTable, write_deltalake

from tests.exactness.naive import read_history
from tests.exactness.oracle import Oracle
from tests.exactness.small_project import Row

BEYOND = "2024-02-01"
"""A day that the definition does not have."""


@dataclass
class Outsider:
    lake: Path
    oracle: Oracle
    counter: int = 0
    """How many rows it has made, so that no two are the same."""

    def write(self, asset: str, key: str, kind: str) -> bool:
        """Write with plain delta-rs; return whether it made a commit that changed something."""
        self.oracle.look()
        table = DeltaTable(str(self.lake / asset))
        before = self.oracle.rows(asset)
        place = "" if asset == "total" else key
        predicate = None if asset == "total" else f"day = '{key}'"
        after = dict(before)
        match kind:
            case "overwrite":
                after[place] = self._rows(2)
                write_deltalake(table, _frame(asset, key, after[place]), mode="overwrite", predicate=predicate)
            case "append":
                more = self._rows(1)
                after[place] = [*before.get(place, []), *more]
                write_deltalake(table, _frame(asset, key, more), mode="append")
            case "delete":
                after[place] = []
                table.delete(predicate)
            case "delete rows":
                after = {each: [row for row in rows if row[0] != 0] for each, rows in before.items()}
                table.delete("i = 0")
            case _:
                place = "" if asset == "total" else BEYOND
                after[place] = [*before.get(place, []), *self._rows(1)]
                write_deltalake(table, _frame(asset, BEYOND, after[place][-1:]), mode="append")
        if read_history(self.lake / asset).version == self.oracle.histories[asset].version:
            return False
        self.oracle.wrote(asset, after)
        return True

    def _rows(self, count: int) -> list[Row]:
        self.counter += count
        return [(900 + number, -self.counter - number) for number in range(count)]


def _frame(asset: str, key: str, rows: list[Row]) -> pl.DataFrame:
    df = pl.DataFrame(rows, schema={"i": pl.Int64, "n": pl.Int64}, orient="row")
    if asset == "total":
        return df
    return df.select(pl.lit(dt.date.fromisoformat(key)).alias("day"), "i", "n")
