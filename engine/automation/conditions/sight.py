"""Sight: what is known of a lake when its conditions are evaluated."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.planning.status import LakeStatus


@dataclass(frozen=True, slots=True)
class Tried:
    """Partitions that an ended run was to make from what they would be made from now, and did not."""

    partitions: PartitionSet
    reason: str
    """What came of it, as `it failed in run r1`."""
    at: dt.datetime
    """When it was begun."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What is known of a lake at a tick. What is as it was at the tick before is the same object."""

    status: LakeStatus
    in_progress: Mapping[AssetKey, PartitionSet] = field(default_factory=dict[AssetKey, PartitionSet])
    """What runs that have not ended are to make, or are about to be started for; only assets that have any."""
    tried: Mapping[AssetKey, tuple[Tried, ...]] = field(default_factory=dict[AssetKey, tuple[Tried, ...]])
    """What would come to nothing once more; only assets that have any."""

    def being_made(self, key: AssetKey) -> PartitionSet:
        """Return the partitions of an asset that are in progress."""
        return self.in_progress.get(key) or PartitionSet.none(self.status[key].node.partitions.size)
