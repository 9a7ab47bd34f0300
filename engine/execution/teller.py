"""Teller: notes what becomes of partitions in a run's progress, and tells whoever listens."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.execution.agenda import Blocked
from deltaworks.engine.execution.events import (
    EventSink,
    PartitionBlocked,
    PartitionFailed,
    PartitionSkipped,
    PartitionWarned,
    RunProgressed,
)
from deltaworks.engine.execution.progress import Progress
from deltaworks.engine.execution.table_then import TableThen
from deltaworks.engine.execution.task import Broken
from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.io.run_entry import Failure
from deltaworks.validation import RuleResult

TOLD_EVERY_S = 1.0
"""How often a run tells how far it is."""


@dataclass(slots=True)
class Teller:
    """Of one run."""

    graph: AssetGraph
    progress: Progress
    tell: EventSink
    _told_s: float = 0.0

    def progressed(self, now_s: float) -> None:
        """Tell how far the run is, unless it has just done so."""
        if now_s - self._told_s >= TOLD_EVERY_S:
            self._told_s = now_s
            self.tell(RunProgressed(self.progress.outcomes()))

    def skipped(self, events: Iterable[PartitionSkipped]) -> None:
        """Note what others have made."""
        for event in events:
            self.progress.skip(event)
            self.tell(event)

    def warned(self, key: AssetKey, results: Iterable[tuple[int, RuleResult]]) -> None:
        """Tell what did not pass in partitions of an asset and keeps nothing back."""
        found: dict[int, list[str]] = {}
        for ordinal, result in results:
            found.setdefault(ordinal, []).append(str(result))
        for ordinal, texts in found.items():
            self.tell(PartitionWarned(key, self._key(key, ordinal), tuple(texts)))

    def failed(self, key: AssetKey, ordinal: int, reason: str, then: TableThen, broken: Broken | None) -> None:
        """Note that a partition could not be made."""
        partition = self._key(key, ordinal)
        if broken is not None:
            self.progress.broken[str(key), partition or None] = broken
        self.progress.fail(Failure(str(key), partition or None, reason, then.version, then.table_id))
        self.tell(PartitionFailed(key, partition, reason))

    def blocked(self, blocked: Blocked, *, is_gone: bool) -> None:
        """Note that a partition is not tried, since another one failed or is gone."""
        because = f"{blocked.upstream} {self._key(blocked.upstream, blocked.upstream_ordinal)}".rstrip()
        event = PartitionBlocked(blocked.asset, self._key(blocked.asset, blocked.ordinal), because, is_gone)
        self.progress.block(event)
        self.tell(event)

    def _key(self, key: AssetKey, ordinal: int) -> str:
        return self.graph.nodes[key].partitions.key(ordinal)
