"""Audit: who had what changed through the UI or the API."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from itertools import islice

from deltaworks.io.audit import AuditEntry, audit_entries
from deltaworks.io.store import Store

PAGE = 50
"""How many entries the page shows."""


@dataclass(frozen=True, slots=True)
class AuditRow:
    """An entry as it is shown."""

    entry: AuditEntry
    at: dt.datetime
    page: str
    """What it has led to on this server; empty: nothing with a page."""


@dataclass(frozen=True, slots=True)
class AuditView:
    """Some entries, the newest first."""

    rows: tuple[AuditRow, ...]
    before: str | None
    """Where older ones begin; none: there are none."""


def audit_view(store: Store, before: str | None, limit: int = PAGE) -> AuditView:
    """Return the entries before one.

    Raises:
        StorageError: one is damaged.
    """
    found = list(islice(audit_entries(store, before), limit + 1))
    shown = found[:limit]
    return AuditView(tuple(map(_row, shown)), shown[-1].entry_id if len(found) > limit else None)


def _row(entry: AuditEntry) -> AuditRow:
    is_ours = entry.led_to.startswith("/") and not entry.led_to.startswith("//")
    return AuditRow(entry, dt.datetime.fromisoformat(entry.at), entry.led_to if is_ours else "")
