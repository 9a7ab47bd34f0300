"""AssetHooks: the hooks of a run of assets: told how each asset ended, and those of its job how the run did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.definitions.ops.hooks import Ending, Hook, StepEnded
from deltaworks.engine.definitions.resources import Resource
from deltaworks.engine.execution.endings import ENDING_OF_RUN
from deltaworks.engine.execution.events import Event
from deltaworks.engine.execution.jobs.step_hooks import HookOutcome, HookTask, StepHooks, call_hook
from deltaworks.engine.execution.report import RunReport
from deltaworks.engine.execution.resource_scope import ResourceScope
from deltaworks.engine.execution.stop import Stop
from deltaworks.engine.execution.workers.executor import ThreadExecutor
from deltaworks.engine.execution.workers.run_log import RunLog
from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.engine.planning.plan import Plan
from deltaworks.io.run_entry import RunStatus


@dataclass(frozen=True, slots=True)
class AssetHooks:
    """The hooks of one run. They are called when it is over, one after the other."""

    own: Mapping[str, tuple[Hook, ...]]
    """Those that stand on assets, by the asset's key."""
    of_job: tuple[Hook, ...]
    asked: Mapping[Hook, Mapping[str, Resource]]
    """The resources that they ask for, by argument."""

    @classmethod
    def of(cls, definitions: Definitions, graph: AssetGraph, plan: Plan, of_job: Sequence[Hook]) -> AssetHooks:
        """Return the hooks on the assets of a plan, with those of the job that it is carried out for."""
        own = {str(key): hooks for key in plan.planned if (hooks := graph.nodes[key].asset.hooks)}
        every = dict.fromkeys((*of_job, *(hook for hooks in own.values() for hook in hooks)))
        return cls(own, tuple(of_job), definitions.hook_resources(every))

    @property
    def resources(self) -> Iterator[Resource]:
        """What they ask for."""
        return (each for given in self.asked.values() for each in given.values())

    def call(self, plan: Plan, report: RunReport, scope: ResourceScope, log: RunLog[Event], stop: Stop) -> RunReport:
        """Call those that are told of such ends; return the report with the calls that nobody waits for any longer.

        Args:
            plan: what the run was to make, as it was decided last.
            report: how it ended.
            scope: its resources.
            log: takes what they print, and what goes wrong with them, which changes nothing about the run.
            stop: hooks of a canceled run have a moment.
        """
        if not self.asked:
            return report

        def call(task: HookTask) -> HookOutcome:
            return call_hook(task, scope.arguments(self.asked[task.hook]))

        entry = report.entry
        executor = ThreadExecutor(log.capturing(call), workers=1)
        hooks = StepHooks((entry.run_id, entry.job, entry.job_partition), self.of_job, executor, log.tell)
        for each in ends_of(plan, report):
            hooks.step_ended(self.own.get(each.step, ()), each.step, each.ending, each.reason)
        failures = dict(reversed([(each.asset, each.error) for each in entry.failures]))
        left = hooks.run_ended(ENDING_OF_RUN[entry.status], failures, stop)
        return replace(report, left_calls=report.left_calls + left)


def ends_of(plan: Plan, report: RunReport) -> Iterator[StepEnded]:
    """Yield how each asset ended: failed if any of its partitions did; skipped if any could not be tried."""
    entry = report.entry
    failures: dict[str, str] = {}
    for failure in entry.failures:
        failures.setdefault(failure.asset, failure.error)
    blocked = {str(each.asset): f"{each.because} {each.fate}" for each in reversed(report.blocked)}
    whole = {each.asset for each in entry.steps if each.materialized + each.skipped == each.planned}
    for key in plan.planned:
        name, ending = str(key), Ending.SUCCESS
        if name in failures:
            ending = Ending.FAILURE
        elif name in blocked:
            ending = Ending.SKIP
        elif entry.status is RunStatus.CANCELED and name not in whole:
            ending = Ending.CANCEL
        reason = failures.get(name) or blocked.get(name)
        yield StepEnded(entry.run_id, entry.job, name, ending, reason, entry.job_partition)
