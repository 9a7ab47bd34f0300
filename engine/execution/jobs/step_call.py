"""StepCall: call an op, or a hook, with everything that its function asks for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from deltaworks.engine.definitions.logger import Logger
from deltaworks.engine.definitions.ops.attempt import Attempt
from deltaworks.engine.definitions.ops.config import Config
from deltaworks.engine.definitions.ops.hooks import Hook
from deltaworks.engine.definitions.ops.op import Op
from deltaworks.engine.definitions.ops.sources import Path
from deltaworks.engine.definitions.partitions.partition import Partition
from deltaworks.engine.definitions.policies import error_names
from deltaworks.engine.definitions.resources import Resource
from deltaworks.engine.execution.given import describe
from deltaworks.engine.execution.jobs.argument_values import with_values
from deltaworks.engine.execution.jobs.op_call import Refused, call_op
from deltaworks.engine.execution.jobs.step_hooks import HookOutcome, HookTask, call_hook
from deltaworks.engine.execution.jobs.step_task import StepOutcome, StepTask
from deltaworks.engine.execution.jobs.step_values import StepValues, lost_in
from deltaworks.engine.execution.resource_scope import ResourceScope
from deltaworks.engine.planning.step_graph import StepGraph
from deltaworks.errors import DeltaworksError


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What functions of a run are given beside the values of other steps, in this process."""

    first_run_id: str
    """The run, or the one from whose failure it goes on, and so on back to the first."""
    job: str
    partition: Partition | None
    config: Mapping[Path, Config]
    scope: ResourceScope
    asked: Mapping[Op | Hook, Mapping[str, Resource]]
    """The definition's resources, by who asks for them and argument."""
    tables: Mapping[Path, Mapping[str, Callable[[], pl.LazyFrame]]]
    """What is read of tables, by op and input."""


@dataclass(frozen=True, slots=True)
class StepCalls:
    """Calls the steps of one run, from any thread."""

    graph: StepGraph
    values: StepValues
    around: Surroundings

    def call(self, task: StepTask) -> StepOutcome:
        """Call a step, and keep what it gives; whatever goes wrong is its outcome."""
        began_s = time.perf_counter()
        file = self.graph.nodes[task.step.path].op.where.file
        try:
            return self._called(task, began_s)
        except DeltaworksError as error:
            return StepOutcome(task, reason=str(error), may_pass_later=True, error_names=error_names(error))
        except BaseException as error:  # noqa: BLE001 - a lazy frame is computed here, by the author's own functions
            reason = describe(error, file)
            return StepOutcome(task, reason=reason, may_pass_later=True, error_names=error_names(error))

    def call_away(self, task: StepTask) -> StepOutcome:
        """Call a step for the process of its run, which finds what it gives where that is stored."""
        self.values.take_over(task.places)
        try:
            outcome = self.call(task)
        finally:
            self.values.forget()
        lost = next(lost_in(outcome.stored), None)
        if lost is None:
            return outcome
        output, why = lost
        reason = f"it gave as {output!r} what cannot be pickled ({why}), so no other process could read it"
        return StepOutcome(task, reason=f"{reason}; run it on threads, without limits", took_s=outcome.took_s)

    def hook(self, task: HookTask) -> HookOutcome:
        """Call a hook; what it raises changes nothing about what it is told of."""
        return call_hook(task, self._resources(task.hook))

    def _called(self, task: StepTask, began_s: float) -> StepOutcome:
        op = self.graph.nodes[task.step.path].op
        result = call_op(op, with_values(self._injected(task, op), op, task.arguments, self.values.read))
        if isinstance(result, Refused):
            took_s = time.perf_counter() - began_s
            return StepOutcome(
                task,
                reason=result.reason,
                may_pass_later=result.may_pass_later,
                error_names=result.error_names,
                took_s=took_s,
            )
        return StepOutcome(
            task,
            frozenset((*result.values, *result.fans)),
            {output: tuple(fan) for output, fan in result.fans.items()},
            self.values.put(task.step, task.file_number, result),
            took_s=time.perf_counter() - began_s,
        )

    def _injected(self, task: StepTask, op: Op) -> dict[str, Any]:
        around, signature, path = self.around, op.signature, task.step.path
        given: dict[str, Any] = self._resources(op)
        if signature.config is not None:
            given[signature.config] = around.config[path]
        for name, read in around.tables.get(path, {}).items():
            lf, frame = read(), op.inputs[name].frame
            given[name] = lf if frame is None or frame.is_lazy else lf.collect()
        if signature.injected:
            key = None if around.partition is None else around.partition.key
            known: dict[type, Any] = {
                Partition: around.partition,
                Logger: Logger(task.where),
                Attempt: Attempt(around.first_run_id, around.job, task.where, task.tried, key),
            }
            given |= {argument: known[kind] for kind, argument in signature.injected.items()}
        return given

    def _resources(self, whose: Op | Hook) -> dict[str, Any]:
        return self.around.scope.arguments(self.around.asked.get(whose))
