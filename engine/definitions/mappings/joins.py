"""Joins: mappings that take partitions as a whole, by one dimension or by their full keys."""

from __future__ import annotations

from deltaworks.engine.definitions.mappings.correspondence import Fixed, Relation, Window
from deltaworks.engine.definitions.mappings.declared import (
    AllPartitionsMapping,
    DimensionMapping,
    FunctionMapping,
    IdentityMapping,
    LastPartitionMapping,
    SpecificPartitionsMapping,
    StaticMapping,
    TimeWindowMapping,
)
from deltaworks.engine.definitions.mappings.key_joins import (
    Unknown,
    keys_by_function,
    paired_keys,
    same_keys,
    specific_keys,
)
from deltaworks.engine.definitions.mappings.time_joins import overlap, same_time
from deltaworks.engine.definitions.partitions.key_partitions import StaticPartitions
from deltaworks.engine.definitions.partitions.multi_partitions import MultiPartitions
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.definitions.partitions.protocols import Partitions, Unpartitioned
from deltaworks.engine.definitions.partitions.time_partitions import TimePartitions
from deltaworks.errors import InvalidDefinition


def join(
    mapping: DimensionMapping, downstream: Partitions, upstream: Partitions, unknown: Unknown
) -> Window | Fixed | Relation:
    """Resolve a mapping of partitions as a whole.

    Raises:
        InvalidDefinition: the mapping cannot join these two kinds of partitions, or names keys that there are not.
    """
    match mapping:
        case AllPartitionsMapping():
            needs_each = isinstance(upstream, Unpartitioned)
            return Fixed(PartitionSet.all(upstream.size), downstream.size, needs_each=needs_each)
        case LastPartitionMapping():
            last = upstream.size - 1
            return Fixed(PartitionSet.span(last, last, upstream.size), downstream.size)
        case SpecificPartitionsMapping():
            return specific_keys(mapping, downstream, upstream, unknown)
        case StaticMapping():
            return paired_keys(mapping, downstream, upstream, unknown)
        case FunctionMapping():
            return keys_by_function(mapping, downstream, upstream, unknown)
        case IdentityMapping():
            return _same(downstream, upstream)
        case TimeWindowMapping():
            if not isinstance(downstream, TimePartitions) or not isinstance(upstream, TimePartitions):
                raise InvalidDefinition(
                    f"TimeWindowMapping joins partitions of time, but here it is to make {downstream} from {upstream}"
                )
            return overlap(mapping, downstream, upstream)


def inferred_join(downstream: Partitions, upstream: Partitions) -> IdentityMapping | TimeWindowMapping | None:
    """Return what joins two definitions that cut by the same thing; none: they do not.

    Lists of keys without a common key are lists of different things.
    """
    if isinstance(downstream, Unpartitioned) or isinstance(upstream, Unpartitioned):
        return None
    if downstream.scheme == upstream.scheme:
        return None if _has_nothing_in_common(downstream, upstream) else IdentityMapping()
    if isinstance(downstream, TimePartitions) and isinstance(upstream, TimePartitions):
        return TimeWindowMapping()
    return None


def _same(downstream: Partitions, upstream: Partitions) -> Window | Relation:
    if downstream == upstream and not isinstance(upstream, Unpartitioned):
        return Window(0, 0, downstream.size, upstream.size)
    if isinstance(downstream, TimePartitions) and isinstance(upstream, TimePartitions):
        if downstream.scheme != upstream.scheme:
            raise InvalidDefinition(
                f"IdentityMapping joins partitions of the same time, but here it is to make {downstream} "
                f"({downstream.scheme}) from {upstream} ({upstream.scheme}); TimeWindowMapping() joins what overlaps"
            )
        return same_time(downstream, upstream)
    unlike = (Unpartitioned, MultiPartitions, TimePartitions)
    if isinstance(downstream, unlike) or isinstance(upstream, unlike):
        raise InvalidDefinition(
            f"IdentityMapping joins partitions of the same key, but here it is to make {downstream} from {upstream}"
        )
    if _has_nothing_in_common(downstream, upstream):
        raise InvalidDefinition(
            f"IdentityMapping joins partitions of the same key, but {downstream} and {upstream} have none in common; "
            "StaticMapping says which go together"
        )
    return same_keys(downstream, upstream)


def _has_nothing_in_common(downstream: Partitions, upstream: Partitions) -> bool:
    return (
        isinstance(downstream, StaticPartitions)
        and isinstance(upstream, StaticPartitions)
        and set(downstream.values).isdisjoint(upstream.values)
    )
