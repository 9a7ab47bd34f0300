"""Difference: in what two frames, or two versions of tables, differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import polars as pl

Row: TypeAlias = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class ColumnDifference:
    """In what the columns of two frames differ, in whatever order they stand; rows are compared on the others."""

    removed: Mapping[str, pl.DataType] = field(default_factory=dict[str, pl.DataType])
    """Those that only the first has."""
    added: Mapping[str, pl.DataType] = field(default_factory=dict[str, pl.DataType])
    """Those that only the second has."""
    retyped: Mapping[str, tuple[pl.DataType, pl.DataType]] = field(
        default_factory=dict[str, tuple[pl.DataType, pl.DataType]]
    )
    """Those whose dtypes differ."""

    @classmethod
    def of(cls, a: Mapping[str, pl.DataType], b: Mapping[str, pl.DataType]) -> ColumnDifference:
        """Compare two schemas."""
        return cls(
            {name: dtype for name, dtype in a.items() if name not in b},
            {name: dtype for name, dtype in b.items() if name not in a},
            {name: (dtype, b[name]) for name, dtype in a.items() if name in b and b[name] != dtype},
        )

    def __or__(self, other: ColumnDifference) -> ColumnDifference:
        return ColumnDifference(
            {**self.removed, **other.removed}, {**self.added, **other.added}, {**self.retyped, **other.retyped}
        )

    def __bool__(self) -> bool:
        return bool(self.removed or self.added or self.retyped)


@dataclass(frozen=True, slots=True)
class LoneRow:
    """A row that one of two frames has more often than the other."""

    row: Row
    count: int
    """How many times more."""


@dataclass(frozen=True, slots=True)
class ChangedRow:
    """A row that both frames have by its key, but with other values."""

    key: Row
    values: Mapping[str, tuple[object, object]]
    """By column, before and after; only those that differ."""


@dataclass(frozen=True, slots=True)
class Difference:
    """In what two frames differ, with samples of the rows that do."""

    a: str
    b: str
    columns: ColumnDifference
    key: tuple[str, ...] = ()
    """The columns that tell which rows belong together; none: rows are compared as a whole, each as often as it is."""
    tolerance: float = 0.0
    rows_a: int = 0
    """Those that were compared; what lies in the same data files on both sides is equal unread."""
    rows_b: int = 0
    only_a: int = 0
    only_b: int = 0
    changed: int = 0
    """How many rows have the same key and other values."""
    changed_columns: Mapping[str, int] = field(default_factory=dict[str, int])
    """How many of these differ in each column that differs at all."""
    samples_a: tuple[LoneRow, ...] = ()
    """Some that only the first has."""
    samples_b: tuple[LoneRow, ...] = ()
    samples_changed: tuple[ChangedRow, ...] = ()
    partitions_compared: int = 0
    partitions_unchanged: int = 0
    """Those that were not read, since they consist of the same files on both sides."""

    @property
    def is_equal(self) -> bool:
        """Whether there is no difference at all."""
        return not (self.columns or self.only_a or self.only_b or self.changed)
