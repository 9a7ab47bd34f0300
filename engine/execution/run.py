"""Run: carry out a plan, from its first call to its last commit.

One coordinator dispatches calls, gathers what they staged and commits it in batches; workers only stage. A partition
that fails blocks what is made from it and nothing else.
"""

from __future__ import annotations

import datetime as dt
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from threading import Event as Flag

from deltaworks.engine.definitions.asset_check import When
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.execution.afterwards import Afterwards
from deltaworks.engine.execution.agenda import Agenda, Blocked
from deltaworks.engine.execution.attended import attended
from deltaworks.engine.execution.batch import Batch, commit_batch, discard, hold_back, refuse_misfits
from deltaworks.engine.execution.check_pins import check_pins
from deltaworks.engine.execution.checking import Checker
from deltaworks.engine.execution.cuts import cuts
from deltaworks.engine.execution.events import (
    EventSink,
    PartitionBlocked,
    PartitionFailed,
    PartitionRetried,
    PartitionsCommitted,
    PartitionSkipped,
    PartitionWarned,
    RunNoted,
    RunStarted,
    Stopping,
)
from deltaworks.engine.execution.executor import Executor
from deltaworks.engine.execution.look import Observed
from deltaworks.engine.execution.pin import Members, lacking, pin
from deltaworks.engine.execution.retries import Retries
from deltaworks.engine.execution.table_then import TableThen
from deltaworks.engine.execution.task import Broken, Outcome, PinnedInput, Task
from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.engine.planning.plan import Only, Plan, matching
from deltaworks.engine.planning.state import lake_state
from deltaworks.engine.planning.status import Status, lake_status
from deltaworks.errors import CommitConflict, DeltaworksError, StorageError, TableMismatch
from deltaworks.io.commit import Committed
from deltaworks.io.ledger import Failure, RunEntry, RunStatus, write_run
from deltaworks.io.store import Store
from deltaworks.io.table import Table
from deltaworks.validation import RuleResult

BATCH_PARTITIONS = 50
"""Partitions a commit: 50 in one are 11 to 29 times cheaper than 50 commits."""

BATCH_AGE_S = 2.0
"""How long a staged partition waits for others at most."""

WAIT_S = 0.1
"""How long the coordinator waits for outcomes before it looks at everything else."""

HEARTBEAT_S = 5.0

MAX_TRIES = 3
"""How often a partition is made that others change each time meanwhile."""

SMALL_BYTES = 32 * 1024 * 1024
"""Up to this many bytes of Parquet, inputs and result of a single partition are held in memory."""


@dataclass(frozen=True)
class RunReport:
    """How a run ended."""

    entry: RunEntry
    """As the ledger keeps it."""
    blocked: tuple[PartitionBlocked, ...]
    """What was not tried, since something that it is made from failed or is not there any more."""
    skipped: tuple[PartitionSkipped, ...]
    """What somebody else made meanwhile."""
    observed: tuple[Observed, ...] = ()
    """What came of the sources that were observed before it was planned."""
    broken: Mapping[tuple[str, str | None], Broken] = field(default_factory=dict[tuple[str, str | None], Broken])
    """By asset and partition as a failure names them, what is known of those whose rows were judged."""


@dataclass
class _Progress:
    materialized: int = 0
    commits: int = 0
    skipped: list[PartitionSkipped] = field(default_factory=list[PartitionSkipped])
    failures: list[Failure] = field(default_factory=list[Failure])
    blocked: list[PartitionBlocked] = field(default_factory=list[PartitionBlocked])
    broken: dict[tuple[str, str | None], Broken] = field(default_factory=dict[tuple[str, str | None], Broken])


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
        checker: Checker,
    ) -> None:
        self._graph, self._plan, self._tables = graph, plan, tables
        self._executor, self._entry, self._now, self._tell = executor, entry, now, tell
        self._checker = checker
        self._agenda = Agenda(graph, plan)
        as_planned = {key: TableThen.of(tables[key]) for key in plan.planned}
        self._decided_on = {(key, ordinal): as_planned[key] for key, part in plan.planned.items() for ordinal in part}
        self._superseded: Counter[tuple[AssetKey, int]] = Counter()
        self._retries = Retries()
        self._read: Members = {}
        self._afterwards = Afterwards(graph, tables, entry.run_id)
        self._batches: dict[AssetKey, Batch] = {}
        self._progress = _Progress()
        self._numbers = 0
        self._running = 0
        self._beaten_s = time.monotonic()

    def carry_out(self, store: Store, stop: Flag) -> RunReport:
        """Make everything that can be made; once `stop` is set, finish and commit what has begun, and no more.

        Raises:
            StorageError: the lake cannot be written; what was committed before stays.
        """
        write_run(store, self._entry)
        self._tell(RunStarted(self._entry.run_id, {key: len(part) for key, part in self._plan.planned.items()}))
        try:
            self._loop(store, stop)
        except BaseException:
            write_run(store, self._ended(RunStatus.FAILURE))
            raise
        finally:
            self._executor.close()
        if self._afterwards.waiting:
            self._tell(RunNoted(f"the run was stopped before {self._afterwards.waiting:,} commits were checked"))
        ended = self._ended(self._status(stop))
        self._note(store, ended)
        progress = self._progress
        return RunReport(ended, tuple(progress.blocked), tuple(progress.skipped), broken=progress.broken)

    def _loop(self, store: Store, stop: Flag) -> None:
        stopping = False
        while True:
            if stop.is_set() and not stopping:
                stopping = True
                self._tell(Stopping())
            for key, ordinal in self._retries.due(time.monotonic()):
                self._agenda.again(key, ordinal)
            while not stopping and self._running < self._executor.capacity and self._dispatch():
                pass
            self._gather()
            at_rest = not self._running and (stopping or not self._has_ready)
            for key in list(self._batches):
                if at_rest or self._batches[key].is_due(BATCH_PARTITIONS, BATCH_AGE_S, time.monotonic()):
                    self._commit(key)
            self._beat(store)
            if at_rest and (stopping or not (self._has_ready or self._retries.are_waiting)):
                if not self._batches:
                    return
                for key in list(self._batches):  # what these wait for is not made in this run any more
                    self._commit(key, waits=False)

    def _gather(self) -> None:
        if self._running:
            for outcome in self._executor.wait(WAIT_S):
                self._running -= 1
                self._take_in(outcome)
        elif self._retries.are_waiting and not self._has_ready:
            time.sleep(WAIT_S)

    @property
    def _has_ready(self) -> bool:
        return self._agenda.has_ready or bool(self._afterwards.waiting)

    def _beat(self, store: Store) -> None:
        """Show that the run lives: whoever sees no heartbeat for 30 s takes it for lost."""
        if time.monotonic() - self._beaten_s >= HEARTBEAT_S:
            self._beaten_s = time.monotonic()
            alive = replace(self._ended(RunStatus.RUNNING), ended_at=None, heartbeat_at=self._now().isoformat())
            self._note(store, alive)

    def _note(self, store: Store, entry: RunEntry) -> None:
        """Write the run's entry; what is committed stands, whether or not the ledger can say so."""
        try:
            write_run(store, entry)
        except StorageError as error:
            self._tell(RunNoted(f"the ledger does not show this: {error}"))

    def _dispatch(self) -> bool:
        check = self._afterwards.take(self._numbers + 1)
        if check is not None:
            self._submit(check)
            return True
        taken = self._agenda.take()
        if taken is None:
            return False
        key, first, last = taken
        node = self._graph.nodes[key]
        lacks = lacking(self._graph, self._tables, key, first, last)
        if lacks:
            self._set_apart(key, first, last, lacks)
            return True
        try:
            inputs = {
                edge.argument.argument: pin(self._graph, self._tables[edge.upstream], edge, first, last, self._read)
                for edge in node.upstream
            }
            checks = check_pins(self._graph, self._tables, node, range(first, last + 1), When.BEFORE, self._read)
        except DeltaworksError as error:
            for ordinal in range(first, last + 1):
                self._fail(key, ordinal, f"{key} {node.partitions.key(ordinal)}".rstrip() + f": {error}")
            return True
        is_small = first == last and self._is_small(key, inputs)
        cut = cuts(self._graph, self._tables, node, range(first, last + 1))
        number = self._numbers + 1
        self._submit(Task(self._entry.run_id, number, key, first, last, inputs, is_small, cut, checks))
        return True

    def _submit(self, task: Task) -> None:
        self._numbers, self._running = task.number, self._running + 1
        self._executor.submit(task)

    def _set_apart(self, key: AssetKey, first: int, last: int, lacks: Mapping[int, Blocked]) -> None:
        """Settle the partitions of a call that lack an upstream; the others are ready as before."""
        for ordinal in range(first, last + 1):
            if ordinal in lacks:
                self._note_blocked(lacks[ordinal], is_gone=True)
                self._block(key, ordinal)
            else:
                self._agenda.again(key, ordinal)

    def _is_small(self, key: AssetKey, inputs: Mapping[str, PinnedInput]) -> bool:
        table = self._tables[key]
        others = [pinned for pinned in inputs.values() if pinned.asset != key]
        sizes = [sum(file.size_bytes for file in pinned.files) for pinned in inputs.values()]
        if not others and not table.exists:
            return False  # nothing is known about a source before its first commit
        return max(sum(sizes), table.largest_file_bytes) <= SMALL_BYTES

    def _take_in(self, outcome: Outcome) -> None:
        key = outcome.task.asset
        node = self._graph.nodes[key]
        if outcome.task.when is When.AFTER:
            self._warn(key, self._afterwards.note(outcome))
            return
        for ordinal, reason in outcome.failures.items():
            delay_s = None
            if outcome.may_pass_later:
                delay_s = self._retries.wait_for(key, ordinal, node.asset.retry, time.monotonic())
            if delay_s is None:
                self._fail(key, ordinal, reason)
                if ordinal in outcome.broken:
                    self._progress.broken[str(key), node.partitions.key(ordinal) or None] = outcome.broken[ordinal]
            else:
                self._tell(PartitionRetried(key, node.partitions.key(ordinal), reason, delay_s))
        for each in outcome.staged:
            self._warn(key, ((each.ordinal, result) for result in each.not_passed))
        if outcome.staged:
            batch = self._batches.setdefault(key, Batch(time.monotonic()))
            batch.outcomes.append(outcome)

    def _warn(self, key: AssetKey, results: Iterable[tuple[int, RuleResult]]) -> None:
        found: dict[int, list[str]] = {}
        for ordinal, result in results:
            found.setdefault(ordinal, []).append(str(result))
        for ordinal, texts in found.items():
            self._tell(PartitionWarned(key, self._graph.nodes[key].partitions.key(ordinal), tuple(texts)))

    def _commit(self, key: AssetKey, *, waits: bool = True) -> None:
        batch, table, node = self._batches.pop(key), self._tables[key], self._graph.nodes[key]
        held = hold_back(node, batch, lambda ordinal: self._agenda.is_open(key, ordinal)) if waits else []
        if held:
            self._batches[key] = Batch(time.monotonic(), held)
        for ordinal, reason in refuse_misfits(table, node, batch).items():
            self._fail(key, ordinal, reason)
        if not batch.outcomes:
            return
        decided_at = {each.partition.key: self._decided_on[key, each.ordinal].version for each in batch.staged}
        try:
            made = attended(
                lambda: commit_batch(table, node, batch, decided_at, self._entry, self._now(), self._checker),
                lambda: self._beat(self._checker.store),
                HEARTBEAT_S,
            )
        except DeltaworksError as error:
            for each in batch.staged:
                # Only what surely no commit names may be deleted; the rest is left to `maintain`.
                if isinstance(error, TableMismatch):
                    discard(table, each.partition)
                self._fail(key, each.ordinal, str(error))
            return
        self._warn(key, ((ordinal, each) for ordinal, results in made.warned.items() for each in results))
        self._settle(key, batch, made.committed)

    def _settle(self, key: AssetKey, batch: Batch, committed: Committed) -> None:
        """Take note of what became of a batch's partitions."""
        table = self._tables[key]
        conflicts = {"".join(conflict.partitions): conflict for conflict in committed.conflicts}
        left_out = conflicts.keys() | committed.refused.keys()
        done = [each for each in batch.staged if each.partition.key not in left_out]
        for each in done:
            self._agenda.committed(key, each.ordinal)
        if committed.version is not None:
            self._progress.materialized += len(done)
            self._progress.commits += 1
            rows = sum(each.partition.rows for each in done)
            self._tell(PartitionsCommitted(key, committed.version, len(done), rows))
            self._warn(key, self._afterwards.committed(key, [each.ordinal for each in done]))
        for each in batch.staged:
            if each.partition.key in committed.refused:
                discard(table, each.partition)
                self._fail(key, each.ordinal, committed.refused[each.partition.key])
        superseded = [each for each in batch.staged if each.partition.key in conflicts]
        for each in superseded:
            discard(table, each.partition)
        if superseded:
            self._decide_again(key, {each.ordinal: conflicts[each.partition.key] for each in superseded})

    def _decide_again(self, key: AssetKey, conflicts: Mapping[int, CommitConflict]) -> None:
        """Decide anew about partitions that somebody else changed while they were made.

        What is still asked for is made again, a few times; what is not, since theirs will do, is skipped. Who asked
        for these very partitions, whatever their status, is told.
        """
        if Only.ALL in self._plan.only:
            for ordinal, conflict in conflicts.items():
                self._fail(key, ordinal, str(conflict))
            return
        status = lake_status(self._graph, lake_state(self._graph, self._tables, ()))[key]
        wanted = matching(status, self._plan.only)
        table = self._tables[key]
        for ordinal, conflict in conflicts.items():
            self._superseded[key, ordinal] += 1
            self._decided_on[key, ordinal] = TableThen.of(table)
            if ordinal not in wanted:
                partition = self._graph.nodes[key].partitions.key(ordinal)
                skipped = PartitionSkipped(key, partition, conflict.version, str(table.writers[conflict.version]))
                self._progress.skipped.append(skipped)
                self._tell(skipped)
                if Status(status.status[ordinal]) is Status.MISSING:
                    self._block(key, ordinal, is_gone=True)
                else:
                    self._agenda.committed(key, ordinal)
            elif self._superseded[key, ordinal] < MAX_TRIES:
                self._agenda.again(key, ordinal)
            else:
                self._fail(key, ordinal, str(conflict))

    def _fail(self, key: AssetKey, ordinal: int, reason: str) -> None:
        partition = self._graph.nodes[key].partitions.key(ordinal)
        then = self._decided_on[key, ordinal]
        self._progress.failures.append(Failure(str(key), partition or None, reason, then.version, then.table_id))
        self._tell(PartitionFailed(key, partition, reason))
        self._block(key, ordinal)

    def _block(self, key: AssetKey, ordinal: int, *, is_gone: bool = False) -> None:
        """Settle what is made from a partition that this run does not make, since others deleted it or it failed."""
        for blocked in self._agenda.failed(key, ordinal):
            is_direct = (blocked.upstream, blocked.upstream_ordinal) == (key, ordinal)
            self._note_blocked(blocked, is_gone=is_gone and is_direct)

    def _note_blocked(self, blocked: Blocked, *, is_gone: bool) -> None:
        nodes = self._graph.nodes
        because = f"{blocked.upstream} {nodes[blocked.upstream].partitions.key(blocked.upstream_ordinal)}".rstrip()
        event = PartitionBlocked(blocked.asset, nodes[blocked.asset].partitions.key(blocked.ordinal), because, is_gone)
        self._progress.blocked.append(event)
        self._tell(event)

    def _status(self, stop: Flag) -> RunStatus:
        if stop.is_set() and self._agenda.is_unsettled:
            return RunStatus.CANCELED
        has_failed = self._progress.failures or self._afterwards.has_failed
        return RunStatus.FAILURE if has_failed else RunStatus.SUCCESS

    def _ended(self, status: RunStatus) -> RunEntry:
        progress = self._progress
        return replace(
            self._entry,
            status=status,
            ended_at=self._now().isoformat(),
            materialized=progress.materialized,
            failed=len(progress.failures),
            skipped=self._plan.left_out_count + len(progress.blocked) + len(progress.skipped),
            commits=progress.commits,
            failures=tuple(sorted(progress.failures, key=lambda each: (each.asset, each.partition or ""))),
            checks_passed=self._afterwards.passed,
            check_failures=tuple(self._afterwards.failures),
        )
