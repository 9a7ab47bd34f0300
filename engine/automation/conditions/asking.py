"""Asking: put a tick to the conditions of a project, in a process that has it loaded."""

from __future__ import annotations

import datetime as dt
from threading import Lock

from deltaworks.engine.automation.conditions.evaluate import ConditionTick, groups
from deltaworks.engine.automation.conditions.growth import has_grown
from deltaworks.engine.automation.conditions.pending import Pending
from deltaworks.engine.automation.conditions.rounds import Rounds
from deltaworks.engine.automation.conditions.spelling import spell
from deltaworks.engine.automation.conditions.switches import stopped
from deltaworks.engine.automation.evaluation import Evaluation
from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.definitions.partitions.resolution import DynamicKeys, dynamic_dimensions
from deltaworks.engine.planning.graph import AssetGraph, build_graph
from deltaworks.engine.planning.source_code import forget_sources
from deltaworks.engine.planning.state import AssetState
from deltaworks.engine.workspace.dynamic_keys import read_dynamic_keys
from deltaworks.io.freed_memory import give_back
from deltaworks.io.run_plan import PlannedTable
from deltaworks.io.store import Store


class AskedConditions:
    """The conditions of a project, and what this process knows of them from the ticks before."""

    def __init__(self, definitions: Definitions, store: Store) -> None:
        """Begin with nothing known."""
        self._definitions, self._store = definitions, store
        self._has_dynamic = any(dynamic_dimensions(asset.partitions) for asset in definitions.assets)
        self._keys: DynamicKeys = {}
        self._graph: AssetGraph | None = None
        self._rounds: Rounds | None = None
        self._pending = Pending(store)
        self._lock = Lock()
        """A tick that was given up may still be looked at when the next one comes."""

    def ask(self, cursor: str | None, now: dt.datetime, *, in_one_run: bool = False) -> Evaluation:
        """Return what conditions ask for; what they remember is put, and the answer's cursor names it.

        Args:
            cursor: what the tick before left; none: there was none.
            now: the time.
            in_one_run: whether all is made by one run; else what does not hang together by several.

        Raises:
            InvalidDefinition: the assets do not fit together.
            LogGap: a commit of one of the lake's own tables is missing or damaged.
            StorageError: the lake cannot be read or written.
        """
        with self._lock:
            rounds, tick = self._tick(cursor, now)
            requests, graph = tick.requests, tick.conditions.graph
            parts = [requests] if in_one_run and requests else groups(graph, requests)
            return Evaluation(
                assets=tuple(
                    {str(key): spell(graph.nodes[key].partitions, chosen) for key, chosen in part.items()}
                    for part in parts
                ),
                tables={str(key): _as_found(tick.sight.status[key].state) for key in requests},
                skip_reason=None if requests else "nothing that could be made now is asked for",
                cursor=rounds.keep(),
                left=rounds.waiting,
            )

    def look(self, cursor: str | None, now: dt.datetime) -> ConditionTick:
        """Return what conditions would ask for, and why; nothing is written.

        Raises:
            InvalidDefinition, LogGap, StorageError: see `ask`.
        """
        with self._lock:
            return self._tick(cursor, now)[1]

    @property
    def last(self) -> ConditionTick:
        """What the last tick came to."""
        assert self._rounds is not None, "somebody has asked"
        assert self._rounds.last is not None, "somebody has asked"
        return self._rounds.last

    def _tick(self, cursor: str | None, now: dt.datetime) -> tuple[Rounds, ConditionTick]:
        graph = self._follow(now)
        if self._rounds is None:
            self._rounds = Rounds(graph, self._store)
        waiting, off = self._pending.partitions(graph, now), stopped(self._store, graph)
        return self._rounds, self._rounds.tick(now, cursor, waiting, graph, off)

    def _follow(self, now: dt.datetime) -> AssetGraph:
        """Return the assets with their partitions as they are now; the same object where nothing has changed."""
        keys: DynamicKeys = {}
        if self._has_dynamic:
            keys = read_dynamic_keys(self._definitions, self._store)
        if self._graph is None or keys != self._keys or has_grown(self._graph, now):
            self._graph, self._keys = build_graph(self._definitions, now, keys), keys
            _read_code(self._graph)
        return self._graph


def _read_code(graph: AssetGraph) -> None:
    """Find out all code versions, and let go of what that takes before the lake is read, which takes as much again."""
    for node in graph.nodes.values():
        _ = node.code
    forget_sources()
    give_back()


def _as_found(state: AssetState) -> PlannedTable:
    return PlannedTable(state.table_id, -1 if state.version is None else state.version)
