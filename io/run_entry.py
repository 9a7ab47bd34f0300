"""RunEntry: a run as the ledger keeps it, and the JSON object that says so."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from enum import StrEnum
from typing import TypeAlias

from deltaworks.io.asset_outcome import AssetOutcome
from deltaworks.io.dtypes import Json
from deltaworks.io.process import Process
from deltaworks.io.record import Kind
from deltaworks.io.silence import Silence

LOST_AFTER_S = 30
"""A run that has given no sign of life for so long is lost; at once if its process is seen to be gone."""


class RunStatus(StrEnum):
    """How far a run has come."""

    QUEUED = "queued"
    """It waits for its turn; `waits_for` says for what."""
    RUNNING = "running"
    """It has started and not said how it ended."""
    SUCCESS = "success"
    """Everything that it could do is committed."""
    FAILURE = "failure"
    """Something failed; the rest is committed."""
    CANCELED = "canceled"
    """Somebody stopped it; what was committed before stays."""
    LOST = "lost"
    """It said nothing more, so its process is gone; no run writes this of itself, `status_at` finds it out."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes of it."""
        return self not in (RunStatus.QUEUED, RunStatus.RUNNING)


@dataclass(frozen=True, slots=True)
class Failure:
    """A partition that a run could not make."""

    asset: str
    partition: str | None
    """None: the asset is not partitioned."""
    error: str
    table_version: int
    """The version of the table that the attempt started from; a later change of the partition makes it history."""
    table_id: str | None = None
    """The id of that table; a table that is made in its place makes the failure history too. None: there was no table
    yet, or, if there is a version, an older engine wrote the entry, and the version alone has to tell."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """An earlier attempt of a run that was tried again."""

    number: int
    status: RunStatus
    started_at: str
    ended_at: str | None
    """None: it was lost."""
    materialized: int
    failed: int
    skipped: int
    commits: int


@dataclass(frozen=True, slots=True)
class CheckFailure:
    """A check after the commit that a partition did not pass; the commit stands."""

    asset: str
    partition: str | None
    """None: the asset is not partitioned."""
    check: str
    severity: str
    """`fail` or `warn`."""
    problem: str
    version: int
    """Of the table, that was judged."""
    metadata: Mapping[str, str | int | float | bool | None]


@dataclass(frozen=True, slots=True)
class RunEntry:
    """A run as the ledger keeps it: its latest attempt, and in few words those before it."""

    run_id: str
    status: RunStatus
    command: str
    started_at: str
    ended_at: str | None = None
    materialized: int = 0
    failed: int = 0
    skipped: int = 0
    commits: int = 0
    failures: tuple[Failure, ...] = field(default=())
    observed: tuple[str, ...] = field(default=())
    """The sources that it observed, whether or not anything of them had changed."""
    heartbeat_at: str | None = None
    """When it last said that it is alive."""
    host: str | None = None
    pid: int | None = None
    """Of its coordinator, on `host`."""
    kind: Kind = Kind.MATERIALIZE
    """What its commits are."""
    replaced: int = 0
    """How many partitions it rolled back or wiped."""
    dropped: int = 0
    """How many rows its commits left out."""
    quarantined: int = 0
    """How many more they left out that are kept."""
    born: str | None = None
    """What tells its process from others with the same id; see `Process`."""
    user: str | None = None
    """Who started it."""
    priority: int = 0
    """Runs with a higher one leave the queue first."""
    tags: tuple[str, ...] = ()
    """`key=value`, as whoever started it gave them."""
    executor: str | None = None
    """Where whoever started it wants functions to be called; none: as the settings say."""
    workers: int | None = None
    """How many calls at once, likewise."""
    memory_mb: float | None = None
    """How much memory it may take, likewise."""
    dashboard: str | None = None
    """Where the cluster that carries it out can be watched."""
    reason: str | None = None
    """Why it was stopped, or had to end."""
    waits_for: str | None = None
    """What a queued run waits for."""
    attempt: int = 1
    """Which attempt this is."""
    attempt_started_at: str | None = None
    """When this attempt began; none: with the run."""
    steps: tuple[AssetOutcome, ...] = ()
    """By asset, upstreams first."""
    earlier: tuple[Attempt, ...] = ()
    """The attempts before this one, the first of them first."""
    config: Mapping[str, Json] = field(default_factory=dict[str, Json])
    """By asset or op, what those were given that take a config."""

    @property
    def process(self) -> Process | None:
        """Its coordinator; none: an older engine did not say."""
        return None if self.host is None or self.pid is None else Process(self.host, self.pid, self.born)

    checks_passed: int = 0
    """How many times a check after a commit passed."""
    check_failures: tuple[CheckFailure, ...] = ()
    """What did not pass of these."""
    job: str | None = None
    """The job that it is a run of."""
    job_partition: str | None = None
    """What the job ran for."""
    tick: str | None = None
    """What asked for it: the schedule, sensor or condition, and which tick of it; none: a person did."""
    is_gone: bool = field(default=False, compare=False)
    """Whether its process was seen to be gone, on this machine, before this was read; it is not written."""
    silence: Silence | None = field(default=None, compare=False)
    """For how long it has said nothing, if it goes on on another machine; it is not written."""

    def has_vanished(self) -> bool:
        """Return whether its process is gone from this machine and said nothing of an end when this was read."""
        return not (self.status.is_over or self.is_gone) and self.process is not None and self.process.is_gone()

    @property
    def is_first(self) -> bool:
        """Whether no attempt before it has begun, whatever its number: a process may die between the two."""
        return not self.earlier

    def status_at(self, now: dt.datetime) -> RunStatus:
        """Return the status as somebody sees it who looks at `now`: what fell silent before its end is lost.

        A process on this machine was looked for when the entry was read, so its end is seen at once. What another
        machine's clock shows does not count.
        """
        if self.status.is_over:
            return self.status
        if self.is_gone:
            return RunStatus.LOST
        last_sign = dt.datetime.fromisoformat(self.heartbeat_at or self.started_at)
        silent_s = (now - last_sign).total_seconds() if self.silence is None else self.silence.seconds
        return RunStatus.LOST if silent_s > LOST_AFTER_S else self.status


_Known: TypeAlias = RunEntry | Failure | AssetOutcome | Attempt | CheckFailure

_PARTS: dict[str, type[Failure | AssetOutcome | Attempt | CheckFailure]] = {
    "failures": Failure,
    "steps": AssetOutcome,
    "earlier": Attempt,
    "check_failures": CheckFailure,
}


def document_of(entry: RunEntry) -> Json:
    """Return what is written of a run."""
    return {name: value for name, value in asdict(entry).items() if name not in ("is_gone", "silence")}


def entry_of(document: Json) -> RunEntry:
    """Read an entry; keys that this engine does not know are ignored."""
    values = _known(document, RunEntry)
    values |= {
        each.name: int(values[each.name]) for each in fields(RunEntry) if each.type == "int" and each.name in values
    }
    values |= {name: tuple(values[name]) for name in ("observed", "tags") if name in values}
    values["status"] = RunStatus(document["status"])
    values["kind"] = Kind(document.get("kind") or Kind.MATERIALIZE)
    for name, kind in _PARTS.items():
        values[name] = tuple(kind(**_known(each, kind)) for each in document.get(name) or ())
    values["earlier"] = tuple(replace(each, status=RunStatus(each.status)) for each in values["earlier"])
    return RunEntry(**values)


def _known(document: Json, kind: type[_Known]) -> Json:
    """Return what an engine knows of an object; what is null is as if it were not there, where that has a meaning."""
    required = {each.name for each in fields(kind) if each.default is MISSING and each.default_factory is MISSING}
    names = _names(kind)
    return {
        name: value for name, value in document.items() if name in names and (value is not None or name in required)
    }


def knows_all_of(document: Json) -> bool:
    """Return whether this engine knows all that the object of a run says; else it would lose some by writing it."""
    return document.keys() <= _names(RunEntry) and all(
        each.keys() <= _names(kind) for name, kind in _PARTS.items() for each in document.get(name) or ()
    )


def _names(kind: type[_Known]) -> set[str]:
    return {each.name for each in fields(kind)}
