"""JobPartition: what a partitioned job runs for."""

from __future__ import annotations

from deltaworks.engine.definitions.partitions.partition import Partition
from deltaworks.engine.definitions.partitions.protocols import Partitions
from deltaworks.errors import RequestError


def job_partition(job: str, partitions: Partitions, key: str | None) -> Partition | None:
    """Return the partition that a job runs for; none: it has no partitions.

    Raises:
        RequestError: it is partitioned and no key is given, or the other way round; or there is no such partition.
    """
    if not partitions.dimensions:
        if key is None:
            return None
        raise RequestError(f"Job {job!r} has no partitions: leave out the partition key.")
    if key is None:
        raise RequestError(f"Job {job!r} runs for one partition: give --partition KEY; they are {partitions}.")
    ordinal = partitions.ordinal(key)
    if ordinal is None:
        raise RequestError(f"Job {job!r} has no partition {key!r}: its partitions are {partitions}.")
    return Partition(partitions, ordinal, ordinal)
