"""Sharing: how much of what runs share they may have at a time, as the settings of a project say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Sharing:
    """Limits that hold across all runs and processes of a lake."""

    max_runs: int | None = None
    """How many runs there are at a time; none: any number."""
    tags: Mapping[str, int] = field(default_factory=dict[str, int])
    """How many of the runs with a tag, `key=value`, or with any value of a `key`."""
    pools: Mapping[str, int] = field(default_factory=dict[str, int])
    """How many calls of a pool; one, of a pool that nobody mentions."""

    @property
    def queues(self) -> bool:
        """Whether a run may have to wait for others to end."""
        return self.max_runs is not None or bool(self.tags)
