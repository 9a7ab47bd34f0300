"""Cluster: where Dask calls functions, as the settings say; nothing here needs Dask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Tls:
    """The files by which a scheduler and those who talk to it know each other."""

    ca_file: str
    cert_file: str
    key_file: str


@dataclass(frozen=True, slots=True)
class Cluster:
    """A scheduler with its workers."""

    scheduler: str | None = None
    """Its address; none: one in the process of the run, whose workers are processes of this machine."""
    tls: Tls | None = None
    most: int | None = None
    """How many calls of a run go on at once at most; none: as many as the workers have threads."""
    resources: Mapping[str, Mapping[str, float]] = field(default_factory=dict[str, Mapping[str, float]])
    """What workers must offer to calls in a pool, `pool:NAME`, or with a tag, `tag:KEY=VALUE`."""

    def resources_of(self, tags: Mapping[str, str], pool: str | None) -> dict[str, float]:
        """Return what a worker must offer to a call: of each resource the most that its pool or a tag asks for."""
        names = [*(f"tag:{key}={value}" for key, value in tags.items()), *([] if pool is None else [f"pool:{pool}"])]
        asked: dict[str, float] = {}
        for name in names:
            for resource, amount in self.resources.get(name, {}).items():
                asked[resource] = max(amount, asked.get(resource, 0.0))
        return asked
