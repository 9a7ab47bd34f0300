"""Run lookup: the entry of the run that has an id, without reading those of others."""

from __future__ import annotations

import datetime as dt

from deltaworks.io import folded
from deltaworks.io.ledger import RUNS, read_entry, read_folded, read_run_at
from deltaworks.io.run_entry import RunEntry
from deltaworks.io.store import Store

_FEW_DAYS = 4
"""Of more days it is looked first which of them have any run."""


def look_up_run(store: Store, run_id: str) -> RunEntry | None:
    """Return the entry of a run, folded or not; none if there is none.

    Cost: one look a day whose runs are not folded; where it is none of these, one read of a column a month that is.

    Raises:
        StorageError: it is damaged, or a Parquet file of the ledger is.
    """
    for day in sorted(store.names(RUNS), reverse=True):
        entry = read_entry(store, f"{RUNS}/{day}/{run_id}.json")
        if entry is not None:
            return entry
    path = folded.find(store, run_id)
    entries = () if path is None else read_folded(store, path)
    return next((entry for entry in entries if entry.run_id == run_id), None)


def look_up_run_of(store: Store, run_id: str, since: dt.date, until: dt.date) -> RunEntry | None:
    """Return the entry of a run that began on one of some days; none if there is none, or it is folded.

    Raises:
        StorageError: it is damaged.
    """
    first, count = since - dt.timedelta(days=1), (until - since).days + 3
    days = [(first + dt.timedelta(days=place)).isoformat() for place in range(count)]
    there = set(days) if count <= _FEW_DAYS else set(store.names(RUNS))
    found = (read_run_at(store, run_id, day) for day in days if day in there)
    return next((entry for entry in found if entry is not None), None)
