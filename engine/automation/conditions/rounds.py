"""Rounds: the conditions of a lake, evaluated tick after tick by one process.

What is in progress, what has failed and what is there are read from the lake. What is remembered between two ticks goes
by a cursor, as for any sensor: another process that is told the same cursor decides the same. What this process knows
beside that saves work where the cursor is the one that its own last tick ended with, and is forgotten else.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping

from deltaworks.engine.automation.conditions.attempts import Attempts
from deltaworks.engine.automation.conditions.decision import Verdict
from deltaworks.engine.automation.conditions.evaluate import ConditionTick, evaluate
from deltaworks.engine.automation.conditions.memory import Memory
from deltaworks.engine.automation.conditions.sight import Sight
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partitions.multi_partitions import key_ranges
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.execution.observer import Observer
from deltaworks.engine.execution.turn import being_made, line_of_work
from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.errors import StorageError
from deltaworks.io.condition_notes import (
    DecisionNote,
    DecisionNotes,
    MemoryNote,
    put_memory,
    read_memory,
    write_decisions,
)
from deltaworks.io.store import Store

Requests = Mapping[AssetKey, PartitionSet]


class Rounds:
    """What one process knows of a lake and of its conditions."""

    def __init__(self, graph: AssetGraph, store: Store) -> None:
        """Begin with nothing known; the first tick reads everything."""
        self._store, self._observer, self._attempts = store, Observer(graph, store), Attempts(store)
        self._work = line_of_work(store)
        self._cursor: str | None = None
        """That which the last tick was told, or which it ended with."""
        self._memory = Memory()
        self._known: str | None = None
        """The memory that the cursor names; none: there is none."""
        self._decisions: tuple[DecisionNote, ...] | None = None
        """What this process has said last."""
        self.last: ConditionTick | None = None
        """What the last tick came to."""
        self._in_progress: dict[AssetKey, PartitionSet] = {}

    def tick(
        self,
        now: dt.datetime,
        cursor: str | None = None,
        pending: Requests | None = None,
        graph: AssetGraph | None = None,
        off: frozenset[AssetKey] = frozenset(),
    ) -> ConditionTick:
        """Look at the lake and evaluate all conditions; nothing is written.

        Args:
            now: the time.
            cursor: what the tick before left; none: there was none.
            pending: what ticks asked for whose runs are not over, though no process may have begun them yet.
            graph: the assets as they are now, where they are others than at the tick before.
            off: the assets whose conditions somebody has stopped.

        Raises:
            LogGap: a commit of one of the lake's own tables is missing or damaged.
            StorageError: the lake cannot be read.
        """
        if graph is not None:
            self._observer.follow(graph)
        if cursor != self._cursor:
            self._go_on_from(cursor)
        tick = evaluate(self._observer.graph, self._look(now, pending or {}), self._memory, now, self.last, off)
        self._memory, self.last = tick.memory, tick
        return tick

    def keep(self) -> str | None:
        """Put what the last tick remembers and what it decided, and return the cursor for the next one.

        None: it asks for nothing and remembers what its own cursor says, so that one goes on to hold.

        Raises:
            StorageError: the lake cannot be written.
        """
        tick = self.last
        assert tick is not None, "there is something to keep once there was a tick"
        if not tick.evaluated and self._known is not None:
            return None
        assert tick.memory.at is not None, "it was just evaluated"
        decisions, memory = tuple(noted_decisions(tick)), tick.memory.to_text()
        try:
            if decisions != self._decisions:
                write_decisions(self._store, DecisionNotes(tick.memory.at, decisions))
                self._decisions = decisions
            if memory == self._known and not tick.requests and not tick.passed:
                return None
            cursor = put_memory(self._store, self._cursor, MemoryNote(tick.memory.at, memory))
        except StorageError:
            self._forget()  # else the next tick would go on from what nobody was told
            raise
        self._cursor, self._known = cursor, memory
        return cursor

    @property
    def waiting(self) -> Mapping[str, int]:
        """How many partitions of each asset waited at the last tick and were not being made; only where some did."""
        found: Counter[str] = Counter()
        tick = self.last
        for each in () if tick is None else tick.decisions:
            if each.verdict is Verdict.WAITS and tick is not None:
                found[str(each.asset)] += len(each.partitions - tick.sight.being_made(each.asset))
        return {asset: count for asset, count in found.items() if count}

    def _forget(self) -> None:
        """Know nothing beside the lake, as at the beginning."""
        self._cursor, self._known, self.last, self._memory = None, None, None, Memory()

    def _go_on_from(self, cursor: str | None) -> None:
        """Forget what this process knows beside the lake, and remember what a cursor says."""
        note = None if cursor is None else read_memory(self._store, cursor)
        self._cursor, self._known, self.last = cursor, None if note is None else note.memory, None
        graph = self._observer.graph
        self._memory = Memory() if note is None else Memory.from_text(note.memory, graph, note.at)

    def _look(self, now: dt.datetime, pending: Requests) -> Sight:
        # First what is in progress: a run that ends between the two looks has committed before the second one.
        found = dict(being_made(self._work, self._observer.graph))
        for key, chosen in pending.items():
            found[key] = found[key] | chosen if key in found else chosen
        was, self._in_progress = self._in_progress, {}
        for key, chosen in found.items():
            before = was.get(key)
            is_same = before is not None and before.size == chosen.size and before == chosen
            self._in_progress[key] = before if is_same and before is not None else chosen
        graph, status = self._observer.graph, self._observer.observe().status
        return Sight(status, self._in_progress, self._attempts.tried(graph, status, self._observer.runs, now))


def noted_decisions(tick: ConditionTick) -> list[DecisionNote]:
    """Return what was decided at a tick, in keys and words."""
    notes: list[DecisionNote] = []
    for each in tick.decisions:
        partitions = tick.conditions.graph.nodes[each.asset].partitions
        ranges = key_ranges(each.partitions.ranges(), partitions)
        keys = tuple((partitions.key(first), partitions.key(last)) for first, last in ranges)
        notes.append(DecisionNote(str(each.asset), keys, len(each.partitions), each.sentence))
    return notes
