"""JobRun: carry out the steps of a job, from the first that is ready to the last hook.

One coordinator decides; an executor calls ops. What a step gives is stored before its end is noted, so that a run
that goes on from there finds it.
"""

from __future__ import annotations

import heapq
import random
import time
from collections import Counter
from collections.abc import Collection, Mapping
from itertools import count

from deltaworks.engine.definitions.ops.hooks import Ending
from deltaworks.engine.definitions.ops.sources import Path
from deltaworks.engine.definitions.policies import RetryPolicy
from deltaworks.engine.execution.endings import ENDING_OF_STEP
from deltaworks.engine.execution.events import RunNoted, Stopping
from deltaworks.engine.execution.jobs.step_events import StepEventSink, StepFinished, StepRetried
from deltaworks.engine.execution.jobs.step_hooks import StepHooks
from deltaworks.engine.execution.jobs.step_journal import Recorded, StepJournal
from deltaworks.engine.execution.jobs.step_task import StepOutcome, StepTask
from deltaworks.engine.execution.jobs.step_values import StepValues
from deltaworks.engine.execution.pools import Pools
from deltaworks.engine.execution.retries import policy_for
from deltaworks.engine.execution.stop import Stop
from deltaworks.engine.execution.workers.executor import Executor
from deltaworks.engine.planning.step_agenda import Fate, StepAgenda, StepEnd
from deltaworks.engine.planning.step_graph import StepId
from deltaworks.errors import StorageError

WAIT_S = 0.1
"""How long the coordinator waits for results before it looks at everything else."""


class JobRun:
    """The coordinator of one run of a job.

    Args:
        agenda: which steps there are.
        executor: calls them.
        values: what they give.
        journal: how they ended, for a later run.
        hooks: are told.
        pools: limit how many steps run at once that share something; none: nothing does.
        recorded: how the steps ended that what it goes on from has done.
        retry: the policy of ops that have none of their own.
        tell: receives what happens.
        is_kept_whole: whether what steps gave is kept to the end, for whoever asks then.
    """

    def __init__(
        self,
        agenda: StepAgenda,
        executor: Executor[StepTask, StepOutcome],
        values: StepValues,
        journal: StepJournal,
        hooks: StepHooks,
        *,
        pools: Pools[StepId] | None,
        recorded: Mapping[StepId, Recorded],
        retry: RetryPolicy,
        tell: StepEventSink,
        is_kept_whole: bool,
    ) -> None:
        self._agenda, self._executor, self._values, self._journal = agenda, executor, values, journal
        self._hooks, self._recorded, self._retry, self._tell = hooks, recorded, retry, tell
        self._pools, self._is_kept_whole = pools, is_kept_whole
        self._numbers = count(1)
        self._running: set[StepId] = set()
        self._waiting: list[tuple[float, StepId]] = []
        """Steps that failed, each with the instant of its next try."""
        self._told = 0
        """How many ends were told."""
        self._unread = {path: len(readers) for path, readers in agenda.graph.readers.items()}
        """By op: how many of its readers have steps that have not ended."""
        self._released: set[Path] = set()
        self._is_stopping = False
        self.tries: Counter[StepId] = Counter()
        self.fates: Counter[Fate] = Counter()
        """How many steps have ended how."""
        self.left_calls = 0
        """How many calls went on when a canceled run went without them."""

    def carry_out(self, stop: Stop) -> None:
        """Run everything that can be run; once `stop` asks for it, finish what has begun, and no more.

        Raises:
            StorageError: the lake cannot be written.
        """
        try:
            self._tell_ends({})
            self._journal.write(at_once=True)  # what is kept, before anything of this attempt
            while not self._agenda.is_done:
                if stop.is_asked and not self._is_stopping:
                    self._begin_nothing_more(stop)
                if stop.leaves():
                    self._leave()
                self._dispatch()
                self._gather()
                self._journal.write()
        finally:
            if self.left_calls:
                self._executor.abandon()
            else:
                self._executor.close()
            self._journal.write(at_once=True)
            self._close_pools()

    def end(self, ending: Ending, failures: Mapping[str, str], stop: Stop) -> None:
        """Call the hooks that are told of the run; see `StepHooks.run_ended`."""
        self.left_calls += self._hooks.run_ended(ending, failures, stop)

    def _dispatch(self) -> None:
        while (running := len(self._running)) < self._room:
            begins = running < self._executor.workers
            step = self._take() if self._pools is None else self._pools.take(self._take, begins=begins)
            if step is None:
                return
            self._submit(step)

    @property
    def _room(self) -> int:
        """How many calls may be submitted: no more than run at once while one that is in a pool waits to begin."""
        wants_worker = self._pools is not None and self._pools.want_worker
        return self._executor.workers if wants_worker else self._executor.capacity

    def _take(self, _closed: Collection[str] = ()) -> StepId | None:
        """Return the next step that is ready: one whose next try is due, or a new one, whichever pool it is in."""
        if self._waiting and self._waiting[0][0] <= time.monotonic():
            return heapq.heappop(self._waiting)[1]
        return self._agenda.take()

    def _submit(self, step: StepId) -> None:
        self.tries[step] += 1
        self._running.add(step)
        address, arguments = self._agenda.graph.address(step), self._agenda.arguments(step)
        self._executor.submit(StepTask(step, address, next(self._numbers), self.tries[step], arguments))

    def _gather(self) -> None:
        self._hooks.gather(0)
        if self._running:
            for outcome in self._executor.wait(WAIT_S):
                self._running.remove(outcome.task.step)
                if self._pools is not None:
                    self._pools.release(outcome.task.step)
                self._take_in(outcome)
        elif self._waiting:
            time.sleep(max(0.0, min(WAIT_S, self._waiting[0][0] - time.monotonic())))
        elif not self._agenda.is_done:
            time.sleep(WAIT_S)  # a pool has no room

    def _take_in(self, outcome: StepOutcome) -> None:
        step = outcome.task.step
        if outcome.reason is None:
            end = StepEnd(Fate.SUCCESS, outcome.given, outcome.keys)
            self._values.recorded(step, outcome.stored)
        else:
            delay_s = self._delay_s(outcome)
            if delay_s is not None:
                heapq.heappush(self._waiting, (time.monotonic() + delay_s, step))
                self._tell(StepRetried(outcome.task.where, outcome.reason, delay_s))
                return
            end = StepEnd(Fate.FAILED, reason=outcome.reason)
        self._agenda.end(step, end)
        self._tell_ends({step: outcome})

    def _delay_s(self, outcome: StepOutcome) -> float | None:
        """Return how long to wait before a step is tried again; none: it is not."""
        step = outcome.task.step
        own = self._agenda.graph.nodes[step.path].op.retry or self._retry
        policy = policy_for(own, outcome.error_names)
        if policy is None or not outcome.may_pass_later or self.tries[step] > policy.max_retries or self._is_stopping:
            return None
        return policy.delay_before_s(self.tries[step], random.random())  # noqa: S311 - spreads load, guards nothing

    def _begin_nothing_more(self, stop: Stop) -> None:
        """End all that has not begun, or waits for another try."""
        self._is_stopping = True
        self._tell(Stopping(stop.reason, stop.is_urgent))
        for task in self._executor.cancel():
            self._running.remove(task.step)
            self.tries[task.step] -= 1
            self._agenda.end(task.step, StepEnd(Fate.CANCELED, reason="the run was stopped"))
        for step in () if self._pools is None else self._pools.withdraw():
            self._agenda.end(step, StepEnd(Fate.CANCELED, reason="the run was stopped while it waited for its pool"))
        for _, step in self._waiting:
            self._agenda.end(step, StepEnd(Fate.CANCELED, reason="the run was stopped before it was tried again"))
        self._waiting = []
        self._agenda.cancel()
        self._tell_ends({})

    def _close_pools(self) -> None:
        """Give back everything; what is left behind gives way by itself once the run is over."""
        try:
            if self._pools is not None:
                self._pools.close()
        except StorageError as error:
            self._tell(RunNoted(f"places in pools are not given back: {error}"))

    def _leave(self) -> None:
        """Go without what still runs."""
        self.left_calls = len(self._running)
        for step in self._running:
            self._agenda.end(step, StepEnd(Fate.CANCELED, reason="the run was canceled while it ran"))
        self._running.clear()
        self._tell_ends({})

    def _tell_ends(self, outcomes: Mapping[StepId, StepOutcome]) -> None:
        """Tell of the ends that have become known: of steps that ran, and of those that thereby never will."""
        ends = self._agenda.ends
        new = self._agenda.ended[self._told :]
        self._told += len(new)
        for step in new:
            end, node = ends[step], self._agenda.graph.nodes[step.path]
            address = node.address(step.keys)
            is_kept = end.fate is Fate.SUCCESS and self._agenda.kept(step)
            self.fates[end.fate] += 1
            if is_kept:
                self._journal.note(step, address, self._recorded[step], is_kept=True)
            else:
                outcome = outcomes.get(step)
                took_s = 0.0 if outcome is None else outcome.took_s
                recorded = Recorded(end, {} if outcome is None else outcome.stored, self.tries[step], took_s)
                self._journal.note(step, address, recorded, is_kept=False)
                self._tell(StepFinished(address, end.fate, end.reason, took_s))
                self._hooks.step_ended(node.op.hooks, address, ENDING_OF_STEP[end.fate], end.reason)
            if not self._is_kept_whole and self._agenda.ended_below(step.path):
                self._release(step.path)

    def _release(self, path: Path) -> None:
        """Forget what was kept only for the steps of an op that have all ended, and what nobody reads."""
        if path in self._released:
            return
        self._released.add(path)
        for upstream in {need.path for need in self._agenda.graph.nodes[path].needs}:
            self._unread[upstream] -= 1
            if not self._unread[upstream]:
                self._values.release(upstream)
        if not self._unread[path]:
            self._values.release(path)
