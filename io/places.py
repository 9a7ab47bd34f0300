"""Places: where in a table a partition lies, as one text made of the values of its partition columns.

The log writes values by column, records write keys of definitions. Both come to the same place: values in the order of
the table's partition columns, instants in UTC. A table with one partition column has places that are plain values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from deltaworks.io.partition_values import NULL_KEY, instant, joined, split_key

_SHORTEST = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-9]{2}Z")
"""An instant of a whole minute as it is written here, or no instant at all."""
WHOLE = ""
"""The place of all files of a table that is not partitioned."""


@dataclass(frozen=True, slots=True)
class Places:
    """The partition columns of one table."""

    columns: tuple[str, ...] = ()
    """In the table's order; none: not partitioned, or not known."""
    instants: frozenset[str] = frozenset()
    """Those whose values are instants."""
    is_whole: bool = False
    """Whether all of the table counts as one partition, however its files are cut."""

    @classmethod
    def of(cls, columns: Sequence[str], schema: Mapping[str, pl.DataType]) -> Places:
        """Return the places of a table with this schema."""
        return cls(tuple(columns), frozenset(name for name in columns if schema.get(name) == pl.Datetime("us", "UTC")))

    def of_values(self, values: Mapping[str, str | None]) -> str:
        """Return the place of a file by its partition values, which writers name in any order."""
        if self.is_whole:
            return ""
        columns = self.columns or tuple(sorted(values))
        if len(columns) == 1:
            return self._value(columns[0], values.get(columns[0]))
        return joined([self._value(column, values.get(column)) for column in columns])

    def of_key(self, key: str) -> str:
        """Return the place of a partition by its key, as a definition spells it or as a place already."""
        if len(self.columns) <= 1:
            return self._value(min(self.instants), key) if self.instants else key
        if not self.instants:
            return joined(split_key(key))
        return joined([self._value(column, value) for column, value in zip(self.columns, split_key(key), strict=False)])

    def of_keys(self, keys: Sequence[str]) -> Sequence[str]:
        """Return the places of many partitions."""
        are_places = len(self.columns) <= 1 and not self.instants
        return keys if are_places else list(map(self.of_key, keys))

    def _value(self, column: str, value: str | None) -> str:
        if not value:
            return NULL_KEY
        return _instant(value) if column in self.instants else value


def _instant(text: str) -> str:
    """Return an instant in its shortest form in UTC; a text that is none stays what it is."""
    if _SHORTEST.fullmatch(text):
        return text
    utc = instant(text)
    if utc is None:
        return text
    timespec = "auto" if utc.second or utc.microsecond else "minutes"
    return utc.isoformat(timespec=timespec) + "Z"
