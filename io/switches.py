"""Switches: which schedules and sensors somebody has started or stopped, and whether daemons are paused.

`_deltaworks/state/switches/<name>.json` says what was said last. Without one a schedule or sensor is as it is defined.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial

from deltaworks.errors import StorageError
from deltaworks.io.store import ENGINE_FOLDER, Store
from deltaworks.io.together import together

FOLDER = f"{ENGINE_FOLDER}/state/switches"

DAEMONS = "_daemons"
"""The switch of all daemons of the lake together: while it is off, they begin nothing."""


@dataclass(frozen=True, slots=True)
class Switch:
    """What somebody said about a schedule or sensor."""

    is_on: bool
    by: str
    at: str


def read_switch(store: Store, name: str) -> Switch | None:
    """Return what was said last; none if nothing was.

    Raises:
        StorageError: it is damaged.
    """
    path = f"{FOLDER}/{name}.json"
    content = store.read(path)
    if content is None:
        return None
    try:
        document = json.loads(content)
        return Switch(bool(document["is_on"]), str(document["by"]), str(document["at"]))
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(
            f"{store.uri(path)} is damaged ({type(error).__name__}: {error}); delete it, and start or stop {name} again"
        ) from error


def are_paused(switches: Mapping[str, bool]) -> bool:
    """Tell whether the daemons of a lake are paused, by what `read_switches` returned."""
    return not switches.get(DAEMONS, True)


def read_switches(store: Store) -> dict[str, bool]:
    """Return what was said last of every schedule and sensor of which something was said.

    Raises:
        StorageError: one of them is damaged.
    """
    names = [path.rpartition("/")[2].removesuffix(".json") for path in store.list(FOLDER)]
    found = zip(names, together(store, partial(read_switch, store), names), strict=True)
    return {name: switch.is_on for name, switch in found if switch is not None}


def switches_stamp(store: Store) -> str | None:
    """Return what changes when somebody starts or stops anything; none: only a listing could tell."""
    return store.folder_stamp(FOLDER)


def set_switch(store: Store, name: str, *, is_on: bool, by: str, at: dt.datetime) -> None:
    """Start or stop a schedule or sensor, for all daemons of the lake.

    Raises:
        StorageError: the lake cannot be written.
    """
    store.put(f"{FOLDER}/{name}.json", json.dumps(asdict(Switch(is_on, by, at.isoformat()))).encode())
