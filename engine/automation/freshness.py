"""Freshness at ticks: which assets have become late or are on time again since the tick before.

The cursor names those that are late, so each change is told once, whichever daemon sees it. `_freshness` is asked of
every project that has policies; alerts read its cursor. Sensors on freshness have cursors of their own.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from threading import Lock

from deltaworks.engine.automation.evaluation import Evaluation
from deltaworks.engine.automation.sensor_watch import WatchedSensor
from deltaworks.engine.definitions.automation.freshness_change import FreshnessChange
from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.execution.freshness import lake_freshness
from deltaworks.engine.execution.observer import Observer
from deltaworks.engine.planning.freshness import Verdict
from deltaworks.engine.planning.freshness_text import freshness_text
from deltaworks.engine.planning.graph import build_graph
from deltaworks.engine.workspace.dynamic_keys import read_dynamic_keys
from deltaworks.errors import StorageError
from deltaworks.io.marks import read_mark
from deltaworks.io.store import Store
from deltaworks.io.ticks import TickKind

NAME = "_freshness"
"""The name of its ticks; no schedule and no sensor can have it."""

INTERVAL_S = 10.0
"""How far its ticks are apart at least."""

TIMEOUT_S = 900.0
"""How long a tick may take: the first one reads all logs."""


@dataclass(frozen=True, slots=True)
class Told:
    """What has changed since a cursor."""

    changes: tuple[FreshnessChange, ...]
    cursor: str
    """After these are told."""


def watched_freshness(definitions: Definitions) -> tuple[WatchedSensor, ...]:
    """Return what the daemon needs to know to look after the freshness of a project; nothing, if it has no policy."""
    if all(asset.freshness is None for asset in definitions.assets):
        return ()
    return (WatchedSensor(NAME, None, INTERVAL_S, True, TIMEOUT_S),)


class AskedFreshness:
    """The freshness of a project, and what this process knows of its lake from the ticks before."""

    def __init__(self, definitions: Definitions, store: Store) -> None:
        """Begin with nothing known."""
        self._definitions, self._store = definitions, store
        self._observer: Observer | None = None
        self._lock = Lock()
        """A tick that was given up may still be looked at when the next one comes."""

    def ask(self, cursor: str | None, now: dt.datetime) -> Evaluation:
        """Return what a tick of `_freshness` leaves.

        Raises:
            StorageError: the lake cannot be read.
        """
        told = self.changes(NAME, cursor, now)
        said = [f"{each.asset} is {'late' if each.is_late else 'on time again'}" for each in told.changes]
        return Evaluation(skip_reason="; ".join(said) or "nothing has become late or on time", cursor=told.cursor)

    def changes(
        self, whose: str, cursor: str | None, now: dt.datetime, assets: Collection[AssetKey] | None = None
    ) -> Told:
        """Return which assets have become late or are on time again since a cursor.

        Args:
            whose: whose cursor it is, for messages.
            cursor: what the tick before left; none: nothing was known to be late.
            now: the moment.
            assets: those that are asked about; none: all.

        Raises:
            StorageError: the lake cannot be read, or the cursor is none.
        """
        before = read_late(whose, cursor)
        late = dict[str, FreshnessChange]()
        changes: list[FreshnessChange] = []
        with self._lock:
            graph = build_graph(self._definitions, now, read_dynamic_keys(self._definitions, self._store))
            self._observer = Observer(graph, self._store) if self._observer is None else self._observer
            self._observer.follow(graph)
            found = lake_freshness(graph, self._store, self._observer.observe(), now, assets)
        for key, each in found.items():
            name = str(key)
            if each.verdict is Verdict.UNKNOWN:
                late |= {name: before[name]} if name in before else {}
            elif not each.is_late:
                changes += [_over(before[name])] if name in before else []
            elif name in before:
                late[name] = before[name]
            else:
                assert each.since is not None, "what is late lacks something"
                assert each.due_at is not None, "what is late was due"
                late[name] = FreshnessChange(name, True, each.since, each.due_at, freshness_text(each, graph))
                changes.append(late[name])
        changes += [_over(each) for name, each in before.items() if name not in map(str, found)]
        return Told(tuple(changes), write_late(late))


def read_late(whose: str, cursor: str | None) -> dict[str, FreshnessChange]:
    """Return what a cursor says is late, by asset.

    Raises:
        StorageError: it says nothing of the kind.
    """
    try:
        return {
            name: FreshnessChange(
                name,
                True,
                dt.datetime.fromisoformat(each["since"]),
                dt.datetime.fromisoformat(each["due_at"]),
                str(each["sentence"]),
            )
            for name, each in json.loads(cursor or "{}").items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StorageError(
            f"{whose}: its cursor {cursor!r} does not say what is late; set it to '{{}}' by `deltaworks sensor cursor`"
        ) from error


def write_late(late: Mapping[str, FreshnessChange]) -> str:
    """Return a cursor that says what is late."""
    return json.dumps(
        {
            name: {"since": each.since.isoformat(), "due_at": each.due_at.isoformat(), "sentence": each.sentence}
            for name, each in sorted(late.items())
        }
    )


def late_now(asked: AskedFreshness, store: Store, now: dt.datetime) -> tuple[FreshnessChange, ...]:
    """Return what is late at a moment, in the words in which it was told when a daemon found it.

    Raises:
        StorageError: the lake cannot be read.
    """
    mark = read_mark(store, NAME, TickKind.SENSOR)
    told = asked.changes(NAME, None if mark is None else mark.cursor, now)
    return tuple(read_late(NAME, told.cursor).values())


def _over(late: FreshnessChange) -> FreshnessChange:
    return FreshnessChange(late.asset, False, late.since, late.due_at, late.sentence)
