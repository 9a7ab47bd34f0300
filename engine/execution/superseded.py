"""Superseded: what becomes of partitions that somebody else changed while a run was making them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from enum import Enum

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.engine.planning.plan import Only, Plan, matching
from deltaworks.engine.planning.state import lake_state
from deltaworks.engine.planning.status import Status, lake_status
from deltaworks.errors import CommitConflict
from deltaworks.io.table import Table

MAX_TRIES = 3
"""How often a partition is made that others change each time meanwhile."""


class Verdict(Enum):
    """What becomes of such a partition."""

    THEIRS = "theirs"
    """What they made will do."""
    GONE = "gone"
    """It is not there any more, and nobody asks for it."""
    AGAIN = "again"
    """It is still asked for, so it is made again."""
    FAILED = "failed"
    """Whoever asked for it is told that it was changed."""


class Superseded:
    """Decides anew about the partitions of one run."""

    def __init__(self, graph: AssetGraph, plan: Plan, tables: Mapping[AssetKey, Table], run_id: str) -> None:
        """Nothing was superseded yet; `tables` are those that the run advances."""
        self._graph, self._plan, self._tables, self._run_id = graph, plan, tables, run_id
        self._count: Counter[tuple[AssetKey, int]] = Counter()

    @property
    def asks_anew(self) -> bool:
        """Whether a partition is asked for because of its status, so that it is decided on again."""
        return Only.ALL not in self._plan.only

    def decide(self, key: AssetKey, conflicts: Mapping[int, CommitConflict]) -> dict[int, Verdict]:
        """Decide about partitions of an asset, by ordinal.

        What another attempt of the same run made will do; that attempt was taken for lost, and was not. Who asked for
        these very partitions, whatever their status, is told. Else what is still asked for is made again, a few times.
        """
        writers = self._tables[key].writers
        found = {
            ordinal: Verdict.THEIRS
            for ordinal, conflict in conflicts.items()
            if writers[conflict.version].run_id == self._run_id
        }
        others = [ordinal for ordinal in conflicts if ordinal not in found]
        if not self.asks_anew:
            return found | dict.fromkeys(others, Verdict.FAILED)
        if not others:
            return found
        status = lake_status(self._graph, lake_state(self._graph, self._tables, ()))[key]
        wanted = matching(status, self._plan.only)
        for ordinal in others:
            self._count[key, ordinal] += 1
            if ordinal not in wanted:
                is_gone = Status(status.status[ordinal]) is Status.MISSING
                found[ordinal] = Verdict.GONE if is_gone else Verdict.THEIRS
            else:
                found[ordinal] = Verdict.AGAIN if self._count[key, ordinal] < MAX_TRIES else Verdict.FAILED
        return found
