"""Partitions: how an asset's rows are cut into pieces that are made, checked and replaced one by one.

A definition orders its partitions and gives each an ordinal, from 0. Keys are what people and tables see; everything
that decides works on ordinals. Ordinals are never stored: they hold for one definition as it stands.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Protocol

import polars as pl

from deltaworks.engine.definitions.partitions.partition_set import PartitionSet

WHOLE = ""
"""The key of the single partition of an unpartitioned asset. No definition can have it: an empty key is refused."""


class Partitions(Protocol):
    """What every kind of partitions offers. Ordinals outside `range(size)` are the caller's mistake."""

    @property
    def size(self) -> int:
        """How many partitions there are."""
        ...

    @property
    def scheme(self) -> str:
        """What makes a partition mean the same: the kind and its parameters, without start, end and lists of keys."""
        ...

    @property
    def dimensions(self) -> tuple[Dimension, ...]:
        """What each partition column cuts by, in their order; one for most kinds, none for a whole table."""
        ...

    def until(self, now: dt.datetime) -> Partitions:
        """Return the definition as it stands at `now`: open ends become the last partition that is over."""
        ...

    def key(self, ordinal: int) -> str:
        """Return the key of one partition."""
        ...

    def keys(self, ordinals: pl.Series) -> pl.Series:
        """Return the keys (String) of many ordinals."""
        ...

    def ordinal(self, key: str) -> int | None:
        """Return the ordinal of a key, or none if it is not one of these partitions.

        An instant may be written with any offset from UTC.
        """
        ...

    def ordinals(self, keys: pl.Series) -> pl.Series:
        """Return the ordinals (Int64) of many keys; null where a key is not one of these partitions."""
        ...

    def key_beyond(self, place: str) -> str:
        """Return how these partitions would write the key of what lies at a place in a table but is none of them."""
        ...

    def coordinates(self, ordinal: int) -> tuple[int, ...]:
        """Return the ordinal of one partition in each dimension."""
        ...

    def between(self, first: str, last: str) -> PartitionSet | None:
        """Return the partitions from one key to another, both included; none if these keys mean nothing here.

        The keys need not be inside the definition. Time partitions also take keys of other time partitions, and return
        what overlaps them.
        """
        ...

    def run_end(self, ordinal: int) -> int:
        """Return the last ordinal that one call may make together with this one, as one stretch without a gap."""
        ...

    def __hash__(self) -> int:
        """Definitions are values: what follows from equal ones is computed once."""
        ...

    def __str__(self) -> str:
        """Describe the partitions for a message, with first and last key."""
        ...


class Dimension(Partitions, Protocol):
    """Partitions by the values of one column."""

    def until(self, now: dt.datetime) -> Dimension:
        """Return the definition as it stands at `now`: open ends become the last partition that is over."""
        ...

    def column_problem(self, dtype: pl.DataType) -> str | None:
        """Say which dtype a partition column must have, if it cannot have this one."""
        ...

    def claim(self, first: int, last: int, column: str | pl.Expr) -> pl.Expr:
        """Return the claim that a column's value lies in one of the partitions from `first` to `last`."""
        ...


@dataclass(frozen=True, slots=True)
class Unpartitioned:
    """A single partition that is the whole table."""

    size: int = 1
    scheme: str = "whole"
    dimensions: tuple[Dimension, ...] = ()

    def until(self, now: dt.datetime) -> Unpartitioned:  # noqa: ARG002, D102 - see Partitions
        return self

    def key(self, ordinal: int) -> str:  # noqa: ARG002, D102
        return WHOLE

    def keys(self, ordinals: pl.Series) -> pl.Series:  # noqa: D102
        return pl.repeat(WHOLE, ordinals.len(), dtype=pl.String, eager=True)

    def ordinal(self, key: str) -> int | None:  # noqa: D102
        return 0 if key == WHOLE else None

    def ordinals(self, keys: pl.Series) -> pl.Series:  # noqa: D102
        ordinals = pl.repeat(0, keys.len(), dtype=pl.Int64, eager=True)
        return ordinals.set(keys.fill_null("null") != WHOLE, None)

    def key_beyond(self, place: str) -> str:  # noqa: D102
        return place

    def coordinates(self, ordinal: int) -> tuple[int, ...]:  # noqa: ARG002, D102
        return ()

    def between(self, first: str, last: str) -> PartitionSet | None:  # noqa: ARG002, D102
        return PartitionSet.all(1)

    def run_end(self, ordinal: int) -> int:  # noqa: D102
        return ordinal

    def __str__(self) -> str:
        return "the whole table"
