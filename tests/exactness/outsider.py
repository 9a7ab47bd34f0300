"""An outsider: writes to the tables of a small project with plain delta-rs and tells the oracle what it wrote."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from deltalake import DeltaTable, write_deltalake

from tests.exactness.oracle import Oracle
from tests.exactness.project import Row


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
        small, before = self.oracle.project.assets[asset], self.oracle.rows(asset)
        predicate = small.claim(key)
        after = dict(before)
        match kind:
            case "overwrite":
                after[key] = self._rows(2)
                write_deltalake(table, small.frame(key, after[key]), mode="overwrite", predicate=predicate)
            case "append":
                more = self._rows(1)
                after[key] = [*before.get(key, []), *more]
                write_deltalake(table, small.frame(key, more), mode="append")
            case "delete":
                after[key] = []
                table.delete(predicate)
            case "delete rows":
                after = {each: [row for row in rows if row[0] != 0] for each, rows in before.items()}
                table.delete("i = 0")
            case _:
                key = small.beyond
                after[key] = [*before.get(key, []), *self._rows(1)]
                write_deltalake(table, small.frame(key, after[key][-1:]), mode="append")
        if self.oracle.history(asset).version == self.oracle.histories[asset].version:
            return False
        self.oracle.wrote(asset, after)
        return True

    def _rows(self, count: int) -> list[Row]:
        self.counter += count
        return [(900 + number, -self.counter - number) for number in range(count)]
