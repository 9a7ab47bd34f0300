"""Run: carry out a plan, from its first call to its last commit.

One coordinator dispatches calls, gathers what they staged and commits it in batches; workers only stage. A partition
that fails blocks what is made from it and nothing else.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Event as Flag

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.execution.agenda import Agenda, Blocked
from deltaworks.engine.execution.batch import Batch, commit_batch
from deltaworks.engine.execution.events import (
    EventSink,
    PartitionBlocked,
    PartitionFailed,
    PartitionsCommitted,
    PartitionWarned,
    RunStarted,
    Stopping,
)
from deltaworks.engine.execution.executor import Executor
from deltaworks.engine.execution.task import Outcome, PinnedInput, Task
from deltaworks.engine.planning.graph import AssetGraph, Edge
from deltaworks.engine.planning.plan import Plan
from deltaworks.errors import DeltaworksError
from deltaworks.io.ledger import Failure, RunEntry, RunStatus, write_run
from deltaworks.io.store import Store
from deltaworks.io.table import Table

BATCH_PARTITIONS = 50
"""Partitions a commit: 50 in one are 11 to 29 times cheaper than 50 commits."""

BATCH_AGE_S = 2.0
"""How long a staged partition waits for others at most."""

SMALL_BYTES = 32 * 1024 * 1024
"""Up to this many bytes of Parquet, inputs and result of a single partition are held in memory."""


@dataclass(frozen=True)
class RunReport:
    """How a run ended."""

    entry: RunEntry
    """As the ledger keeps it."""
    blocked: tuple[PartitionBlocked, ...]
    """What was not tried, since something that it is made from failed."""


@dataclass
class _Progress:
    materialized: int = 0
    commits: int = 0
    failures: list[Failure] = field(default_factory=list[Failure])
    blocked: list[PartitionBlocked] = field(default_factory=list[PartitionBlocked])


class Run:
    """The coordinator of one run. Its tables are advanced by its own commits."""

    def __init__(
        self,
        graph: AssetGraph,
        plan: Plan,
        tables: Mapping[AssetKey, Table],
        executor: Executor,
        entry: RunEntry,
        now: Callable[[], dt.datetime],
        tell: EventSink,
    ) -> None:
        self._graph, self._plan, self._tables = graph, plan, tables
        self._executor, self._entry, self._now, self._tell = executor, entry, now, tell
        self._agenda = Agenda(graph, plan)
        self._decided_at = {key: table.version for key, table in tables.items()}
        self._batches: dict[AssetKey, Batch] = {}
        self._progress = _Progress()
        self._numbers = 0
        self._running = 0

    def carry_out(self, store: Store, stop: Flag) -> RunReport:
        """Make everything that can be made; once `stop` is set, finish and commit what has begun, and no more.

        Raises:
            StorageError: the lake cannot be written; what was committed before stays.
        """
        write_run(store, self._entry)
        self._tell(RunStarted(self._entry.run_id, {key: len(part) for key, part in self._plan.planned.items()}))
        try:
            self._loop(stop)
        except BaseException:
            write_run(store, self._ended(RunStatus.FAILURE))
            raise
        finally:
            self._executor.close()
        ended = self._ended(self._status(stop))
        write_run(store, ended)
        return RunReport(ended, tuple(self._progress.blocked))

    def _loop(self, stop: Flag) -> None:
        told = False
        while True:
            if stop.is_set() and not told:
                told = True
                self._tell(Stopping())
            while not told and self._running < self._executor.capacity and self._dispatch():
                pass
            if self._running:
                for outcome in self._executor.wait(timeout_s=0.1):
                    self._running -= 1
                    self._take_in(outcome)
            idle = not self._running and (told or not self._agenda.has_ready)
            for key in list(self._batches):
                if idle or self._batches[key].is_due(BATCH_PARTITIONS, BATCH_AGE_S, time.monotonic()):
                    self._commit(key)
            if idle and (told or not self._agenda.has_ready):
                return

    def _dispatch(self) -> bool:
        taken = self._agenda.take()
        if taken is None:
            return False
        key, first, last = taken
        inputs = {edge.argument.argument: self._pin(edge, first, last) for edge in self._graph.nodes[key].upstream}
        self._numbers += 1
        self._running += 1
        is_small = first == last and self._is_small(key, inputs)
        self._executor.submit(Task(self._entry.run_id, self._numbers, key, first, last, inputs, is_small))
        return True

    def _pin(self, edge: Edge, first: int, last: int) -> PinnedInput:
        """Pin an upstream: a table that this run does not write stays at the version of its start."""
        table, partitions = self._tables[edge.upstream], self._graph.nodes[edge.upstream].partitions
        keys = (partitions.key(ordinal) for ordinal in edge.correspondence.upstream_range(first, last))
        return PinnedInput(
            table=table.name,
            table_id=table.table_id,
            version=table.version,
            files=tuple(table.files(keys)),
            schema=table.schema() if table.exists else None,
            partition_columns=() if table.metadata is None else table.metadata.partition_columns,
        )

    def _is_small(self, key: AssetKey, inputs: Mapping[str, PinnedInput]) -> bool:
        table = self._tables[key]
        sizes = [sum(file.size_bytes for file in pinned.files) for pinned in inputs.values()]
        if not sizes and not table.exists:
            return False  # nothing is known about a source before its first commit
        return max(sum(sizes), table.largest_file_bytes) <= SMALL_BYTES

    def _take_in(self, outcome: Outcome) -> None:
        key = outcome.task.asset
        partitions = self._graph.nodes[key].partitions
        for ordinal, reason in outcome.failures.items():
            self._fail(key, ordinal, reason)
        for each in outcome.staged:
            if each.warned:
                self._tell(PartitionWarned(key, partitions.key(each.ordinal), tuple(map(str, each.warned))))
        if outcome.staged:
            batch = self._batches.setdefault(key, Batch(time.monotonic()))
            batch.outcomes.append(outcome)

    def _commit(self, key: AssetKey) -> None:
        batch, table, node = self._batches.pop(key), self._tables[key], self._graph.nodes[key]
        try:
            committed = commit_batch(table, node, batch, self._decided_at[key], self._entry, self._now())
        except DeltaworksError as error:
            for each in batch.staged:
                self._fail(key, each.ordinal, str(error))
            return
        refused = {conflict.partitions[0] if conflict.partitions else "": conflict for conflict in committed.conflicts}
        done = [each for each in batch.staged if each.partition.key not in refused]
        for each in batch.staged:
            if each.partition.key in refused:
                self._fail(key, each.ordinal, str(refused[each.partition.key]))
            else:
                self._agenda.committed(key, each.ordinal)
        if committed.version is not None:
            self._progress.materialized += len(done)
            self._progress.commits += 1
            rows = sum(each.partition.rows for each in done)
            self._tell(PartitionsCommitted(key, committed.version, len(done), rows))

    def _fail(self, key: AssetKey, ordinal: int, reason: str) -> None:
        partition = self._graph.nodes[key].partitions.key(ordinal)
        self._progress.failures.append(Failure(str(key), partition or None, reason, self._decided_at[key]))
        self._tell(PartitionFailed(key, partition, reason))
        for blocked in self._agenda.failed(key, ordinal):
            event = self._blocked(blocked)
            self._progress.blocked.append(event)
            self._tell(event)

    def _blocked(self, blocked: Blocked) -> PartitionBlocked:
        nodes = self._graph.nodes
        because = f"{blocked.upstream} {nodes[blocked.upstream].partitions.key(blocked.upstream_ordinal)}".rstrip()
        return PartitionBlocked(blocked.asset, nodes[blocked.asset].partitions.key(blocked.ordinal), because)

    def _status(self, stop: Flag) -> RunStatus:
        if stop.is_set():
            return RunStatus.CANCELED
        return RunStatus.FAILURE if self._progress.failures else RunStatus.SUCCESS

    def _ended(self, status: RunStatus) -> RunEntry:
        progress = self._progress
        return RunEntry(
            run_id=self._entry.run_id,
            status=status,
            command=self._entry.command,
            started_at=self._entry.started_at,
            ended_at=self._now().isoformat(),
            materialized=progress.materialized,
            failed=len(progress.failures),
            skipped=self._plan.left_out_count + len(progress.blocked),
            commits=progress.commits,
            failures=tuple(progress.failures),
        )
