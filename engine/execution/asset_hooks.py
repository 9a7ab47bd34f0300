"""AssetHooks: tell hooks how each asset of a run ended, and the hooks of a job of assets how the run did."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping

from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.logger import Logger
from deltaworks.engine.definitions.ops.asset_job import AssetJob
from deltaworks.engine.definitions.ops.hooks import Ending, Hook, RunEnded, StepEnded
from deltaworks.engine.definitions.resources import Resource
from deltaworks.engine.execution.given import describe
from deltaworks.engine.execution.report import RunReport
from deltaworks.engine.execution.resource_scope import ResourceScope, resource_scope
from deltaworks.engine.execution.workers.capture import masking
from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.engine.planning.plan import Plan
from deltaworks.errors import RunError
from deltaworks.io.ledger import RunStatus

_LOG = logging.getLogger("deltaworks.execution")
ENDINGS = {
    RunStatus.SUCCESS: Ending.SUCCESS,
    RunStatus.FAILURE: Ending.FAILURE,
    RunStatus.CANCELED: Ending.CANCEL,
}


def own_hooks(graph: AssetGraph, plan: Plan) -> dict[AssetKey, tuple[Hook, ...]]:
    """Return the hooks that stand on the assets of a plan."""
    return {key: hooks for key in plan.planned if (hooks := graph.nodes[key].asset.hooks)}


def call_own_hooks(
    hooks: Mapping[AssetKey, tuple[Hook, ...]],
    asked: Mapping[Hook, Mapping[str, Resource]],
    plan: Plan,
    report: RunReport,
    scope: ResourceScope,
    note: Callable[[str], None],
) -> None:
    """Call the hooks of assets whose run is over; `note` is told what goes wrong with them.

    Args:
        hooks: by asset.
        asked: the resources that they ask for, by argument.
        plan: what the run was to make.
        report: how it ended.
        scope: the resources of the run.
        note: takes a sentence.
    """
    told = {each.step: each for each in ends_of(plan, report)}
    for key, own in hooks.items():
        for hook in own:
            _call(hook, told[str(key)], asked[hook], scope, note)


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
    asked = definitions.hook_resources(job.hooks)
    failures = dict(reversed([(each.asset, each.error) for each in report.entry.failures]))
    run = RunEnded(report.entry.run_id, job.name, ENDINGS[report.entry.status], failures, partition)
    ended: tuple[StepEnded | RunEnded, ...] = (*ends_of(plan, report), run)
    with resource_scope((each for wanted in asked.values() for each in wanted.values()), environ) as scope:
        for hook in job.hooks:
            for told in ended:
                _call(hook, told, asked[hook], scope, note)


def _call(
    hook: Hook,
    told: StepEnded | RunEnded,
    asked: Mapping[str, Resource],
    scope: ResourceScope,
    note: Callable[[str], None],
) -> None:
    """Call a hook, if it is told of such an end."""
    if hook.ending is not told.ending or hook.subject is not type(told):
        return
    subject = told.step if isinstance(told, StepEnded) else told.job
    try:
        arguments = {argument: scope.of(resource) for argument, resource in asked.items()}
        logger = {} if hook.logger is None else {hook.logger: Logger(subject)}
        with masking(scope.masked):
            hook.function(**{hook.argument: told}, **arguments, **logger)
    except RunError as error:
        note(f"hook {hook.name!r} ({hook.where}): {error}")
    except Exception as error:  # noqa: BLE001 - a hook changes nothing about what it is told of
        scope.secrets.scrub(error)
        _LOG.debug("hook %s raised", hook.name, exc_info=True)
        note(f"hook {hook.name!r} ({hook.where}): {scope.masked(describe(error, hook.where.file))}")


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
