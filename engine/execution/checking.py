"""Checking: call the asset checks of one partition, and say what each answered.

A check that raises has not passed, and forbids a commit whether or not it is blocking: nobody knows what it would have
said.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from deltaworks.engine.definitions.asset_check import AssetCheck
from deltaworks.engine.definitions.check_result import CheckResult
from deltaworks.engine.definitions.partitions.partition import Partition
from deltaworks.engine.execution.asset_resources import AssetResources
from deltaworks.engine.execution.given import Given, describe
from deltaworks.engine.execution.task import Checked, CheckRead, PinnedInput
from deltaworks.engine.planning.check_nodes import CheckNode
from deltaworks.engine.planning.graph import Node
from deltaworks.errors import DeltaworksError
from deltaworks.io.log import LiveFile
from deltaworks.io.partition_statistics import PartitionStatistics
from deltaworks.io.staged import StagedPartition
from deltaworks.io.store import Store
from deltaworks.validation import RuleResult, Severity

_LOG = logging.getLogger("deltaworks.execution")


@dataclass(frozen=True, slots=True)
class Checker:
    """What checks are called with."""

    store: Store
    resources: AssetResources

    def judge(self, check: CheckNode, ordinal: int, judged: PinnedInput, read: CheckRead) -> Checked:
        """Call a check on one partition.

        Args:
            check: the check.
            ordinal: the partition.
            judged: its rows.
            read: what the check reads beside them.
        """
        node, definition = check.node, check.check
        where = _place(check, node.partitions.key(ordinal))
        inputs = dict(read.inputs)
        if definition.result is not None:
            inputs[definition.result] = judged
        for edge in (*check.committed, *check.earlier):
            name = edge.argument.argument
            if name in inputs and inputs[name].schema is None:
                inputs[name] = replace(inputs[name], schema=judged.schema)  # there is no table yet

        def call() -> object:
            arguments = Given(inputs, read.cuts, self.store, self.resources).arguments(node, "", where)
            if definition.signature.partition is not None:
                partition = Partition(node.partitions, ordinal, ordinal, node.partition_columns)
                arguments[definition.signature.partition] = partition
            return definition.function(**arguments)

        return self._asked(definition, where, call)

    def compare(
        self, check: CheckNode, judged: PartitionStatistics, trailing: Sequence[PartitionStatistics]
    ) -> Checked:
        """Judge a partition by its statistics and those of others, the latest last."""
        comparison = check.check.comparison
        assert comparison is not None, "a check of rows is called with rows"
        return self._asked(check.check, _place(check, judged.key), lambda: comparison(judged, trailing))

    def _asked(self, check: AssetCheck, where: str, call: Callable[[], object]) -> Checked:
        masked = self.resources.masked
        try:
            return _answered(check, call(), self.resources)
        except DeltaworksError as error:
            return _not_judged(check, masked(str(error).removeprefix(f"{where}: ")))
        except (Exception, SystemExit, pl.exceptions.PanicException) as error:  # noqa: BLE001 - authors' code raises anything
            _LOG.debug("%s raised", where, exc_info=True)
            return _not_judged(check, masked(describe(error, check.where.file)))


def _place(check: CheckNode, key: str) -> str:
    return f"{check.check.asset} {key}".rstrip() + f": check {check.check.name}"


def _answered(check: AssetCheck, answer: object, resources: AssetResources) -> Checked:
    """Return what a check's answer means, without secrets."""
    if isinstance(answer, bool):
        answer = CheckResult(answer)
    if not isinstance(answer, CheckResult):
        return _not_judged(check, f"the function returned {_shown(answer)}, expected a CheckResult or a Boolean")
    metadata = resources.without_secrets(answer.metadata)
    if answer.passed:
        return Checked(None, metadata)
    severity = Severity(answer.severity or (Severity.FAIL if check.blocking else Severity.WARN))
    facts = ", ".join(f"{name} {value}" for name, value in metadata.items())
    note = _on_a_line(resources.masked(answer.message or facts)) or None
    return Checked(RuleResult(None, check.name, severity, None, note=note, is_check=True), metadata)


def staged_pin(node: Node, partition: StagedPartition, schema: pl.Schema) -> PinnedInput:
    """Pin a staged partition as what is judged."""
    return PinnedInput(
        asset=node.key,
        table=node.asset.table_name,
        table_id=None,
        version=-1,
        files=staged_files(partition),
        schema=schema,
        partition_columns=node.partition_columns,
        computed_columns=node.computed_columns,
    )


def staged_files(partition: StagedPartition) -> tuple[LiveFile, ...]:
    """Return the files of a staged partition as if they were live."""
    return tuple(LiveFile(file.path, file.path, file.size_bytes, partition.values) for file in partition.files)


def refusals_of(made: Mapping[str, Checked]) -> tuple[RuleResult, ...]:
    """Return what forbids a commit among what checks said."""
    results = (each.result for each in made.values())
    return tuple(result for result in results if result is not None and result.severity is Severity.FAIL)


def _not_judged(check: AssetCheck, problem: str) -> Checked:
    return Checked(RuleResult(None, check.name, Severity.FAIL, None, problem=problem, is_check=True), {})


def _on_a_line(text: str) -> str:
    """Return an author's text for a sentence: what would steer a terminal is spelled out."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in " ".join(text.split()))


def _shown(value: Any) -> str:
    return "None" if value is None else type(value).__name__
