"""SensorWatch: when a sensor is due, seen from the daemon.

A sensor on commits is due when the next commit file of a table is there, which is one look-up a table; now and then it
is also seen whether the table is still the one that was read. One on files is due when a file is there that was not
told, one on runs when one ended, one that looks for itself when its interval is over.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from deltaworks.engine.automation.ended_runs import read_ended
from deltaworks.engine.automation.file_arrivals import list_watched, read_told, untold
from deltaworks.engine.automation.positions import Position, read_positions
from deltaworks.engine.automation.watch import DueTick, Moment
from deltaworks.engine.definitions.asset import Asset, AssetKind
from deltaworks.engine.definitions.automation.sensor import CommitsOf, FilesOf, FreshnessOf, RunsOf, Sensor
from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.io.ledger import runs_stamp
from deltaworks.io.log import commit_path, digest, last_checkpoint
from deltaworks.io.marks import Mark, next_id, read_mark
from deltaworks.io.store import Store, split_place
from deltaworks.io.ticks import TickEntry, TickKind

CLOSER_LOOK_S = 30.0
"""How often it is seen to what a quick look cannot tell: a table made anew, a gap in a log, a run that fell silent."""

MARK_S = 15.0
"""How often it is read how far the sensor is, should somebody have set its cursor."""

REMOTE_MARK_S = 300.0
"""The same in an object store."""


@dataclass(frozen=True, slots=True)
class WatchedTable:
    """Where a table lies."""

    key: str
    root: str | None
    """None: it lies in the lake."""
    name: str
    """Its folder below the root."""
    storage: str | None = None
    """The profile by which an object store is reached that it lies in."""

    @classmethod
    def of(cls, asset: Asset[..., Any]) -> WatchedTable:
        """Describe the table of an asset."""
        if asset.kind is AssetKind.EXTERNAL:
            root, name = split_place(str(asset.location))
            return cls(str(asset.key), root, name, asset.storage)
        return cls(str(asset.key), None, asset.table_name)

    def store(self, lake: Store) -> Store:
        """Return what it lies in."""
        return lake if self.root is None else lake.elsewhere(self.root, self.storage)


Subject: TypeAlias = tuple[WatchedTable, ...] | FilesOf | RunsOf | FreshnessOf | None


@dataclass(frozen=True, slots=True)
class WatchedSensor:
    """What the daemon knows of a sensor."""

    name: str
    subject: Subject
    interval_s: float
    is_on: bool
    timeout_s: float
    kind: TickKind = TickKind.SENSOR
    max_attempts: int | None = None

    @classmethod
    def of(cls, sensor: Sensor, definitions: Definitions) -> WatchedSensor:
        """Describe a sensor."""
        watches = sensor.watches
        subject: Subject
        if isinstance(watches, CommitsOf):
            assets = {asset.key: asset for asset in definitions.assets}
            subject = tuple(WatchedTable.of(assets[key]) for key in watches.assets)
        else:
            subject = watches
        return cls(sensor.name, subject, sensor.interval_s, sensor.is_on, sensor.timeout_s)

    @property
    def looks_into_lake(self) -> bool:
        """Whether its watch looks into a store at each poll: for commits, or for runs."""
        return isinstance(self.subject, tuple | RunsOf)

    def watch(self, store: Store) -> SensorWatch:
        """Return what says when it is due."""
        return SensorWatch(self, store, _look(self.name, self.subject, store))


class Look(Protocol):
    """Looks at one thing, cheaply."""

    def finds(self, cursor: str | None, moment: Moment) -> bool:
        """Return whether there may be something that is new after a cursor.

        Raises:
            StorageError: it cannot be seen.
        """
        ...


class SensorWatch:
    """Says when one sensor is due."""

    def __init__(self, watched: WatchedSensor, store: Store, look: Look) -> None:
        """Begin to watch; the first look reads how far the sensor is."""
        self._watched, self._store, self._look = watched, store, look
        self._mark: Mark | None = None
        self._marked_s: float | None = None
        """When the mark was read; none: it has to be read again."""
        self._pending: DueTick | None = None
        """Due, and not settled yet."""
        self._looked_s: float | None = None
        self._mark_s = MARK_S if store.is_local else REMOTE_MARK_S

    def due(self, moment: Moment) -> Sequence[DueTick]:
        """Return the tick that is due, if one is."""
        if self._pending is not None:
            return (self._pending,)
        if self._looked_s is not None and moment.running_s < self._looked_s + self._watched.interval_s:
            return ()
        self._looked_s = moment.running_s
        if self._marked_s is None or moment.running_s >= self._marked_s + self._mark_s:
            self._read_mark(moment)
        if not self._look.finds(None if self._mark is None else self._mark.cursor, moment):
            return ()
        self._read_mark(moment)  # another daemon may have moved on
        cursor = None if self._mark is None else self._mark.cursor
        self._pending = DueTick(next_id(self._mark), moment.now, cursor)
        return (self._pending,)

    def settled(self, entry: TickEntry) -> None:
        """Look again, from where a decision has left the sensor."""
        if entry.kind is not TickKind.SENSOR:
            return  # it was a schedule before
        if self._pending is not None and entry.tick_id >= self._pending.tick_id:
            self._pending = None
            self._marked_s = None

    def _read_mark(self, moment: Moment) -> None:
        self._mark = read_mark(self._store, self._watched.name, TickKind.SENSOR)
        self._marked_s = moment.running_s


class _AtIntervals:
    """Every look finds something: only the function knows."""

    def finds(self, cursor: str | None, moment: Moment) -> bool:  # noqa: ARG002 - see Look
        return True


class _AtTables:
    """Looks for the next commit of each table."""

    def __init__(self, whose: str, tables: Sequence[WatchedTable], lake: Store) -> None:
        self._whose = whose
        self._tables = [(table, table.store(lake)) for table in tables]
        self._cursor: str | None = None
        self._positions: dict[str, Position] = {}
        self._stamps: dict[str, str] = {}
        """Of the commit that each table was read up to, when it was last looked at closely."""
        self._closer_s: float | None = None

    def finds(self, cursor: str | None, moment: Moment) -> bool:
        if cursor is None or cursor != self._cursor:
            self._positions, self._cursor = read_positions(self._whose, cursor), cursor
            self._stamps = {}
        positions = [(table, store, self._positions.get(table.key)) for table, store in self._tables]
        if any(
            position is None
            or (
                store.exists(commit_path(table.name, position.version + 1))
                if store.is_local
                else self._shows_another(table, store, position)
            )
            for table, store, position in positions
        ):
            return True
        if self._closer_s is not None and moment.running_s < self._closer_s + CLOSER_LOOK_S:
            return False
        self._closer_s = moment.running_s
        changed = [
            self._is_another(table, store, position)
            for table, store, position in positions
            if position and store.is_local
        ]
        return any(changed)

    def _shows_another(self, table: WatchedTable, store: Store, position: Position) -> bool:
        """Return whether a log in an object store shows anything but the commit that was read up to: one request."""
        folder, _, name = commit_path(table.name, max(position.version, 0)).rpartition("/")
        stamps = {file.name: file.stamp for file in store.files_from(folder, name) if file.name[0].isdigit()}
        own = stamps.pop(name, "") if position.version >= 0 else ""
        return bool(stamps) or (position.version >= 0 and self._is_replaced(table, store, position, own))

    def _is_another(self, table: WatchedTable, store: Store, position: Position) -> bool:
        """Return whether a table may be another one than was read, or its log may lack the next commit."""
        has_later = store.exists(commit_path(table.name, position.version + 2))
        is_ahead = has_later or last_checkpoint(store, table.name) > position.version
        stamp = store.stamp(commit_path(table.name, position.version)) if position.version >= 0 else ""
        return is_ahead or (position.version >= 0 and self._is_replaced(table, store, position, stamp))

    def _is_replaced(self, table: WatchedTable, store: Store, position: Position, stamp: str) -> bool:
        """Return whether the commit that was read up to, of which this is the stamp, is gone or another one."""
        path, before = commit_path(table.name, position.version), self._stamps.get(table.key)
        self._stamps[table.key] = stamp
        if before is None and stamp:  # nobody has looked since it was read, maybe for long
            return position.digest not in (None, digest(store.read(path) or b"").hex())
        return stamp != before or not stamp


class _AtFiles:
    """Looks for files that were not told."""

    def __init__(self, whose: str, watched: FilesOf) -> None:
        self._whose, self._watched = whose, watched

    def finds(self, cursor: str | None, moment: Moment) -> bool:  # noqa: ARG002 - see Look
        return bool(untold(list_watched(self._watched), read_told(self._whose, cursor)))


class _AtRuns:
    """Looks for runs that ended."""

    def __init__(self, name: str, watched: RunsOf, store: Store) -> None:
        self._name, self._watched, self._store = name, watched, store
        self._seen: tuple[str | None, str, str] | None = None
        """The cursor, and the stamps of yesterday and today, for which nothing was found."""
        self._closer_s: float | None = None

    def finds(self, cursor: str | None, moment: Moment) -> bool:
        if cursor is None:
            return True
        today = moment.now.date()
        yesterday = today - dt.timedelta(days=1)
        looked_at = (cursor, runs_stamp(self._store, yesterday), runs_stamp(self._store, today))
        is_late = self._closer_s is None or moment.running_s >= self._closer_s + CLOSER_LOOK_S
        if looked_at == self._seen and not is_late:
            return False
        self._closer_s = moment.running_s if is_late else self._closer_s
        seen = read_ended(self._name, self._store, self._watched, cursor, moment.now)
        self._seen = None if seen.runs else looked_at
        return bool(seen.runs) or seen.is_behind


def _look(name: str, subject: Subject, store: Store) -> Look:
    whose = f"sensor {name!r}"
    match subject:
        case FilesOf():
            return _AtFiles(whose, subject)
        case RunsOf():
            return _AtRuns(name, subject, store)
        case FreshnessOf() | None:
            return _AtIntervals()
        case tables:
            return _AtTables(whose, tables, store)
