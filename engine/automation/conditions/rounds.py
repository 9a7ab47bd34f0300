"""Rounds: the conditions of a lake, evaluated tick after tick by one process.

This is all that a daemon needs of conditions: at each of its ticks it calls `tick`, starts a run for each of the
`groups` of what it returns, and tells at the next one which of these runs it has not started yet. What is in progress
otherwise, what has failed and what is there now are read from the lake. A run of a group is a plan of its requests with
`Only.ALL`. Several daemons on one lake must take turns, as for any tick.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from deltaworks.engine.automation.conditions.attempts import Attempts
from deltaworks.engine.automation.conditions.evaluate import ConditionTick, evaluate
from deltaworks.engine.automation.conditions.memory import Memory
from deltaworks.engine.automation.conditions.sight import Sight
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partitions.multi_partitions import key_ranges
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.execution.observer import Observer
from deltaworks.engine.execution.turn import being_made, line_of_work
from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.io.condition_notes import ConditionNotes, DecisionNote, read_condition_notes, write_condition_notes
from deltaworks.io.store import Store

Requests = Mapping[AssetKey, PartitionSet]


class Rounds:
    """What one process knows of a lake and of its conditions."""

    def __init__(self, graph: AssetGraph, store: Store) -> None:
        """Begin where the last process left off.

        Raises:
            StorageError: what it left is damaged.
        """
        self._store, self._observer, self._attempts = store, Observer(graph, store), Attempts(store)
        self._work = line_of_work(store)
        notes = read_condition_notes(store)
        self._memory = Memory() if notes is None else Memory.from_text(notes.memory, graph)
        self._notes = None if notes is None else notes.decisions
        self.last: ConditionTick | None = None
        """What the last tick came to."""
        self._in_progress: dict[AssetKey, PartitionSet] = {}

    def tick(self, now: dt.datetime, pending: Requests | None = None, graph: AssetGraph | None = None) -> ConditionTick:
        """Look at the lake and evaluate all conditions; what is to be told to the next process is not kept yet.

        Args:
            now: the time.
            pending: what earlier ticks asked for and no run has been started for yet.
            graph: the assets as they are now, where they are others than at the tick before.

        Raises:
            LogGap: a commit of one of the lake's own tables is missing or damaged.
            StorageError: the lake cannot be read.
        """
        if graph is not None:
            self._observer.follow(graph)
        tick = evaluate(self._observer.graph, self._look(now, pending or {}), self._memory, now, self.last)
        self._memory, self.last = tick.memory, tick
        return tick

    def keep(self) -> None:
        """Keep what the last tick remembers and decided, for `why` and for the next process.

        A process that dies before it does asks again for what nobody has made meanwhile.

        Raises:
            StorageError: the lake cannot be written.
        """
        tick = self.last
        assert tick is not None, "there is something to keep once there was a tick"
        decisions = tuple(noted_decisions(tick))
        if decisions != self._notes or tick.evaluated:
            assert tick.memory.at is not None, "it was just evaluated"
            write_condition_notes(self._store, ConditionNotes(tick.memory.at, tick.memory.to_text(), decisions))
            self._notes = decisions

    def _look(self, now: dt.datetime, pending: Requests) -> Sight:
        graph, status = self._observer.graph, self._observer.observe().status
        found = dict(being_made(self._work, graph))
        for key, chosen in pending.items():
            found[key] = found[key] | chosen if key in found else chosen
        was, self._in_progress = self._in_progress, {}
        for key, chosen in found.items():
            before = was.get(key)
            is_same = before is not None and before.size == chosen.size and before == chosen
            self._in_progress[key] = before if is_same and before is not None else chosen
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
