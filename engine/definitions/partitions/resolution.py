"""Resolution: dynamic partitions get the keys that a lake has for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from deltaworks.engine.definitions.partitions.key_partitions import DynamicPartitions
from deltaworks.engine.definitions.partitions.multi_partitions import MultiPartitions
from deltaworks.engine.definitions.partitions.protocols import Dimension, Partitions

DynamicKeys: TypeAlias = Mapping[DynamicPartitions, Sequence[str]]
"""The keys of each definition as it was written. One that is not there has no key yet."""


def dynamic_dimensions(partitions: Partitions) -> tuple[DynamicPartitions, ...]:
    """Return the dimensions whose keys only a lake knows."""
    return tuple(dimension for dimension in partitions.dimensions if isinstance(dimension, DynamicPartitions))


def resolve(partitions: Partitions, keys: DynamicKeys) -> Partitions:
    """Return partitions with the keys of each dynamic dimension."""
    match partitions:
        case DynamicPartitions():
            return partitions.with_keys(keys.get(partitions.without_keys(), ()))
        case MultiPartitions():
            return partitions.replace(tuple(_resolve_dimension(each, keys) for each in partitions.dimensions))
        case _:
            return partitions


def _resolve_dimension(dimension: Dimension, keys: DynamicKeys) -> Dimension:
    if not isinstance(dimension, DynamicPartitions):
        return dimension
    return dimension.with_keys(keys.get(dimension.without_keys(), ()))
