"""ConditionWatch: when the automation conditions of a project are due, seen from the daemon.

They are due when something of what they look at may have changed: a log has another commit, a run has written its
entry, somebody has added a key or turned a switch, a cron expression has ticked or a partition of time is over. And
after each decision once more, until there is nothing more to decide: so nothing is lost that came while it was made.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from deltaworks.engine.automation.conditions.evaluate import cron_ticks
from deltaworks.engine.automation.conditions.growth import open_dimensions
from deltaworks.engine.automation.sensor_watch import CLOSER_LOOK_S, SensorWatch, WatchedSensor, WatchedTable
from deltaworks.engine.automation.watch import DueTick, Moment
from deltaworks.engine.definitions.asset import AssetKind
from deltaworks.engine.definitions.automation.condition import CronTicks
from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.definitions.partitions.resolution import dynamic_dimensions
from deltaworks.engine.definitions.partitions.time_partitions import TimePartitions
from deltaworks.io.condition_notes import NAME
from deltaworks.io.ledger import runs_stamp
from deltaworks.io.partition_keys import keys_stamp
from deltaworks.io.store import Store
from deltaworks.io.switches import switches_stamp
from deltaworks.io.ticks import TickEntry, TickKind, TickOutcome

INTERVAL_S = 1.0
"""How far ticks are apart at least."""

SIGNS_S = 5.0
"""How often it is looked in an object store, by listings, what runs have written; what they commit is seen by that."""

TABLE_S = 1.0
"""How often, times the number of tables, all logs in an object store are read: for commits of others."""

TIMEOUT_S = 900.0
"""How long a tick may take: the first one reads all logs."""


@dataclass(frozen=True, slots=True)
class WatchedConditions:
    """What the daemon knows of the conditions of a project."""

    tables: tuple[WatchedTable, ...]
    ticks: tuple[CronTicks, ...]
    """The cron expressions in them."""
    growing: tuple[TimePartitions, ...]
    """What assets are partitioned by that has no end."""
    names: tuple[str, ...]
    """Those of the dynamic partitions."""
    name: str = NAME
    kind: TickKind = TickKind.SENSOR
    is_on: bool = True
    timeout_s: float = TIMEOUT_S
    max_attempts: int | None = None

    @classmethod
    def of(cls, definitions: Definitions) -> tuple[WatchedConditions, ...]:
        """Describe the conditions of a project, all in one; nothing, if no asset has any."""
        conditions = [asset.automation for asset in definitions.assets if asset.automation is not None]
        if not conditions:
            return ()
        stored = [each for each in definitions.assets if each.kind.is_written or each.kind is AssetKind.EXTERNAL]
        ticks = dict.fromkeys(each for condition in conditions for each in cron_ticks(condition))
        dynamic = (each for asset in definitions.assets for each in dynamic_dimensions(asset.partitions))
        names = dict.fromkeys(each.name for each in dynamic if each.name is not None)
        return (cls(tuple(map(WatchedTable.of, stored)), tuple(ticks), open_dimensions(definitions), tuple(names)),)

    @property
    def looks_into_lake(self) -> bool:
        """Whether its watch looks into a store at each poll: it has a pace of its own."""
        return False

    def watch(self, store: Store) -> ConditionWatch:
        """Return what says when they are due."""
        return ConditionWatch(self, store)


class ConditionWatch:
    """Says when the conditions of a project are due."""

    def __init__(self, watched: WatchedConditions, store: Store) -> None:
        """Begin to watch; the first look finds them due."""
        self._look = _AtLake(watched, store)
        numbered = WatchedSensor(watched.name, None, INTERVAL_S, watched.is_on, watched.timeout_s)
        self._watch = SensorWatch(numbered, store, self._look)

    def due(self, moment: Moment) -> Sequence[DueTick]:
        """Return the tick that is due, if one is."""
        return self._watch.due(moment)

    def settled(self, entry: TickEntry) -> None:
        """Look once more after a decision, whoever made it, and after a failure."""
        self._watch.settled(entry)
        if entry.is_decided or entry.outcome is TickOutcome.FAILED:
            self._look.again()


class _AtLake:
    """Looks for a sign that something has changed."""

    def __init__(self, watched: WatchedConditions, store: Store) -> None:
        self._watched, self._store = watched, store
        self._logs = [(table.store(store), f"{table.name}/_delta_log") for table in watched.tables]
        self._is_local = store.is_local
        self._closer_s = CLOSER_LOOK_S if store.is_local else max(CLOSER_LOOK_S, len(self._logs) * TABLE_S)
        self._signs: tuple[object, ...] = ()
        """As they were when something was found last."""
        self._found_s = self._looked_s = 0.0

    def finds(self, cursor: str | None, moment: Moment) -> bool:  # noqa: ARG002 - see Look
        """Return whether something has changed; now and then, since a run that falls silent leaves no sign, always."""
        if not self._is_local and self._signs and moment.running_s < self._looked_s + SIGNS_S:
            return False
        self._looked_s = moment.running_s
        signs = tuple(self._now(moment.now))
        if signs == self._signs and moment.running_s < self._found_s + self._closer_s:
            return False
        self._signs, self._found_s = signs, moment.running_s
        return True

    def again(self) -> None:
        """Find something at the next look."""
        self._signs = ()

    def _now(self, now: dt.datetime) -> Sequence[object]:
        watched, yesterday = self._watched, now.date() - dt.timedelta(days=1)
        return [
            *(store.folder_stamp(folder) for store, folder in self._logs),
            *(runs_stamp(self._store, day) for day in (yesterday, now.date())),
            *(keys_stamp(self._store, name) for name in watched.names),
            switches_stamp(self._store),
            *(each.last(now) for each in watched.ticks),
            *(each.until(now).end_us for each in watched.growing),
        ]
