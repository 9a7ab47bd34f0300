"""Key partitions: one partition for each key of a list, which the code holds or the lake.

The partition column holds the key itself, as text or as what the log writes for it: `7`, `true`, `2013-11-01`.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl

from deltaworks.engine.definitions.keys import AssetKey, as_key
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.definitions.partitions.protocols import Dimension
from deltaworks.errors import InvalidDefinition
from deltaworks.io.partition_keys import key_problem

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_\-]{0,99}")
_SHOWN_KEYS = 4


class _Keyed:
    """What holds for every list of keys; a key's ordinal is its place in the list."""

    @property
    def values(self) -> tuple[str, ...]:
        """All keys, in their order."""
        raise NotImplementedError

    @property
    def size(self) -> int:
        return len(self.values)

    def key(self, ordinal: int) -> str:
        return self.values[ordinal]

    def keys(self, ordinals: pl.Series) -> pl.Series:
        return self._places["key"].gather(ordinals)

    def ordinal(self, key: str) -> int | None:
        return self._ordinals.get(key)

    def ordinals(self, keys: pl.Series) -> pl.Series:
        asked = keys.cast(pl.String).to_frame("key")
        return asked.join(self._places, on="key", how="left", maintain_order="left")["ordinal"]

    def key_beyond(self, place: str) -> str:
        return place

    def coordinates(self, ordinal: int) -> tuple[int, ...]:
        return (ordinal,)

    def between(self, first: str, last: str) -> PartitionSet | None:
        start, end = self.ordinal(first), self.ordinal(last)
        return None if start is None or end is None else PartitionSet.span(start, end, self.size)

    def run_end(self, ordinal: int) -> int:  # noqa: ARG002
        return self.size - 1

    def claim(self, first: int, last: int, column: str | pl.Expr) -> pl.Expr:
        # As text any dtype compares with its key; of a column that is text the optimizer drops the cast, so that the
        # claim goes into the scan and its statistics.
        value = (pl.col(column) if isinstance(column, str) else column).cast(pl.String)
        return value == self.values[first] if first == last else value.is_in(self.values[first : last + 1])

    @cached_property
    def _places(self) -> pl.DataFrame:
        keys = pl.Series("key", self.values, dtype=pl.String)
        return pl.DataFrame([keys, pl.int_range(len(self.values), dtype=pl.Int64, eager=True).alias("ordinal")])

    @cached_property
    def _ordinals(self) -> dict[str, int]:
        return {key: ordinal for ordinal, key in enumerate(self.values)}


@dataclass(frozen=True, init=False)
class StaticPartitions(_Keyed):
    """One partition for each of these keys, in their order: `StaticPartitions(["us", "eu"])`.

    Adding keys at the end changes nothing for the others; a key that is taken out leaves its rows in the table.
    """

    _values: tuple[str, ...]

    def __init__(self, keys: Sequence[str]) -> None:
        object.__setattr__(self, "_values", _checked_list(keys))

    @property
    def values(self) -> tuple[str, ...]:  # noqa: D102 - see _Keyed
        return self._values

    @property
    def dimensions(self) -> tuple[Dimension, ...]:  # noqa: D102 - see Partitions
        return (self,)

    @property
    def scheme(self) -> str:  # noqa: D102
        return "static"

    def until(self, now: dt.datetime) -> StaticPartitions:  # noqa: ARG002, D102
        return self

    def column_problem(self, dtype: pl.DataType) -> str | None:  # noqa: D102
        return _column_problem(self.values, dtype)

    def __str__(self) -> str:
        return f"the {_spelled(self.values)}"

    def __repr__(self) -> str:
        return f"StaticPartitions({list(self.values)!r})"


@dataclass(frozen=True, init=False)
class DynamicPartitions(_Keyed):
    """One partition for each key that the lake holds under a name: `DynamicPartitions("regions")`.

    `deltaworks partitions add ASSET KEY...` adds keys. Assets that share a name share its keys. Their order is that of
    the text. Until its keys are known, a definition has no size.
    """

    name: str | None
    """What the keys are kept under in the lake; none: they are another table's."""
    upstream: AssetKey | None
    """The asset that has the keys in a partition column."""
    column: str | None
    known: tuple[str, ...] | None
    """The keys; none: not read yet."""

    def __init__(self, name: str) -> None:
        if not isinstance(name, str) or not _NAME.fullmatch(name):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidDefinition(
                f"DynamicPartitions: the name {name!r} of the keys must have only letters, digits, '_' and '-', at "
                "most 100 of them, such as 'regions'"
            )
        self._set(name, None, None, None)

    @classmethod
    def from_column(cls, upstream: Any, column: str) -> DynamicPartitions:
        """Take as keys the values that a partition column of another asset has in the lake.

        They are read before a run is planned: what the same run adds upstream is there for the next one. Rows whose
        value is null belong to no key.

        Args:
            upstream: the asset, or its key.
            column: one of its partition columns.
        """
        if not isinstance(column, str) or not column:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidDefinition(f"DynamicPartitions.from_column: column must be a name, not {column!r}")
        followed = object.__new__(cls)
        followed._set(None, as_key(getattr(upstream, "key", upstream)), column, None)
        return followed

    @property
    def values(self) -> tuple[str, ...]:  # noqa: D102 - see _Keyed
        if self.known is None:
            raise AssertionError("dynamic partitions have no keys before they are read; call with_keys first")
        return self.known

    @property
    def dimensions(self) -> tuple[Dimension, ...]:  # noqa: D102 - see Partitions
        return (self,)

    @property
    def scheme(self) -> str:  # noqa: D102
        return f"dynamic {self.source}"

    @property
    def source(self) -> str:
        """Where the keys come from: a name, or an asset and its column."""
        return self.name or f"{self.upstream}.{self.column}"

    def with_keys(self, keys: Iterable[str]) -> DynamicPartitions:
        """Return the definition with the keys that the lake has for it."""
        resolved = object.__new__(DynamicPartitions)
        resolved._set(self.name, self.upstream, self.column, tuple(sorted(set(keys))))
        return resolved

    def without_keys(self) -> DynamicPartitions:
        """Return the definition as it was written: what the keys belong to."""
        if self.known is None:
            return self
        written = object.__new__(DynamicPartitions)
        written._set(self.name, self.upstream, self.column, None)
        return written

    def until(self, now: dt.datetime) -> DynamicPartitions:  # noqa: ARG002
        """Return the definition itself, or one that has no key yet if nobody has read them."""
        return self if self.known is not None else self.with_keys(())

    def column_problem(self, dtype: pl.DataType) -> str | None:  # noqa: D102
        return _column_problem(self.known or (), dtype)

    def __str__(self) -> str:
        source = f"of {self.name!r}" if self.name else f"of column {self.column!r} of {self.upstream}"
        if not self.known:
            return f"the keys {source}" + ("" if self.known is None else ", of which there is none yet")
        return f"the {_spelled(self.known)} {source}"

    def _set(
        self, name: str | None, upstream: AssetKey | None, column: str | None, known: tuple[str, ...] | None
    ) -> None:
        for field, value in (("name", name), ("upstream", upstream), ("column", column), ("known", known)):
            object.__setattr__(self, field, value)


def _checked_list(keys: Sequence[str]) -> tuple[str, ...]:
    if isinstance(keys, str) or not isinstance(keys, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidDefinition(f"StaticPartitions: keys must be a list such as ['us', 'eu'], not {keys!r}")
    values = tuple(keys)
    if not values:
        raise InvalidDefinition("StaticPartitions: there must be at least one key, such as ['us', 'eu']")
    seen: set[str] = set()
    for key in values:
        problem = key_problem(key) or (f"partition key {key!r} is given twice" if key in seen else None)
        if problem:
            raise InvalidDefinition(f"StaticPartitions: {problem}")
        seen.add(key)
    return values


def _column_problem(values: tuple[str, ...], dtype: pl.DataType) -> str | None:
    """Say which dtype a column with these keys must have, or which key is none of its dtype's values."""
    if dtype == pl.String:
        return None
    keys = pl.Series(values, dtype=pl.String)
    if dtype.is_integer():
        form, written = "whole numbers in its range, such as '7'", keys.cast(dtype, strict=False).cast(pl.String)
    elif dtype == pl.Boolean:
        form, written = "'true' and 'false'", keys.filter(keys.is_in(["true", "false"]))
        written = keys.set(~keys.is_in(["true", "false"]), None)
    elif dtype == pl.Date:
        form, written = "dates such as '2013-11-01'", keys.str.to_date("%Y-%m-%d", strict=False).cast(pl.String)
    else:
        return f"has dtype {dtype}, but partitions by keys need a String, integer, Boolean or Date column"
    odd = keys.filter(written.ne_missing(keys))
    return None if odd.is_empty() else f"has dtype {dtype}, whose keys are {form}, but one key is {odd[0]!r}"


def _spelled(values: tuple[str, ...]) -> str:
    if len(values) <= _SHOWN_KEYS:
        return f"{'key' if len(values) == 1 else 'keys'} {', '.join(values)}"
    return f"{len(values):,} keys {values[0]} to {values[-1]}"
