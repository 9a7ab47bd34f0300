"""Decision: what was decided about partitions of an asset at a tick, and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet


class Verdict(StrEnum):
    """What was decided."""

    REQUESTED = "requested"
    """A run was asked for."""
    WAITS = "waits"
    """They are made by and by, without anybody doing anything."""
    HELD = "not requested"
    """They are not, before something changes."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided about partitions for one reason."""

    asset: AssetKey
    partitions: PartitionSet
    verdict: Verdict
    reason: str

    @property
    def sentence(self) -> str:
        """The decision in words, as `not requested: upstream x missing for 2013-05-01`."""
        return f"{self.verdict}: {self.reason}"
