"""JobRun: carry out the steps of a job, from the first that is ready to the last hook.

One coordinator decides; threads call ops and hooks. What a step gives is stored before its end is noted, so that a run
that goes on from there finds it.
"""

from __future__ import annotations

import heapq
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import count

from deltaworks.engine.definitions.ops.hooks import Ending, Hook, RunEnded, StepEnded
from deltaworks.engine.definitions.ops.sources import Path
from deltaworks.engine.definitions.policies import RetryPolicy
from deltaworks.engine.execution.events import RunNoted, Stopping
from deltaworks.engine.execution.op_call import Refused, Returned
from deltaworks.engine.execution.step_call import Done, StepCalls
from deltaworks.engine.execution.step_events import StepEventSink, StepFinished, StepRetried
from deltaworks.engine.execution.step_journal import Recorded, StepJournal
from deltaworks.engine.execution.step_threads import StepThreads
from deltaworks.engine.execution.step_values import StepValues
from deltaworks.engine.execution.stop import Stop
from deltaworks.engine.planning.step_agenda import Fate, StepAgenda, StepEnd
from deltaworks.engine.planning.step_graph import StepId

WAIT_S = 0.1
"""How long the coordinator waits for results before it looks at everything else."""

QUEUED = 2
"""Calls for each thread that are handed over before the first result is back, so that none idles meanwhile."""

ENDINGS = {
    Fate.SUCCESS: Ending.SUCCESS,
    Fate.FAILED: Ending.FAILURE,
    Fate.SKIPPED: Ending.SKIP,
    Fate.BLOCKED: Ending.SKIP,
    Fate.CANCELED: Ending.CANCEL,
}


@dataclass
class _Running:
    """Calls that were handed to threads, by number."""

    steps: dict[int, StepId] = field(default_factory=dict[int, StepId])
    limited: dict[int, float] = field(default_factory=dict[int, float])
    """Those that may take only so many seconds."""
    hooks: set[int] = field(default_factory=set[int])


class JobRun:
    """The coordinator of one run of a job.

    Args:
        agenda: which steps there are.
        calls: calls them.
        values: what they give.
        journal: how they ended, for a later run.
        recorded: how the steps ended that what it goes on from has done.
        retry: the policy of ops that have none of their own.
        hooks: of the job, that are told of steps.
        workers: how many steps run at once.
        tell: receives what happens.
        is_kept_whole: whether what steps gave is kept to the end, for whoever asks then.
    """

    def __init__(
        self,
        agenda: StepAgenda,
        calls: StepCalls,
        values: StepValues,
        journal: StepJournal,
        *,
        recorded: Mapping[StepId, Recorded],
        retry: RetryPolicy,
        hooks: tuple[Hook, ...],
        workers: int,
        tell: StepEventSink,
        is_kept_whole: bool,
    ) -> None:
        self._agenda, self._calls, self._values, self._journal = agenda, calls, values, journal
        self._recorded = recorded
        self._retry, self._hooks, self._tell = retry, hooks, tell
        self._is_kept_whole = is_kept_whole
        self._threads = StepThreads(workers)
        self._most = workers * QUEUED
        self._numbers = count(1)
        self._running = _Running()
        self._waiting: list[tuple[float, StepId]] = []
        """Steps that failed, each with the instant of its next try."""
        self._told = 0
        """How many ends were told."""
        self._unread = {path: len(readers) for path, readers in agenda.graph.readers.items()}
        """By op: how many of its readers have steps that have not ended."""
        self._released: set[Path] = set()
        self.tries: Counter[StepId] = Counter()
        self.fates: Counter[Fate] = Counter()
        """How many steps have ended how."""

    def carry_out(self, stop: Stop) -> None:
        """Run everything that can be run; once `stop` asks for it, finish what has begun, and no more.

        Raises:
            StorageError: the lake cannot be written.
        """
        is_stopping = False
        try:
            self._tell_ends({})
            self._journal.write(at_once=True)  # what is kept, before anything of this attempt
            while not self._agenda.is_done or self._running.hooks:
                if stop.is_asked and not is_stopping:
                    is_stopping = True
                    self._tell(Stopping())
                    self._give_up_waiting()
                    self._agenda.cancel()
                    self._tell_ends({})
                self._dispatch()
                self._gather()
                self._journal.write()
        finally:
            self._threads.close()
            self._journal.write(at_once=True)

    def call_run_hooks(self, ending: Ending, failures: Mapping[str, str]) -> None:
        """Call the hooks that are told how the run ended, one after the other."""
        for hook in self._hooks:
            if hook.ending is ending and hook.subject is RunEnded:
                self._note_hook(hook, self._calls.run_hook(hook, ending, failures)())

    def _dispatch(self) -> None:
        now_s = time.monotonic()
        while self._waiting and self._waiting[0][0] <= now_s:
            self._submit(heapq.heappop(self._waiting)[1])
        while len(self._running.steps) < self._most and (step := self._agenda.take()) is not None:
            self._submit(step)

    def _submit(self, step: StepId) -> None:
        number = next(self._numbers)
        op = self._agenda.graph.nodes[step.path].op
        self.tries[step] += 1
        self._running.steps[number] = step
        if op.timeout_s is not None:
            self._running.limited[number] = op.timeout_s
        arguments = self._agenda.arguments(step)
        self._threads.submit(number, partial(self._calls.call, step, arguments, number, self.tries[step]))

    def _gather(self) -> None:
        for number, result in self._threads.wait(self._patience_s()):
            if number in self._running.hooks:
                self._running.hooks.remove(number)
                self._note_hook(*result)
            else:
                self._running.limited.pop(number, None)
                self._take_in(self._running.steps.pop(number), result)
        for number, timeout_s in list(self._running.limited.items()):
            if self._threads.took_s(number) > timeout_s and self._threads.give_up(number):
                del self._running.limited[number]
                reason = f"it took longer than timeout_s={timeout_s:g}; its thread is left to itself"
                self._take_in(
                    self._running.steps.pop(number), Done(Refused(reason, may_pass_later=True), {}, timeout_s)
                )

    def _patience_s(self) -> float:
        if self._running.steps or self._running.hooks or not self._waiting:
            return WAIT_S
        return max(0.0, min(WAIT_S, self._waiting[0][0] - time.monotonic()))

    def _take_in(self, step: StepId, done: Done) -> None:
        match done.result:
            case Returned(values, fans):
                keys = {output: tuple(fan) for output, fan in fans.items()}
                end = StepEnd(Fate.SUCCESS, frozenset((*values, *fans)), keys)
            case Refused(reason, may_pass_later):
                delay_s = self._delay_s(step) if may_pass_later else None
                if delay_s is not None:
                    heapq.heappush(self._waiting, (time.monotonic() + delay_s, step))
                    self._tell(StepRetried(self._agenda.graph.address(step), reason, delay_s))
                    return
                end = StepEnd(Fate.FAILED, reason=reason)
        self._agenda.end(step, end)
        self._tell_ends({step: done})

    def _delay_s(self, step: StepId) -> float | None:
        """Return how long to wait before a step is tried again; none: it has had all of its tries."""
        policy = self._agenda.graph.nodes[step.path].op.retry or self._retry
        if self.tries[step] > policy.max_retries or self._agenda.is_canceled:
            return None
        return policy.delay_before_s(self.tries[step], random.random())  # noqa: S311 - spreads load, guards nothing

    def _give_up_waiting(self) -> None:
        """End what waits for another try: nothing is begun any more."""
        for _, step in self._waiting:
            self._agenda.end(step, StepEnd(Fate.CANCELED, reason="the run was stopped before it was tried again"))
        self._waiting = []

    def _tell_ends(self, done: Mapping[StepId, Done]) -> None:
        """Tell of the ends that have become known: of steps that ran, and of those that thereby never will."""
        ends = self._agenda.ends
        new = self._agenda.ended[self._told :]
        self._told += len(new)
        for step in new:
            end, node = ends[step], self._agenda.graph.nodes[step.path]
            address = node.address(step.keys)
            each = done.get(step)
            is_kept = end.fate is Fate.SUCCESS and self._agenda.kept(step)
            self.fates[end.fate] += 1
            if is_kept:
                self._journal.note(step, address, self._recorded[step], is_kept=True)
            else:
                ended = Recorded(end) if each is None else Recorded(end, each.stored, self.tries[step], each.took_s)
                self._journal.note(step, address, ended, is_kept=False)
                self._tell(StepFinished(address, end.fate, end.reason, 0.0 if each is None else each.took_s))
                self._call_step_hooks(step, address, end)
            if not self._is_kept_whole and self._agenda.ended_below(step.path):
                self._release(step.path)

    def _call_step_hooks(self, step: StepId, address: str, end: StepEnd) -> None:
        own = self._agenda.graph.nodes[step.path].op.hooks
        ending = ENDINGS[end.fate]
        for hook in (*own, *self._hooks):
            if hook.ending is ending and hook.subject is StepEnded:
                number = next(self._numbers)
                self._running.hooks.add(number)
                call = self._calls.hook(hook, address, ending, end.reason)
                self._threads.submit(number, partial(_told, hook, call))

    def _note_hook(self, hook: Hook, problem: str | None) -> None:
        if problem is not None:
            self._tell(RunNoted(f"hook {hook.name!r} ({hook.where}): {problem}"))

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


def _told(hook: Hook, call: Callable[[], str | None]) -> tuple[Hook, str | None]:
    return hook, call()
