"""TableThen: what a table was when something was decided about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.io.table import Table


@dataclass(frozen=True, slots=True)
class TableThen:
    """What a table was when it was decided to make a partition of it."""

    table_id: str | None
    version: int

    @classmethod
    def of(cls, table: Table) -> TableThen:
        """Return what a table is now."""
        return cls(table.table_id, table.version)


class DecidedOn:
    """What the tables of one run were when it was decided to make each of its partitions."""

    def __init__(self, tables: Mapping[AssetKey, Table], planned: Iterable[AssetKey]) -> None:
        """Note the tables on which the plan was made; `tables` are those that the run advances."""
        self._tables = tables
        self._as_planned = {key: TableThen.of(tables[key]) for key in planned}
        self._since: dict[tuple[AssetKey, int], TableThen] = {}

    def on(self, key: AssetKey, ordinal: int) -> TableThen:
        """Return the table as it was when it was decided about a partition last."""
        return self._since.get((key, ordinal)) or self._as_planned[key]

    def anew(self, key: AssetKey, ordinal: int) -> None:
        """Note that it was decided anew about a partition, on the table as it is now."""
        self._since[key, ordinal] = TableThen.of(self._tables[key])
