"""GraphCall: run the ops that make one asset, one after the other, in memory, and return what they make together."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

from deltaworks.engine.definitions.graph_asset import CONFIG
from deltaworks.engine.definitions.logger import Logger
from deltaworks.engine.definitions.ops.graph import Graph
from deltaworks.engine.definitions.partitions.partition import Partition
from deltaworks.engine.execution.jobs.argument_values import value_of, with_values
from deltaworks.engine.execution.jobs.op_call import Refused, Returned, call_op
from deltaworks.engine.planning.step_agenda import Fate, GivenValue, StepAgenda, StepEnd
from deltaworks.engine.planning.step_graph import StepId, resolve_steps
from deltaworks.errors import RunError


def run_graph(graph: Graph, key: str, arguments: Mapping[str, Any], partition: str | None) -> Any:
    """Run the ops of an asset and return what the graph gives; lazy frames stay lazy.

    Args:
        graph: what the ops are put together in.
        key: the asset.
        arguments: by name the inputs of the graph, by address what ops ask for.
        partition: the argument that is the partition; none: no op asks for it.

    Raises:
        RunError: an op failed, or what the graph gives was not made.
    """
    inputs = {port.name: arguments[port.name] for port in graph.inputs if port.name in arguments}
    calls = _Calls(StepAgenda(resolve_steps(graph, {**graph.defaults, **inputs})), key, arguments, partition)
    agenda = calls.agenda
    while (step := agenda.take()) is not None:
        agenda.end(step, calls.call(step))
    failed = next((step for step, end in agenda.ends.items() if end.fate is Fate.FAILED), None)
    if failed is not None:
        message = f"op {agenda.graph.address(failed)} failed: {agenda.ends[failed].reason}"
        raise RunError(message, names=calls.raised.get(failed, ()))
    (source,) = agenda.graph.outputs.values()
    found = agenda.read(source)
    if found is None:
        reason = next((end.reason for end in agenda.ends.values() if end.fate is Fate.SKIPPED), None)
        raise RunError(f"its ops did not make what it consists of: {reason or 'an output was not given'}")
    return value_of(found, calls.values.__getitem__)


@dataclass
class _Calls:
    """The calls of one run of the ops."""

    agenda: StepAgenda
    key: str
    arguments: Mapping[str, Any]
    partition: str | None
    values: dict[GivenValue, Any] = field(default_factory=dict[GivenValue, Any])
    """What steps gave."""
    raised: dict[StepId, tuple[str, ...]] = field(default_factory=dict[StepId, tuple[str, ...]])
    """By which names retry policies know what failed steps raised."""

    def call(self, step: StepId) -> StepEnd:
        """Call a step, as often as its policy allows, and keep what it gives."""
        op = self.agenda.graph.nodes[step.path].op
        given = self._given(step)
        tried = 0
        while isinstance(result := call_op(op, given), Refused):
            tried += 1
            is_worth_it = result.may_pass_later and op.retry is not None and op.retry.allows(result.error_names)
            if op.retry is None or not is_worth_it or tried > op.retry.max_retries:
                self.raised[step] = result.error_names
                return StepEnd(Fate.FAILED, reason=result.reason)
            time.sleep(op.retry.delay_before_s(tried, random.random()))  # noqa: S311 - spreads load, guards nothing
        return self._kept(step, result)

    def _kept(self, step: StepId, returned: Returned) -> StepEnd:
        self.values |= {GivenValue(step, output): value for output, value in returned.values.items()}
        for output, fan in returned.fans.items():
            self.values |= {GivenValue(step, output, key): value for key, value in fan.items()}
        keys = {output: tuple(fan) for output, fan in returned.fans.items()}
        return StepEnd(Fate.SUCCESS, frozenset((*returned.values, *returned.fans)), keys)

    def _given(self, step: StepId) -> dict[str, Any]:
        op = self.agenda.graph.nodes[step.path].op
        signature = op.signature
        given = {name: self.arguments[".".join((*step.path, name))] for name in signature.resources}
        if signature.config is not None:
            given[signature.config] = reduce(getattr, step.path, self.arguments[CONFIG])
        if Partition in signature.injected and self.partition is not None:
            given[signature.injected[Partition]] = self.arguments[self.partition]
        if Logger in signature.injected:
            given[signature.injected[Logger]] = Logger(f"{self.key}: {self.agenda.graph.address(step)}")
        return with_values(given, op, self.agenda.arguments(step), self.values.__getitem__)
