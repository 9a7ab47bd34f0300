"""SensorResult: a sensor's answer that also moves its cursor, or changes keys of dynamic partitions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from deltaworks.engine.definitions.automation.run_request import RunRequest, SkipReason
from deltaworks.engine.definitions.partitions.key_partitions import DynamicPartitions

KeyChanges = Mapping[str | DynamicPartitions, Iterable[str]]
"""Keys by dynamic partitions, which are meant by themselves or by their name."""


@dataclass(frozen=True, slots=True)
class SensorResult:
    """What a sensor asks for at one tick. All of it is recorded at once, or nothing of it."""

    requests: Sequence[RunRequest] = ()
    cursor: str | None = None
    """What the next tick is told; none: the cursor stays where it is. The engine itself keeps the cursor of a sensor
    on commits, files or runs."""
    add_partitions: KeyChanges = field(default_factory=dict[str | DynamicPartitions, Iterable[str]])
    """Keys that are there before the requested runs start."""
    remove_partitions: KeyChanges = field(default_factory=dict[str | DynamicPartitions, Iterable[str]])
    """Keys that are gone before the requested runs start; what is in both is there."""
    skip: SkipReason | str | None = None
    """Why nothing is requested."""
