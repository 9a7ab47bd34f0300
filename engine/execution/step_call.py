"""StepCall: call one step with everything that its function asks for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from deltaworks.engine.definitions.logger import Logger
from deltaworks.engine.definitions.ops.attempt import Attempt
from deltaworks.engine.definitions.ops.config import Config
from deltaworks.engine.definitions.ops.hooks import Ending, Hook, RunEnded, StepEnded
from deltaworks.engine.definitions.ops.op import Op
from deltaworks.engine.definitions.ops.ports import InPort
from deltaworks.engine.definitions.ops.sources import Path
from deltaworks.engine.definitions.partitions.partition import Partition
from deltaworks.engine.definitions.resources import Resource
from deltaworks.engine.execution.capture import masking
from deltaworks.engine.execution.given import describe
from deltaworks.engine.execution.op_call import Refused, Returned, call_op
from deltaworks.engine.execution.step_values import StepValues
from deltaworks.engine.planning.step_agenda import Argument
from deltaworks.engine.planning.step_graph import StepGraph, StepId
from deltaworks.errors import StorageError
from deltaworks.io.dtypes import Json


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a call of a step."""

    result: Returned | Refused
    stored: Json
    """Where what it gave is, by output."""
    took_s: float


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What functions of a run are given beside the values of other steps."""

    run_id: str
    first_run_id: str
    """That of the run from whose failure this one goes on, or of the one before that, and so on."""
    job: str
    partition: Partition | None
    config: Mapping[Path, Config]
    resources: Mapping[int, Resource]
    """Ready to be used, by the id of the definition's."""
    asked: Mapping[Op | Hook, Mapping[str, Resource]]
    """The definition's resources, by who asks for them and argument."""
    tables: Mapping[Path, Mapping[str, Callable[[], pl.LazyFrame]]]
    """What is read of tables, by op and input."""
    masked: Callable[[str], str]
    """Takes secrets out of a text."""


@dataclass(frozen=True, slots=True)
class StepCalls:
    """Calls the steps of one run, from any thread."""

    graph: StepGraph
    values: StepValues
    around: Surroundings

    def call(self, step: StepId, arguments: Mapping[str, Argument], number: int, tried: int) -> Done:
        """Call a step, and keep what it gives; whatever goes wrong is its result."""
        began_s = time.monotonic()
        with masking(self.around.masked):
            result, stored = self._called(step, arguments, number, tried)
        return Done(result, stored, time.monotonic() - began_s)

    def hook(self, hook: Hook, address: str, ending: Ending, reason: str | None) -> Callable[[], str | None]:
        """Return a call of a hook that is told how a step ended; it returns what went wrong with it."""
        around = self.around
        key = None if around.partition is None else around.partition.key
        return self._hook(hook, StepEnded(around.run_id, around.job, address, ending, reason, key), address)

    def run_hook(self, hook: Hook, ending: Ending, failures: Mapping[str, str]) -> Callable[[], str | None]:
        """Return a call of a hook that is told how the run ended."""
        around = self.around
        key = None if around.partition is None else around.partition.key
        return self._hook(hook, RunEnded(around.run_id, around.job, ending, failures, key), around.job)

    def _hook(self, hook: Hook, told: StepEnded | RunEnded, subject: str) -> Callable[[], str | None]:
        def call() -> str | None:
            arguments: dict[str, Any] = {hook.argument: told, **self._resources(hook)}
            if hook.logger is not None:
                arguments[hook.logger] = Logger(subject)
            try:
                with masking(self.around.masked):
                    hook.function(**arguments)
            except BaseException as error:  # noqa: BLE001 - a hook changes nothing about what it is told of
                return self.around.masked(describe(error, hook.where.file))
            return None

        return call

    def _called(
        self, step: StepId, arguments: Mapping[str, Argument], number: int, tried: int
    ) -> tuple[Returned | Refused, Json]:
        node = self.graph.nodes[step.path]
        try:
            given = self._injected(step, node.op, tried)
            for name, argument in arguments.items():
                port = node.op.inputs[name]
                if port.is_value:
                    given[name] = self.values.get(argument, port.frame)
            for port in node.op.signature.inputs:
                if _takes_nothing(port, given):
                    given[port.name] = None
            result = call_op(node.op, given)
            if isinstance(result, Refused):
                return Refused(self.around.masked(result.reason), result.may_pass_later), {}
            return result, self.values.put(step, number, result)
        except StorageError as error:
            return Refused(str(error), may_pass_later=True), {}
        except BaseException as error:  # noqa: BLE001 - a lazy frame is computed here, by the author's own functions
            return Refused(self.around.masked(describe(error, node.op.where.file)), may_pass_later=True), {}

    def _injected(self, step: StepId, op: Op, tried: int) -> dict[str, Any]:
        around, signature = self.around, op.signature
        given: dict[str, Any] = self._resources(op)
        if signature.config is not None:
            given[signature.config] = around.config[step.path]
        for name, read in around.tables.get(step.path, {}).items():
            lf, frame = read(), op.inputs[name].frame
            given[name] = lf if frame is None or frame.is_lazy else lf.collect()
        if signature.injected:
            address = self.graph.address(step)
            key = None if around.partition is None else around.partition.key
            known: dict[type, Any] = {
                Partition: around.partition,
                Logger: Logger(address),
                Attempt: Attempt(around.first_run_id, around.job, address, tried, key),
            }
            given |= {argument: known[kind] for kind, argument in signature.injected.items()}
        return given

    def _resources(self, whose: Op | Hook) -> dict[str, Any]:
        asked = self.around.asked.get(whose, {})
        return {argument: self.around.resources[id(resource)] for argument, resource in asked.items()}


def _takes_nothing(port: InPort, given: Mapping[str, Any]) -> bool:
    """Return whether an input has neither a value nor a default, so that it is None, which its type allows."""
    return port.is_value and port.name not in given and not port.has_default
