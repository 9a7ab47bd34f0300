"""RunPlan: what a run is to make and from what, so that a later attempt can go on from there.

It lies in `_deltaworks/ledger/plans/<run id>.json`, apart from the run's entry, which is written every few seconds.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from deltaworks.errors import StorageError
from deltaworks.io.dtypes import Json
from deltaworks.io.store import ENGINE_FOLDER, Store

FOLDER: Final = f"{ENGINE_FOLDER}/ledger/plans"

KEPT_FOR: Final = dt.timedelta(days=30)
"""How long plans, logs and what steps gave are kept at least: a run can be tried again for so long."""


@dataclass(frozen=True, slots=True)
class PlannedTable:
    """A table as it was when the run began."""

    table_id: str | None
    """None: there was none."""
    version: int
    """-1: there was none."""


@dataclass(frozen=True, slots=True)
class RunPlan:
    """The plan of a run, by names that outlive a change of its definitions."""

    planned: Mapping[str, tuple[tuple[str, str], ...]]
    """By asset, upstreams first: the first and last keys of ranges; the empty key is the whole of an asset that has no
    partitions."""
    tables: Mapping[str, PlannedTable]
    """By asset: those that it makes, and those that it reads."""
    code: Mapping[str, str] = field(default_factory=dict[str, str])
    """By asset: what code was to make it, as its hash; nothing of those that an older engine planned."""


def write_run_plan(store: Store, run_id: str, plan: RunPlan) -> None:
    """Keep the plan of a run.

    Raises:
        StorageError: the lake cannot be written.
    """
    document = {
        "format": 1,
        "planned": {asset: [list(ends) for ends in ranges] for asset, ranges in plan.planned.items()},
        "tables": {asset: [table.table_id, table.version] for asset, table in plan.tables.items()},
        "code": dict(plan.code),
    }
    store.put(_path(run_id), json.dumps(document, indent=1).encode())


def read_run_plan(store: Store, run_id: str) -> RunPlan | None:
    """Return the plan of a run; none if nothing is kept of it.

    Raises:
        StorageError: it is damaged.
    """
    content = store.read(_path(run_id))
    if content is None:
        return None
    try:
        document: Json = json.loads(content)
        return RunPlan(
            {asset: tuple((first, last) for first, last in ranges) for asset, ranges in document["planned"].items()},
            {asset: PlannedTable(found, int(version)) for asset, (found, version) in document["tables"].items()},
            dict(document.get("code") or {}),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise StorageError(
            f"the plan of a run in {store.uri(_path(run_id))} is damaged ({type(error).__name__}: {error}); run the "
            "run's command again instead"
        ) from error


def _path(run_id: str) -> str:
    return f"{FOLDER}/{run_id}.json"
