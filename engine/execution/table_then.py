"""TableThen: what a table was when something was decided about it."""

from __future__ import annotations

from dataclasses import dataclass

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
