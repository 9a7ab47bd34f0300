"""Run: carry out a plan, from its first call to its last commit.

One coordinator dispatches calls, gathers what they staged and commits it in batches; workers only stage. A partition
that fails blocks what is made from it and nothing else.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import product

from deltaworks.engine.definitions.asset_check import When
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.execution.afterwards import Afterwards
from deltaworks.engine.execution.agenda import Agenda, Blocked, Call
from deltaworks.engine.execution.batch import Batch, commit_batch, discard, hold_back, refuse_misfits
from deltaworks.engine.execution.calls import Calls
from deltaworks.engine.execution.checking import Checker
from deltaworks.engine.execution.desk import Desk
from deltaworks.engine.execution.events import (
    EventSink,
    PartitionRetried,
    PartitionsCommitted,
    PartitionSkipped,
    RunEnded,
    RunNoted,
    RunStarted,
    StepEnded,
    StepStarted,
    Stopping,
)
from deltaworks.engine.execution.halves import Halves
from deltaworks.engine.execution.in_order import CommitJudge
from deltaworks.engine.execution.keep import Keep
from deltaworks.engine.execution.pools import Pools
from deltaworks.engine.execution.progress import Progress
from deltaworks.engine.execution.pulse import Pulse
from deltaworks.engine.execution.report import RunReport
from deltaworks.engine.execution.retries import Retries, policy_for
from deltaworks.engine.execution.sizes import Sizes
from deltaworks.engine.execution.stop import Stop
from deltaworks.engine.execution.superseded import Superseded, Verdict
from deltaworks.engine.execution.swap import Swap
from deltaworks.engine.execution.table_then import DecidedOn
from deltaworks.engine.execution.task import Broken, Outcome, Task
from deltaworks.engine.execution.teller import Teller
from deltaworks.engine.execution.workers.executor import Executor
from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.engine.planning.plan import Plan
from deltaworks.errors import CommitConflict, DeltaworksError, StorageError, TableMismatch
from deltaworks.io.commit import Committed
from deltaworks.io.failpoints import Step, hit
from deltaworks.io.rejects import LeftOut
from deltaworks.io.run_entry import RunEntry, RunStatus
from deltaworks.io.store import Store
from deltaworks.io.table import Table

WAIT_S = 0.1
"""How long the coordinator waits for outcomes before it looks at everything else."""


class Run:
    """The coordinator of one run. Its tables are advanced by its own commits."""

    def __init__(
        self,
        graph: AssetGraph,
        plan: Plan,
        tables: Mapping[AssetKey, Table],
        executor: Executor[Task, Outcome],
        entry: RunEntry,
        now: Callable[[], dt.datetime],
        tell: EventSink,
        pools: Pools[Call],
        checker: Checker,
        keep: Keep | None = None,
        swap: Swap | None = None,
        range_bytes: int | None = None,
        desk: Desk | None = None,
    ) -> None:
        self._pools = pools
        self._swap = swap
        """What puts everything in the place of its table at once, when all is staged; none: batches are committed."""
        self._graph, self._plan, self._tables = graph, plan, tables
        self._executor, self._entry, self._now, self._tell = executor, entry, now, tell
        self._keep, self._checker, self._desk = keep, checker, desk
        self._sizes = Sizes(tables)
        self._agenda = Agenda(graph, plan, self._sizes.of, range_bytes)
        self._decided = DecidedOn(tables, plan.planned)
        self._superseded = Superseded(graph, plan, tables, entry.run_id)
        self._retries = Retries()
        self._halves = Halves(self._agenda, tell)
        self._afterwards = Afterwards(graph, tables, entry.run_id)
        self._batches: dict[AssetKey, Batch] = {}
        self._progress = Progress(plan, {(each.asset, each.partition): each for each in entry.failures})
        self._teller = Teller(graph, self._progress, tell)
        self._calls = Calls(graph, tables, entry)
        self._running = 0

    def skip(self, made_by_others: Sequence[PartitionSkipped]) -> None:
        """Note what is not planned any more, since others have made it."""
        self._teller.skipped(made_by_others)

    def carry_out(self, store: Store, stop: Stop, also: Callable[[], None] = lambda: None) -> RunReport:
        """Make everything that can be made, until `stop` asks for an end; what is committed by then stays.

        `also` is called every second, in a thread.

        Raises:
            StorageError: the lake cannot be written; what was committed before stays.
        """
        desk = self._desk or Desk.in_lake(store, self._entry)
        desk.write(self._entry)
        self._tell(RunStarted(self._entry.run_id, {key: len(part) for key, part in self._plan.planned.items()}))
        try:
            alive = partial(self._entry_now, RunStatus.RUNNING)
            run_id, mark = self._entry.run_id, lambda: self._progress.commits
            with Pulse(store, run_id, alive, stop, self._tell, also, mark, desk.write):
                self._loop(stop)
        except BaseException as error:
            reason = str(error) if isinstance(error, DeltaworksError) else None
            desk.write(replace(self._entry_now(RunStatus.FAILURE), reason=reason))
            raise
        finally:
            if self._running and stop.is_urgent:
                self._executor.abandon()
            else:
                self._executor.close()
        if self._afterwards.waiting:
            self._tell(RunNoted(f"the run was stopped before {self._afterwards.waiting:,} commits were checked"))
        ended = self._entry_now(self._status(stop))
        if ended.status is RunStatus.CANCELED:
            ended = replace(ended, reason=stop.reason)
        hit(Step.ENDING)
        self._end(desk, ended)
        self._tell(RunEnded(ended.status.value, ended.reason))
        return self._progress.report(ended, left_calls=self._running)

    def _loop(self, stop: Stop) -> None:
        stopping = False
        while True:
            if stop.is_asked and not stopping:
                stopping = True
                self._tell(Stopping(stop.reason, stop.is_urgent))
                for task in self._executor.cancel():
                    self._running -= 1
                    self._take_back(task)
                self._pools.withdraw()
            for keys, ordinal in self._retries.due(time.monotonic()):
                self._agenda.call_again(keys, ordinal, ordinal)
            while not stopping and self._running < self._room and self._dispatch():
                pass
            self._gather()
            self._teller.progressed(time.monotonic())
            is_idle = not (self._has_ready or self._pools.hold_any)
            at_rest = (not self._running or stop.leaves()) and (stopping or is_idle)
            starves = is_idle and self._running < self._executor.workers
            for key in [each for each in self._batches if at_rest or self._is_due(each, starves=starves)]:
                self._commit(key)
            if at_rest and (stopping or not (self._has_ready or self._retries.are_waiting)):
                if not self._batches:
                    return
                for key in list(self._batches):  # what these wait for is not made in this run any more
                    self._commit(key, waits=False)

    def _is_due(self, key: AssetKey, *, starves: bool) -> bool:
        """Return whether what is staged of an asset is committed now, though calls go on.

        A batch is large or old enough then; or a worker `starves`, which has nothing to do before something is
        committed, and no call that goes on adds to the batch.
        """
        if self._swap is not None or self._batches[key].is_due(time.monotonic()):
            return self._swap is None
        return starves and not self._progress.paces[key].is_busy and self._agenda.is_awaited(key)

    def _take_back(self, task: Task) -> None:
        if task.when is When.AFTER:
            self._afterwards.put_back(task)
            return
        self._pools.release((task.asset, task.first, task.last))
        for each in (task, *task.others):
            self._progress.paces[each.asset].end(each.number)

    def _gather(self) -> None:
        if self._running:
            for outcome in self._executor.wait(WAIT_S):
                self._running -= 1
                self._take_in(outcome)
        elif self._retries.are_waiting or self._pools.hold_any:
            time.sleep(WAIT_S)

    @property
    def _has_ready(self) -> bool:
        return self._agenda.has_ready or bool(self._afterwards.waiting)

    def _end(self, desk: Desk, entry: RunEntry) -> None:
        """Write the run's last entry; what is committed stands, whether or not the ledger can say so."""
        try:
            desk.write(entry)
            desk.close()
            self._pools.close()
        except StorageError as error:
            self._tell(RunNoted(f"the ledger does not show this: {error}"))

    @property
    def _room(self) -> int:
        """How many calls may be submitted: no more than run at once while one that is in a pool waits to begin."""
        return self._executor.workers if self._pools.want_worker else self._executor.capacity

    def _dispatch(self) -> bool:
        if self._afterwards.waiting and (check := self._afterwards.take(self._calls.number())) is not None:
            self._submit(check)
            return True
        taken = self._pools.take(self._agenda.take, begins=self._running < self._executor.workers)
        if taken is None:
            return False
        if not self._begin(*taken):
            self._pools.release(taken)
        return True

    def _begin(self, key: AssetKey, first: int, last: int) -> bool:
        """Give a call to the executor, unless it turns out that it cannot be made."""
        keys = (key, *self._agenda.along(key, first, last))
        lacks = self._calls.lacking(key, first, last)  # all that one call makes is made from the same
        if lacks:
            for asset in keys:
                self._set_apart(asset, first, last, lacks)
            return False
        try:
            task = self._calls.task(keys, first, last)
        except DeltaworksError as error:
            partitions = self._graph.nodes[key].partitions
            for asset, ordinal in product(keys, range(first, last + 1)):
                self._fail(asset, ordinal, f"{asset} {partitions.key(ordinal)}".rstrip() + f": {error}")
            return False
        for each in (task, *task.others):
            self._tell(StepStarted(each.where, each.number))
            self._progress.paces[each.asset].begin(each.number, each.where, time.monotonic())
        self._submit(task)
        return True

    def _submit(self, task: Task) -> None:
        self._running += 1
        self._executor.submit(task)

    def _set_apart(self, key: AssetKey, first: int, last: int, lacks: Mapping[int, Blocked]) -> None:
        """Settle the partitions of a call that lack an upstream; the others are ready as before."""
        for ordinal in range(first, last + 1):
            if ordinal in lacks:
                self._teller.blocked(replace(lacks[ordinal], asset=key), is_gone=True)
                self._block(key, ordinal)
            else:
                self._agenda.again(key, ordinal)

    def _take_in(self, outcome: Outcome) -> None:
        task = outcome.task
        if task.when is When.AFTER:
            self._teller.warned(task.asset, self._afterwards.note(outcome))
            return
        self._pools.release((task.asset, task.first, task.last))
        parts = (outcome, *outcome.others)
        for each in parts:
            staged, key = len(each.staged), each.task.asset
            self._tell(StepEnded(each.task.where, each.task.number, staged, len(each.failures)))
            self._progress.paces[key].end(each.task.number, staged, outcome.took_s, time.monotonic())
            self._sizes.learn(each)
        failed = [each for each in parts if each.may_pass_later]
        delay_s = None
        if failed and len(task.ordinals) > 1:
            self._halves.split(failed)
        elif failed:
            delay_s = self._wait_for(failed)
        for each in parts:
            if not each.may_pass_later or len(task.ordinals) == 1:
                self._note(each, delay_s if each.may_pass_later else None)

    def _note(self, outcome: Outcome, delay_s: float | None) -> None:
        """Take in what came of one asset; `delay_s`: what failed of it is tried again after so long."""
        key = outcome.task.asset
        for ordinal, reason in outcome.failures.items():
            if delay_s is None:
                self._fail(key, ordinal, reason, outcome.broken.get(ordinal))
            else:
                self._tell(PartitionRetried(key, self._graph.nodes[key].partitions.key(ordinal), reason, delay_s))
        for each in outcome.staged:
            self._teller.warned(key, ((each.ordinal, result) for result in each.not_passed))
        if outcome.staged:
            batch = self._batches.setdefault(key, Batch(time.monotonic()))
            batch.outcomes.append(outcome)

    def _wait_for(self, failed: Sequence[Outcome]) -> float | None:
        """Let what a call did not make of a partition wait for the next try; return how long, or none."""
        task, names = failed[0].task, failed[0].error_names
        policy = policy_for(self._graph.nodes[task.asset].asset.retry, names)
        if policy is None:
            return None
        keys = [each.task.asset for each in failed]
        return self._retries.wait_for(keys, task.first, policy, time.monotonic())

    def _commit(self, key: AssetKey, *, waits: bool = True) -> None:
        waits = waits and self._swap is None  # a swap judges all of a table at once
        batch, table, node = self._batches.pop(key), self._tables[key], self._graph.nodes[key]
        held = hold_back(node, batch, lambda ordinal: self._agenda.is_open(key, ordinal)) if waits else []
        if held:
            self._batches[key] = Batch(time.monotonic(), held)
        misfits = {} if self._swap else refuse_misfits(table, node, batch)
        for ordinal, reason in misfits.items():
            self._fail(key, ordinal, reason)
        if not batch.outcomes:
            return
        decided_at = {each.partition.key: self._decided.on(key, each.ordinal).version for each in batch.staged}
        try:
            commit = commit_batch if self._swap is None else self._swap.commit
            committed, judge = commit(
                table, node, batch, decided_at, self._entry, self._now(), self._keep, self._checker
            )
        except DeltaworksError as error:
            for each in batch.staged:
                # Only what surely no commit names may be deleted; the rest is left to `maintain`.
                if isinstance(error, TableMismatch):
                    discard(table, each.partition)
                self._fail(key, each.ordinal, str(error))
            return
        self._settle(key, batch, committed, judge)

    def _settle(self, key: AssetKey, batch: Batch, committed: Committed, judge: CommitJudge) -> None:
        """Take note of what became of a batch's partitions."""
        table, warned = self._tables[key], judge.warned
        conflicts = {"".join(conflict.partitions): conflict for conflict in committed.conflicts}
        left_out = conflicts.keys() | committed.refused.keys()
        done = [each for each in batch.staged if each.partition.key not in left_out]
        for each in done:
            self._agenda.committed(key, each.ordinal)
        found = [(each.ordinal, result) for each in done for result in warned.get(each.partition.key, ())]
        self._teller.warned(key, found)
        if committed.version is not None:
            rejected = sum((each.left_out for each in done), LeftOut())
            rows = sum(each.partition.rows for each in done)
            self._progress.commit(key, [each.partition.key for each in done], rows, rejected)
            self._tell(PartitionsCommitted(key, committed.version, len(done), rows))
            hit(Step.COMMITTED)
            self._teller.warned(key, self._afterwards.committed(key, [each.ordinal for each in done]))
        for each in batch.staged:
            if each.partition.key in committed.refused:
                discard(table, each.partition)
                reason = committed.refused[each.partition.key]
                self._fail(key, each.ordinal, reason, judge.broken.get(each.partition.key))
        superseded = [each for each in batch.staged if each.partition.key in conflicts]
        for each in superseded:
            discard(table, each.partition)
        if superseded:
            self._decide_again(key, {each.ordinal: conflicts[each.partition.key] for each in superseded})

    def _decide_again(self, key: AssetKey, conflicts: Mapping[int, CommitConflict]) -> None:
        """Decide anew about partitions that somebody else changed while they were made."""
        for ordinal, verdict in self._superseded.decide(key, conflicts).items():
            if self._superseded.asks_anew:
                self._decided.anew(key, ordinal)
            match verdict:
                case Verdict.THEIRS:
                    self._skip(key, ordinal, conflicts[ordinal].version)
                    self._agenda.committed(key, ordinal)
                case Verdict.GONE:
                    self._skip(key, ordinal, conflicts[ordinal].version)
                    self._block(key, ordinal, is_gone=True)
                case Verdict.AGAIN:
                    self._agenda.again(key, ordinal)
                case Verdict.FAILED:
                    self._fail(key, ordinal, str(conflicts[ordinal]))

    def _skip(self, key: AssetKey, ordinal: int, version: int) -> None:
        partition, writer = self._graph.nodes[key].partitions.key(ordinal), self._tables[key].writers[version]
        self._teller.skipped([PartitionSkipped(key, partition, version, str(writer))])

    def _fail(self, key: AssetKey, ordinal: int, reason: str, broken: Broken | None = None) -> None:
        self._teller.failed(key, ordinal, reason, self._decided.on(key, ordinal), broken)
        self._block(key, ordinal)

    def _block(self, key: AssetKey, ordinal: int, *, is_gone: bool = False) -> None:
        """Settle what is made from a partition that this run does not make, since others deleted it or it failed."""
        for blocked in self._agenda.failed(key, ordinal):
            is_direct = (blocked.upstream, blocked.upstream_ordinal) == (key, ordinal)
            self._teller.blocked(blocked, is_gone=is_gone and is_direct)

    def _status(self, stop: Stop) -> RunStatus:
        if stop.is_asked and (self._agenda.is_unsettled or self._afterwards.waiting):
            return RunStatus.CANCELED
        has_failed = self._progress.failures or self._afterwards.has_failed
        return RunStatus.FAILURE if has_failed else RunStatus.SUCCESS

    def _entry_now(self, status: RunStatus) -> RunEntry:
        return replace(
            self._progress.entry(self._entry, status, self._now().isoformat()),
            checks_passed=self._afterwards.passed,
            check_failures=self._afterwards.in_order,
        )
