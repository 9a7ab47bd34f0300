"""Values: what a client gets, typed as far as programs rely on it; `document` is all that the server tells."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Document = Mapping[str, Any]
"""A document of the API, as the command of the same name prints it with `--json`."""

KeyRange = tuple[str, str]
"""The first and last key of partitions that follow each other."""

AutomationKind = Literal["schedule", "sensor"]


@dataclass(frozen=True, slots=True)
class Counts:
    """How many partitions an asset has of each status."""

    total: int
    fresh: int
    stale: int
    missing: int
    external: int
    failed: int
    """Lies over the others: what failed is also stale or missing."""


@dataclass(frozen=True, slots=True)
class Asset:
    """An asset with its status."""

    name: str
    kind: str
    group: str | None
    version: int | None
    """Of its table; none: there is none yet."""
    counts: Counts | None
    """None: nothing of it is stored, as of a view."""
    document: Document


@dataclass(frozen=True, slots=True)
class StatusRange:
    """Partitions that are as they are for the same causes."""

    status: str
    count: int
    ranges: tuple[KeyRange, ...]
    causes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """What a plan makes of one asset."""

    asset: str
    count: int
    ranges: tuple[KeyRange, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a backfill would make."""

    plan_hash: str
    """The same for plans that make the same; `Client.backfill` takes it."""
    steps: tuple[Step, ...]
    partitions: int
    document: Document


@dataclass(frozen=True, slots=True)
class Launched:
    """A run that was started, or asked to stop or to go on."""

    run_id: str
    command: str
    """What does the same on the command line."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job."""

    name: str
    kind: str
    """`ops` or `assets`."""
    partitions: str | None
    """What it may run for, in words; none: it has no partitions."""
    config_schema: Document | None
    """The JSON Schema of its config; none: only its own code location knows, or this is from a list."""
    document: Document


@dataclass(frozen=True, slots=True)
class Totals:
    """What a run came to."""

    materialized: int
    failed: int
    skipped: int
    commits: int


@dataclass(frozen=True, slots=True)
class Run:
    """A run, and how far it has come."""

    run_id: str
    status: str
    """`queued`, `running`, `success`, `failure`, `canceled` or `lost`."""
    command: str
    job: str | None
    started_at: dt.datetime
    ended_at: dt.datetime | None
    totals: Totals
    document: Document

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes of it."""
        return self.status not in ("queued", "running")


def asset_of(row: Document) -> Asset:
    """Read an asset."""
    numbers = row["partitions"]
    names = ("total", "fresh", "stale", "missing", "external", "failed")
    counts = Counts(*(numbers[name] for name in names)) if "fresh" in numbers else None
    return Asset(row["asset"], row["kind"], row["group"], row.get("version"), counts, row)


def status_range_of(row: Document) -> StatusRange:
    """Read partitions of one status."""
    return StatusRange(row["status"], *_ranges(row["partitions"]), tuple(row["causes"]))


def plan_of(document: Document) -> Plan:
    """Read a plan."""
    steps = (Step(each["asset"], *_ranges(each["partitions"]), tuple(each["reasons"])) for each in document["steps"])
    return Plan(document["plan_hash"], tuple(steps), document["totals"]["partitions"], document)


def launched_of(document: Document) -> Launched:
    """Read what was started."""
    return Launched(document["run_id"], document["command"])


def job_of(row: Document) -> Job:
    """Read a job."""
    return Job(row["job"], row["kind"], row["partitions"], row.get("config_schema"), row)


def run_of(row: Document) -> Run:
    """Read a run."""
    totals = Totals(*(row["totals"][name] for name in ("materialized", "failed", "skipped", "commits")))
    started, ended = dt.datetime.fromisoformat(row["started_at"]), row["ended_at"]
    over = None if ended is None else dt.datetime.fromisoformat(ended)
    return Run(row["run_id"], row["status"], row["command"], row["job"], started, over, totals, row)


def _ranges(partitions: Document) -> tuple[int, tuple[KeyRange, ...]]:
    return partitions["count"], tuple((first, last) for first, last in partitions["ranges"])
