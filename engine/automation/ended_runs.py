"""Ended runs: which runs have ended since a cursor, told by the ledger.

Runs end in any order, on machines with different clocks. So the cursor of a sensor on runs names those that were told,
as far back as there is a run that had not ended; of what was written to the ledger before, nothing is read.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass

from deltaworks.engine.definitions.automation.run import Run
from deltaworks.engine.definitions.automation.sensor import RunsOf
from deltaworks.errors import StorageError
from deltaworks.io.ledger import runs_written_since
from deltaworks.io.run_entry import RunEntry, RunStatus
from deltaworks.io.store import Store

OVERLAP = dt.timedelta(minutes=10)
"""How much longer than needed runs are remembered that were told, should the clocks of writers differ."""

MOST_RUNS = 200
"""How many runs one tick is told; the others are told at the next ones."""


@dataclass(frozen=True, slots=True)
class EndedRuns:
    """What a look at the ledger found."""

    runs: tuple[Run, ...]
    """Those that ended as the sensor asks, the first to start first."""
    cursor: str
    """After these are told."""
    entries: tuple[RunEntry, ...]
    """The same as the ledger has them."""
    is_behind: bool
    """Whether the old cursor reaches back much further than there is need for."""


def cursor_now(store: Store, now: dt.datetime) -> str:
    """Return the cursor after which no run is told that has ended by now.

    Raises:
        StorageError: the ledger cannot be read.
    """
    entries = runs_written_since(store, now - OVERLAP)
    return _write(now - OVERLAP, [_name(entry) for _, entry in entries if entry.status_at(now).is_over])


def read_ended(name: str, store: Store, watched: RunsOf, cursor: str, now: dt.datetime) -> EndedRuns:
    """Return the runs that ended since a cursor, but for those that the sensor of that name asked for itself.

    Raises:
        StorageError: the ledger cannot be read, or the cursor is none.
    """
    since, told = _read(name, cursor)
    entries = runs_written_since(store, since)
    over = [(at, entry) for at, entry in entries if entry.status_at(now).is_over]
    meant = [entry for _, entry in over if _name(entry) not in told and _is_meant(name, entry, watched, now)]
    told_now = meant[:MOST_RUNS]
    left = {_name(entry) for entry in meant[MOST_RUNS:]}
    waiting = [at for at, entry in entries if _name(entry) in left or not entry.status_at(now).is_over]
    back_to = max(since, min([now - OVERLAP, *waiting]))
    names = [_name(entry) for at, entry in over if at >= back_to and _name(entry) not in left]
    is_behind = back_to - since > 6 * OVERLAP
    runs = tuple(_run(entry, now) for entry in told_now)
    return EndedRuns(runs, _write(back_to, names), tuple(told_now), is_behind)


def _is_meant(name: str, entry: RunEntry, watched: RunsOf, now: dt.datetime) -> bool:
    if entry.tick is not None and entry.tick.startswith(f"{name}/"):
        return False  # else a sensor on successes would go on for ever
    return entry.status_at(now) in watched.statuses and (watched.jobs is None or entry.job in watched.jobs)


def _run(entry: RunEntry, now: dt.datetime) -> Run:
    status = entry.status_at(now)
    return Run(
        run_id=entry.run_id,
        status=status,
        job=entry.job,
        partition=entry.job_partition,
        failures={" ".join(filter(None, (each.asset, each.partition))): each.error for each in entry.failures},
        tick=entry.tick,
        tags={name: value for name, _, value in (tag.partition("=") for tag in entry.tags)},
        started_at=dt.datetime.fromisoformat(entry.started_at),
        ended_at=None
        if entry.ended_at is None or status is RunStatus.LOST
        else dt.datetime.fromisoformat(entry.ended_at),
        attempt=entry.attempt,
        reason=entry.reason,
    )


def _name(entry: RunEntry) -> str:
    """Name a run and the attempt that ended: another attempt ends again."""
    return f"{entry.run_id}#{entry.attempt}"


def _read(name: str, cursor: str) -> tuple[dt.datetime, frozenset[str]]:
    try:
        document = json.loads(cursor)
        return dt.datetime.fromisoformat(document["since"]), frozenset(map(str, document["told"]))
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(
            f"sensor {name!r}: its cursor {cursor!r} names no runs; set it to now by `deltaworks sensor cursor`"
        ) from error


def _write(since: dt.datetime, told: Sequence[str]) -> str:
    return json.dumps({"since": since.isoformat(), "told": sorted(told)})
