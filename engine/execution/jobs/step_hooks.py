"""StepHooks: the hooks of a run, each called when what it is told of has ended.

They have threads of their own, so that a step that hangs keeps nobody from being told, and no hook the run from ending.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from deltaworks.engine.definitions.logger import Logger
from deltaworks.engine.definitions.ops.hooks import Ending, Hook, RunEnded, StepEnded
from deltaworks.engine.execution.events import RunNoted
from deltaworks.engine.execution.given import describe
from deltaworks.engine.execution.stop import GRACE_S, Stop
from deltaworks.engine.execution.workers.executor import Executor

_LOG = logging.getLogger("deltaworks.execution")

_WAIT_S = 0.1
"""How long hooks are waited for before it is asked whether the run is canceled."""


@dataclass(frozen=True, slots=True)
class HookTask:
    """A call of a hook; it never leaves the process of the run."""

    hook: Hook
    told: StepEnded | RunEnded

    @property
    def where(self) -> str:
        """The step or the asset that it is told of, or the job."""
        return self.told.step if isinstance(self.told, StepEnded) else self.told.job

    def failed(self, reason: str, _error: BaseException) -> HookOutcome:
        """Return the outcome if the call failed."""
        return HookOutcome(self, reason)


@dataclass(frozen=True, slots=True)
class HookOutcome:
    """What went wrong with a hook, if anything did."""

    task: HookTask
    problem: str | None = None
    took_s: float = 0.0

    def masked(self, masked: Callable[[str], str]) -> HookOutcome:
        """Return it without the secrets that `masked` takes out of texts."""
        return self if self.problem is None else replace(self, problem=masked(self.problem))


def call_hook(task: HookTask, resources: Mapping[str, Any]) -> HookOutcome:
    """Call a hook with its resources, by argument; what it raises changes nothing about what it is told of."""
    hook = task.hook
    arguments: dict[str, Any] = {hook.argument: task.told, **resources}
    if hook.logger is not None:
        arguments[hook.logger] = Logger(task.where)
    try:
        hook.function(**arguments)
    except BaseException as error:  # noqa: BLE001 - sys.exit() in a hook must not end the run
        _LOG.debug("hook %s raised", hook.name, exc_info=True)
        return HookOutcome(task, describe(error, hook.where.file))
    return HookOutcome(task)


class StepHooks:
    """The hooks of one run.

    Args:
        run: what all of them are told of it: its id, its job, if it is of one, and the partition.
        hooks: those of the job.
        executor: calls them.
        tell: receives what goes wrong with them, which changes nothing else.
    """

    def __init__(
        self,
        run: tuple[str, str | None, str | None],
        hooks: Sequence[Hook],
        executor: Executor[HookTask, HookOutcome],
        tell: Callable[[RunNoted], None],
    ) -> None:
        self._run, self._hooks, self._executor, self._tell = run, hooks, executor, tell
        self._running = 0

    def step_ended(self, own: Sequence[Hook], step: str, ending: Ending, reason: str | None) -> None:
        """Call those of an op, and of the job, that are told how its step ended."""
        run_id, job, partition = self._run
        for hook in (*own, *self._hooks):
            if hook.ending is ending and hook.subject is StepEnded:
                self._submit(HookTask(hook, StepEnded(run_id, job, step, ending, reason, partition)))

    def run_ended(self, ending: Ending, failures: Mapping[str, str], stop: Stop) -> int:
        """Call those of the job that are told how the run ended, after those of its steps, and wait for all.

        Args:
            ending: how it did.
            failures: why, by step.
            stop: hooks of a canceled run have a moment.

        Returns:
            How many still run that nobody waits for any more.
        """
        run_id, job, partition = self._run
        deadline_s = time.monotonic() + GRACE_S
        self._gather_all(stop, deadline_s)
        for hook in self._hooks:
            if job is not None and hook.ending is ending and hook.subject is RunEnded:
                self._submit(HookTask(hook, RunEnded(run_id, job, ending, failures, partition)))
        self._gather_all(stop, deadline_s)
        self._executor.abandon()
        return self._running

    def gather(self, timeout_s: float) -> None:
        """Take in what came of those that are back, waiting for the first one for a while."""
        if not self._running:
            return
        for outcome in self._executor.wait(timeout_s):
            self._running -= 1
            if outcome.problem is not None:
                hook = outcome.task.hook
                self._tell(RunNoted(f"hook {hook.name!r} ({hook.where}): {outcome.problem}"))

    def _gather_all(self, stop: Stop, deadline_s: float) -> None:
        while self._running and not (stop.is_urgent and time.monotonic() > deadline_s):
            self.gather(_WAIT_S)

    def _submit(self, task: HookTask) -> None:
        self._running += 1
        self._executor.submit(task)
