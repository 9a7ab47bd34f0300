"""AssetHooks: tell the hooks of a job of assets how each asset ended, and the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.definitions.logger import Logger
from deltaworks.engine.definitions.ops.asset_job import AssetJob
from deltaworks.engine.definitions.ops.hooks import Ending, RunEnded, StepEnded
from deltaworks.engine.execution.given import describe
from deltaworks.engine.execution.report import RunReport
from deltaworks.engine.execution.resource_scope import resource_scope
from deltaworks.engine.planning.plan import Plan
from deltaworks.io.ledger import RunStatus

_ENDINGS = {
    RunStatus.SUCCESS: Ending.SUCCESS,
    RunStatus.FAILURE: Ending.FAILURE,
    RunStatus.CANCELED: Ending.CANCEL,
}


def call_asset_hooks(
    job: AssetJob,
    definitions: Definitions,
    plan: Plan,
    report: RunReport,
    partition: str | None,
    environ: Mapping[str, str],
    note: Callable[[str], None],
) -> None:
    """Call the hooks of a job whose run is over; `note` is told what goes wrong with them.

    Raises:
        InvalidSettings: a resource of a hook lacks its environment variable.
        RunError: a resource of a hook could not be made ready or put away.
    """
    asked = definitions.resources_of(job)
    ended = list(_ends(job, plan, report, partition))
    with resource_scope((each for wanted in asked.values() for each in wanted.values()), environ) as scope:
        for hook in job.hooks:
            for told in ended:
                if hook.ending is not told.ending or hook.subject is not type(told):
                    continue
                subject = told.step if isinstance(told, StepEnded) else job.name
                arguments = {argument: scope.of(resource) for argument, resource in asked[hook].items()}
                logger = {} if hook.logger is None else {hook.logger: Logger(subject)}
                try:
                    hook.function(**{hook.argument: told}, **arguments, **logger)
                except Exception as error:  # noqa: BLE001 - a hook changes nothing about what it is told of
                    problem = scope.masked(describe(error, hook.where.file))
                    note(f"hook {hook.name!r} ({hook.where}): {problem}")


def _ends(job: AssetJob, plan: Plan, report: RunReport, partition: str | None) -> Iterator[StepEnded | RunEnded]:
    """Yield how each asset ended: failed if any of its partitions did; skipped if any could not be tried."""
    entry = report.entry
    failures: dict[str, str] = {}
    for failure in entry.failures:
        failures.setdefault(failure.asset, failure.error)
    blocked = {str(each.asset): f"{each.because} {each.fate}" for each in reversed(report.blocked)}
    for key in plan.planned:
        name, ending = str(key), Ending.SUCCESS
        if name in failures:
            ending = Ending.FAILURE
        elif name in blocked:
            ending = Ending.SKIP
        elif entry.status is RunStatus.CANCELED:
            ending = Ending.CANCEL
        yield StepEnded(entry.run_id, job.name, name, ending, failures.get(name) or blocked.get(name), partition)
    yield RunEnded(entry.run_id, job.name, _ENDINGS[entry.status], failures, partition)
