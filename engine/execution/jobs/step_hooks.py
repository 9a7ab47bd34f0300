"""StepHooks: the hooks of a run of a job, each called when what it is told of has ended.

They have threads of their own, so that a step that hangs keeps nobody from being told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from deltaworks.engine.definitions.ops.hooks import Ending, Hook, RunEnded, StepEnded
from deltaworks.engine.execution.events import RunNoted
from deltaworks.engine.execution.workers.executor import Executor


@dataclass(frozen=True, slots=True)
class HookTask:
    """A call of a hook; it never leaves the process of the run."""

    hook: Hook
    told: StepEnded | RunEnded

    @property
    def where(self) -> str:
        """The step that it is told of, or the job."""
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


class StepHooks:
    """The hooks of one run.

    Args:
        run: what all of them are told of it: its id, its job and the partition.
        hooks: those of the job.
        executor: calls them.
        tell: receives what goes wrong with them, which changes nothing else.
    """

    def __init__(
        self,
        run: tuple[str, str, str | None],
        hooks: Sequence[Hook],
        executor: Executor[HookTask, HookOutcome],
        tell: Callable[[RunNoted], None],
    ) -> None:
        self._run, self._hooks, self._executor, self._tell = run, hooks, executor, tell
        self._running = 0

    @property
    def are_running(self) -> bool:
        """Whether any has not come back."""
        return self._running > 0

    def step_ended(self, own: Sequence[Hook], step: str, ending: Ending, reason: str | None) -> None:
        """Call those of an op, and of the job, that are told how its step ended."""
        run_id, job, partition = self._run
        for hook in (*own, *self._hooks):
            if hook.ending is ending and hook.subject is StepEnded:
                self._submit(HookTask(hook, StepEnded(run_id, job, step, ending, reason, partition)))

    def run_ended(self, ending: Ending, failures: Mapping[str, str]) -> None:
        """Call those of the job that are told how the run ended; `failures`: why, by step."""
        run_id, job, partition = self._run
        for hook in self._hooks:
            if hook.ending is ending and hook.subject is RunEnded:
                self._submit(HookTask(hook, RunEnded(run_id, job, ending, failures, partition)))

    def gather(self, timeout_s: float) -> None:
        """Take in what came of those that are back, waiting for the first one for a while."""
        if not self._running:
            return
        for outcome in self._executor.wait(timeout_s):
            self._running -= 1
            if outcome.problem is not None:
                hook = outcome.task.hook
                self._tell(RunNoted(f"hook {hook.name!r} ({hook.where}): {outcome.problem}"))

    def close(self) -> int:
        """Wait for none that still runs, and return how many these are."""
        self._executor.abandon()
        return self._running

    def _submit(self, task: HookTask) -> None:
        self._running += 1
        self._executor.submit(task)
