"""LatestWindow: which partitions are of the latest time."""

from __future__ import annotations

import datetime as dt

from deltaworks.engine.definitions.partitions.multi_partitions import MultiPartitions
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.definitions.partitions.protocols import Partitions
from deltaworks.engine.definitions.partitions.time_partitions import TimePartitions


def latest_window(
    partitions: Partitions, lookback: dt.timedelta | None = None, over_by: dt.datetime | None = None
) -> PartitionSet:
    """Return the partitions of the latest time; all, where they are no time.

    Args:
        partitions: the definition.
        lookback: how far back from the end of the latest one; none: only that.
        over_by: the instant by which they have to be over; none: all of the definition count.
    """
    if isinstance(partitions, TimePartitions):
        ends = partitions.ends_at if partitions.size else None
        last = partitions.size - 1
        if ends is not None and over_by is not None:
            last = int((ends <= over_by).sum()) - 1
        if ends is None or last < 0:
            return PartitionSet.none(partitions.size)
        found = PartitionSet.span(last, last, partitions.size)
        if lookback is None:
            return found
        return PartitionSet((partitions.starts_at >= ends[last] - lookback) & (ends <= ends[last]))
    found = PartitionSet.all(partitions.size)
    if isinstance(partitions, MultiPartitions) and partitions.size:
        ordinals = found.mask.arg_true()
        for place in partitions.time_dimensions:
            dimension = partitions.dimensions[place]
            latest = latest_window(dimension, lookback, over_by)
            coordinates = ordinals // partitions.strides[place] % dimension.size
            found = found & PartitionSet(latest.mask.gather(coordinates))
    return found
