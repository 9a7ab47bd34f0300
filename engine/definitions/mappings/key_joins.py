"""Key joins: mappings that name keys, resolved to the ordinals that have them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from deltaworks.engine.definitions.mappings.correspondence import Fixed, Relation, Window, pairs
from deltaworks.engine.definitions.mappings.declared import (
    FunctionMapping,
    KeyFunction,
    SpecificPartitionsMapping,
    StaticMapping,
    list_of_keys,
)
from deltaworks.engine.definitions.mappings.segments import key_number, nulls
from deltaworks.engine.definitions.mappings.time_joins import are_ahead
from deltaworks.engine.definitions.partitions.key_partitions import DynamicPartitions
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.definitions.partitions.protocols import Partitions, Unpartitioned
from deltaworks.engine.definitions.partitions.time_partitions import TimePartitions
from deltaworks.errors import InvalidDefinition, did_you_mean

_COMPARED_KEYS = 5_000
"""Of a definition, to find one that is close to a key that is none; comparing takes about 10 us a key."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """What to think of an upstream key that a mapping names and that is none."""

    is_ignored: bool = False
    """The partition is made from the others."""
    may_come: bool = False
    """The definition grows with the time: a key that lies ahead is waited for. So is any key that a lake may get."""


def same_keys(downstream: Partitions, upstream: Partitions) -> Window | Relation:
    """Join partitions of the same key."""
    found = upstream.ordinals(_all_keys(downstream))
    own = pl.int_range(downstream.size, dtype=pl.Int64, eager=True)
    shifts = (found - own).drop_nulls()
    if shifts.is_empty():
        return Window(upstream.size, upstream.size, downstream.size, upstream.size)
    window = Window(int(shifts[0]), int(shifts[0]), downstream.size, upstream.size)
    if (shifts == shifts[0]).all() and shifts.len() == len(window.downstream(PartitionSet.all(upstream.size))):
        return window
    joined = found.is_not_null()
    cut = None if joined.all() else (~joined).cast(pl.Int64)
    return pairs(own.filter(joined), found.filter(joined), downstream.size, upstream.size, cut=cut)


def specific_keys(
    mapping: SpecificPartitionsMapping, downstream: Partitions, upstream: Partitions, unknown: Unknown
) -> Fixed:
    """Join everything to some upstream keys."""
    _refuse_whole_tables("SpecificPartitionsMapping", upstream)
    named = pl.Series(mapping.keys, dtype=pl.String)
    found = upstream.ordinals(named)
    _refuse_strange(named.filter(found.is_null()), "SpecificPartitionsMapping", upstream, "upstream", unknown)
    awaited = None
    if not unknown.is_ignored and found.has_nulls():
        awaited = named.filter(found.is_null()).head(1).new_from_index(0, downstream.size)
    return Fixed(PartitionSet.of(found.drop_nulls(), upstream.size), downstream.size, awaited=awaited)


def paired_keys(mapping: StaticMapping, downstream: Partitions, upstream: Partitions, unknown: Unknown) -> Relation:
    """Join keys as a table says."""
    _refuse_whole_tables("StaticMapping", downstream, upstream)
    above = pl.Series([key for key, goes_into in mapping.pairs for _ in goes_into], dtype=pl.String)
    below = pl.Series([each for _, goes_into in mapping.pairs for each in goes_into], dtype=pl.String)
    found = pl.DataFrame({"downstream": downstream.ordinals(below), "upstream": upstream.ordinals(above), "key": above})
    _refuse_strange(above.filter(found["upstream"].is_null()), "StaticMapping", upstream, "upstream", unknown)
    not_there = below.filter(found["downstream"].is_null())
    _refuse_strange(not_there, "StaticMapping", downstream, "downstream", Unknown(may_come=True))
    return _pairs(found, downstream, upstream, unknown)


def keys_by_function(
    mapping: FunctionMapping, downstream: Partitions, upstream: Partitions, unknown: Unknown
) -> Relation:
    """Join keys as a function says of each downstream key."""
    name = str(getattr(mapping.function, "__name__", "the mapping"))
    _refuse_whole_tables(name, downstream, upstream)
    asked = _all_keys(downstream).to_list()
    owners, keys = list[int](), list[str]()  # flat: a Series of many small lists takes 20 us each to build
    for ordinal, key in enumerate(asked):
        named = _called(mapping.function, name, key)
        keys.extend(named)
        owners.extend([ordinal] * len(named))
    said = pl.Series(keys, dtype=pl.String)
    own = pl.Series(owners, dtype=pl.Int64)
    found = pl.DataFrame({"downstream": own, "upstream": upstream.ordinals(said), "key": said})
    if not unknown.is_ignored:
        strange = (found["upstream"].is_null() & ~_may_come(said, upstream, unknown)).arg_true().head(1)
        for place in strange:
            call = f"{name}({asked[owners[place]]!r})"
            _refuse_strange(said[place : place + 1], call, upstream, "upstream", unknown)
    return _pairs(found, downstream, upstream, unknown)


def _called(function: KeyFunction, name: str, key: str) -> tuple[str, ...]:
    try:
        result: Any = function(key)
        named = list_of_keys(result)
    except Exception as error:
        raise InvalidDefinition(f"{name}({key!r}) raised {type(error).__name__}: {error}") from error
    if named is None:
        raise InvalidDefinition(f"{name}({key!r}) must return upstream keys, such as ['a', 'b'], not {result!r}")
    return named


def _refuse_strange(keys: pl.Series, what: str, partitions: Partitions, side: str, unknown: Unknown) -> None:
    """Refuse keys that are none and will be none."""
    strange = keys.filter(~_may_come(keys, partitions, unknown))
    if not strange.is_empty():
        known = _all_keys(partitions).head(_COMPARED_KEYS).to_list()
        hint = did_you_mean(strange[0], known, otherwise="")
        raise InvalidDefinition(f"{what} names {strange[0]!r}, but the {side}'s partitions are {partitions}.{hint}")


def _may_come(keys: pl.Series, partitions: Partitions, unknown: Unknown) -> pl.Series:
    """Return which of some keys that are none today may be partitions another day, as a mask."""
    if unknown.may_come and isinstance(partitions, TimePartitions):
        return are_ahead(keys, partitions)
    is_dynamic = any(isinstance(dimension, DynamicPartitions) for dimension in partitions.dimensions)
    grows = unknown.may_come and any(isinstance(dimension, TimePartitions) for dimension in partitions.dimensions)
    return pl.repeat(is_dynamic or grows, keys.len(), dtype=pl.Boolean, eager=True)


def _pairs(found: pl.DataFrame, downstream: Partitions, upstream: Partitions, unknown: Unknown) -> Relation:
    """Join what was found; what needs a key that is yet to come waits for it."""
    found = found.drop_nulls("downstream")
    absent = found.filter(pl.col("upstream").is_null()).unique(["downstream", "key"]).sort("downstream", "key")
    cut = awaited = None
    if not absent.is_empty():
        named = absent.group_by("downstream", maintain_order=True).agg(pl.col("key").first(), keys=pl.col("key"))
        numbers = [key_number("\n".join(keys)) for keys in named["keys"].to_list()]
        cut = pl.repeat(0, downstream.size, dtype=pl.Int64, eager=True).scatter(named["downstream"], numbers)
        if not unknown.is_ignored:
            awaited = nulls(downstream.size, pl.String()).scatter(named["downstream"], named["key"])
    found = found.drop_nulls("upstream")
    joined = found["downstream"], found["upstream"], downstream.size, upstream.size
    return pairs(*joined, cut=cut, awaited=awaited)


def _all_keys(partitions: Partitions) -> pl.Series:
    return partitions.keys(pl.int_range(partitions.size, dtype=pl.Int64, eager=True))


def _refuse_whole_tables(what: str, *both: Partitions) -> None:
    if any(isinstance(partitions, Unpartitioned) for partitions in both):
        raise InvalidDefinition(f"{what} joins partitions by their keys, but the whole table has none")
