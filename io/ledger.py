"""Ledger: what the commit logs cannot hold, as one small JSON object a run.

Which runs there were, how they ended and what failed. Losing it loses history and changes no table's state.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum

from deltaworks.errors import StorageError
from deltaworks.io.dtypes import Json
from deltaworks.io.store import Store

_RUNS = "_deltaworks/ledger/runs"


class RunStatus(StrEnum):
    """How far a run has come."""

    RUNNING = "running"
    """It has started and not said how it ended; its process may be gone."""
    SUCCESS = "success"
    """Everything that it could do is committed."""
    FAILURE = "failure"
    """Something failed; the rest is committed."""
    CANCELED = "canceled"
    """Somebody stopped it; what was committed before stays."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A partition that a run could not make."""

    asset: str
    partition: str | None
    """None: the asset is not partitioned."""
    error: str
    table_version: int
    """The version of the table that the attempt started from; a later change of the partition makes it history."""


@dataclass(frozen=True, slots=True)
class RunEntry:
    """A run as the ledger keeps it."""

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


def write_run(store: Store, entry: RunEntry) -> None:
    """Write a run's entry, in place of its earlier one.

    Raises:
        StorageError: the lake cannot be written.
    """
    store.put(_path(entry.run_id, entry.started_at), json.dumps(asdict(entry), indent=1).encode())


def read_runs(store: Store) -> list[RunEntry]:
    """Return all runs, oldest first.

    Raises:
        StorageError: an entry cannot be read; it can be deleted without harm to any table.
    """
    entries: list[tuple[dt.datetime, str, RunEntry]] = []
    for path in store.list(_RUNS):
        content = store.read(path) if path.endswith(".json") else None
        if content is None:
            continue
        try:
            entry = _from_json(json.loads(content))
            entries.append((dt.datetime.fromisoformat(entry.started_at), entry.run_id, entry))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise StorageError(
                f"ledger entry {store.uri(path)} is damaged ({type(error).__name__}: {error}); delete it: only this "
                "run's history is lost"
            ) from error
    return [entry for _, _, entry in sorted(entries, key=lambda each: each[:2])]


def _from_json(document: Json) -> RunEntry:
    """Read an entry; keys that this engine does not know are ignored."""
    return RunEntry(
        run_id=document["run_id"],
        status=RunStatus(document["status"]),
        command=document["command"],
        started_at=document["started_at"],
        ended_at=document["ended_at"],
        materialized=int(document["materialized"]),
        failed=int(document["failed"]),
        skipped=int(document["skipped"]),
        commits=int(document["commits"]),
        failures=tuple(
            Failure(each["asset"], each["partition"], each["error"], int(each["table_version"]))
            for each in document["failures"]
        ),
    )


def _path(run_id: str, started_at: str) -> str:
    day = dt.datetime.fromisoformat(started_at).date().isoformat()
    return f"{_RUNS}/{day}/{run_id}.json"
