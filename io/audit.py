"""Audit: who had what changed through the UI or the API, as one small JSON object a change.

`_deltaworks/ledger/audit/<month>/<entry id>.json`; ids begin with the instant, so names sort by time. Entries are
never changed. Nothing is decided by them.
"""

from __future__ import annotations

import datetime as dt
import json
import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields

from deltaworks.errors import StorageError
from deltaworks.io.dtypes import Json
from deltaworks.io.store import ENGINE_FOLDER, Store

FOLDER = f"{ENGINE_FOLDER}/ledger/audit"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change that was asked for."""

    entry_id: str
    at: str
    """When it was answered, in UTC."""
    who: str
    request: str
    """Method and path."""
    command: str
    """What does the same on the command line; empty: it was not told."""
    status: int
    """Of the answer; 500 and more: it broke, and some of it may have been done."""
    led_to: str
    """The path of what it has made, as a run; empty: nothing with a page."""


def new_entry_id(at: dt.datetime) -> str:
    """Return an id for an entry of now."""
    return f"{at:%Y%m%dT%H%M%S%f}-{secrets.token_hex(4)}"


def put_audit_entry(store: Store, entry: AuditEntry) -> None:
    """Keep an entry.

    Raises:
        StorageError: the lake cannot be written.
    """
    store.put_new_surely(f"{FOLDER}/{entry.entry_id[:6]}/{entry.entry_id}.json", json.dumps(asdict(entry)).encode())


def audit_entries(store: Store, before: str | None = None) -> Iterator[AuditEntry]:
    """Yield the entries, the newest first, those before the id if there is one.

    Cost: lists a month and reads an entry as they are asked for.

    Raises:
        StorageError: one is damaged.
    """
    for month in sorted(store.names(FOLDER), reverse=True):
        for name in sorted(store.names(f"{FOLDER}/{month}"), reverse=True):
            if before is None or name.removesuffix(".json") < before:
                yield _read(store, f"{FOLDER}/{month}/{name}")


def _read(store: Store, path: str) -> AuditEntry:
    content = store.read(path)
    try:
        document: Json = json.loads(content or b"")
        return AuditEntry(**{each.name: document[each.name] for each in fields(AuditEntry)})
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(
            f"{store.uri(path)} is damaged ({type(error).__name__}: {error}); delete it: only this entry is lost"
        ) from error
