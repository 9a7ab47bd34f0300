"""Partition: what one call of an asset's function is asked to make."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import polars as pl

from deltaworks.engine.definitions.partitions.multi_partitions import MultiPartitions
from deltaworks.engine.definitions.partitions.protocols import Partitions
from deltaworks.engine.definitions.partitions.time_partitions import TimePartitions


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

        Of several dimensions it is that of the only one of time.

        Raises:
            ValueError: these are no partitions of time, or by several times.
        """
        time, first, _ = self._time
        return time.start_of(first)

    @property
    def end(self) -> dt.date:
        """Where the last partition ends, itself outside: a day, or an instant, as `start`."""
        time, _, last = self._time
        return time.end_of(last)

    @property
    def start_at(self) -> dt.datetime:
        """The instant at which the first partition begins, in its time zone.

        Raises:
            ValueError: as for `start`.
        """
        time, first, _ = self._time
        return time.start_at(first)

    @property
    def end_at(self) -> dt.datetime:
        """The instant at which the last partition ends, itself outside, in its time zone."""
        time, _, last = self._time
        return time.end_at(last)

    def dimension(self, name: str) -> Partition:
        """Return what this call makes in one of several dimensions: its value there, or a range of them.

        Raises:
            ValueError: no dimension has that name.
        """
        return self._part(self._place(name, self._names))

    def contains(self, column: str | pl.Expr) -> pl.Expr:
        """Return the claim that a column's value lies in this call's partitions.

        Of several dimensions it is the one whose partition column, or name, the column's name is. A Datetime without
        time zone is read by its own clock.

        Raises:
            ValueError: there are several dimensions, and the column is that of none.
        """
        if len(self.partitions.dimensions) == 1:
            return self.partitions.dimensions[0].claim(self.first, self.last, column)
        name = column if isinstance(column, str) else column.meta.output_name()
        part = self._part(self._place(name, self.columns if name in self.columns else self._names))
        return part.contains(column)

    def _part(self, place: int) -> Partition:
        first, last = (self.partitions.coordinates(ordinal) for ordinal in (self.first, self.last))
        assert first[:-1] == last[:-1], "a call ranges over the last dimension only; see run_end"
        return Partition(self.partitions.dimensions[place], first[place], last[place], self.columns[place : place + 1])

    def _place(self, name: str, names: tuple[str, ...]) -> int:
        if name not in names:
            known = ", ".join(f"partition.dimension({known!r})" for known in self._names)
            problem = f"use {known}, each with its own contains(column)" if known else "use the partition itself"
            raise ValueError(f"{name!r} is no dimension and no partition column of {self.partitions}; {problem}")
        return names.index(name)

    @property
    def _names(self) -> tuple[str, ...]:
        return self.partitions.names if isinstance(self.partitions, MultiPartitions) else ()

    @property
    def _time(self) -> tuple[TimePartitions, int, int]:
        dimensions = self.partitions.dimensions
        found = [(place, each) for place, each in enumerate(dimensions) if isinstance(each, TimePartitions)]
        if len(found) != 1:
            hint = "say which by partition.dimension(...)" if found else "use .key, .keys or .contains(column)"
            raise ValueError(f"{self.partitions} are not partitions of one time; {hint}")
        ((place, time),) = found
        part = self._part(place)
        return time, part.first, part.last
