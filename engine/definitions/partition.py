"""Partition: what one call of an asset's function is asked to make."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import cast

import polars as pl

from deltaworks.engine.definitions.partitions import Dimension, Partitions
from deltaworks.engine.definitions.time_partitions import TimePartitions


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition, or consecutive ones in a range call."""

    partitions: Partitions
    first: int
    last: int
    columns: tuple[str, ...] = ()
    """The partition columns, one for each dimension."""

    @property
    def key(self) -> str:
        """The key, where the call makes one partition.

        Raises:
            ValueError: the call makes several; use `keys`, `start` and `end`.
        """
        if self.first != self.last:
            raise ValueError(f"this call makes {self.last - self.first + 1} partitions; use .keys, .start or .end")
        return self.partitions.key(self.first)

    @property
    def keys(self) -> list[str]:
        """The keys of all partitions of the call, in their order."""
        return [self.partitions.key(ordinal) for ordinal in range(self.first, self.last + 1)]

    @property
    def start(self) -> dt.date:
        """Where the first partition begins: a day, or for what begins within a day an instant in its time zone.

        Raises:
            ValueError: these are no partitions of time.
        """
        return self._time.start_of(self.first)

    @property
    def end(self) -> dt.date:
        """Where the last partition ends, itself outside: a day, or an instant, as `start`."""
        return self._time.end_of(self.last)

    def contains(self, column: str | pl.Expr) -> pl.Expr:
        """Return the claim that a column's value lies in this call's partitions.

        A Datetime without time zone is read by its own clock.
        """
        return self._dimension.claim(self.first, self.last, column)

    @property
    def _dimension(self) -> Dimension:
        return self.partitions.dimensions[0]

    @property
    def _time(self) -> TimePartitions:
        return cast(TimePartitions, self._dimension)
