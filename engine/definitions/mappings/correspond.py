"""Correspond: a mapping, resolved for the two definitions at hand."""

from __future__ import annotations

from functools import lru_cache

from deltaworks.engine.definitions.mappings.correspondence import Correspondence, Window
from deltaworks.engine.definitions.mappings.declared import (
    AllPartitionsMapping,
    IdentityMapping,
    MultiMapping,
    PartitionMapping,
    TimeWindowMapping,
)
from deltaworks.engine.definitions.mappings.dimension_joins import (
    by_time,
    join_dimensions,
    same_dimensions,
    shared_dimensions,
)
from deltaworks.engine.definitions.mappings.joins import inferred_join, join
from deltaworks.engine.definitions.mappings.key_joins import Unknown
from deltaworks.engine.definitions.partitions.multi_partitions import MultiPartitions
from deltaworks.engine.definitions.partitions.protocols import Partitions, Unpartitioned
from deltaworks.errors import InvalidDefinition


def infer_mapping(downstream: Partitions, upstream: Partitions) -> PartitionMapping:
    """Return the mapping of an input that declares none.

    What cuts by the same thing is joined by it, dimension by dimension; anything else, and a whole table, as a whole.
    """
    mapping: PartitionMapping | None = None
    if not isinstance(downstream, Unpartitioned) and not isinstance(upstream, Unpartitioned):
        if _has_dimensions(downstream, upstream):
            mapping = shared_dimensions(downstream, upstream)
        else:
            mapping = inferred_join(downstream, upstream)
    return mapping or AllPartitionsMapping()


def correspond(
    mapping: PartitionMapping,
    downstream: Partitions,
    upstream: Partitions,
    *,
    allow_missing: bool = False,
    grows: bool = False,
) -> Correspondence:
    """Resolve a mapping for two definitions. The same values are resolved once in a process.

    Args:
        mapping: which upstream partitions a partition is made from.
        downstream: the partitions to be made, without an open end.
        upstream: those that they are made from.
        allow_missing: whether upstream keys that a mapping names may be none; they are ignored.
        grows: whether the upstream's definition has an open end; what needs a key that lies ahead waits for it, as for
            a dynamic key that nobody has added yet.

    Raises:
        InvalidDefinition: the mapping cannot join these two kinds of partitions, or names keys that there are not.
    """
    if isinstance(mapping, IdentityMapping) and downstream == upstream and not isinstance(upstream, Unpartitioned):
        return Window(0, 0, downstream.size, upstream.size)
    return _resolved(mapping, downstream, upstream, Unknown(allow_missing, grows))


@lru_cache(maxsize=1024)
def _resolved(
    mapping: PartitionMapping, downstream: Partitions, upstream: Partitions, unknown: Unknown
) -> Correspondence:
    if isinstance(mapping, MultiMapping):
        either_is_whole = isinstance(downstream, Unpartitioned) or isinstance(upstream, Unpartitioned)
        if either_is_whole or not _has_dimensions(downstream, upstream):
            raise InvalidDefinition(
                f"MultiMapping joins partitions of several dimensions, but here it is to make {downstream} from "
                f"{upstream}"
            )
        return join_dimensions(mapping, downstream, upstream, unknown)
    if isinstance(mapping, TimeWindowMapping) and _has_dimensions(downstream, upstream):
        return join_dimensions(by_time(mapping, downstream, upstream), downstream, upstream, unknown)
    if isinstance(mapping, IdentityMapping) and _has_dimensions(downstream, upstream):
        return join_dimensions(same_dimensions(downstream, upstream), downstream, upstream, unknown)
    return join(mapping, downstream, upstream, unknown)


def _has_dimensions(downstream: Partitions, upstream: Partitions) -> bool:
    return isinstance(downstream, MultiPartitions) or isinstance(upstream, MultiPartitions)
