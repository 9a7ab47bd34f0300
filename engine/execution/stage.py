"""Stage: write what an asset's function returns, and check exactly what was written.

Nothing staged is visible to any reader. A partition that breaks a rule is dropped; the others of the call stay. Two
ways lead to the same files: in memory for one partition known to be small, at about half the cost, and streaming, in
bounded memory, for everything else.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import polars as pl

from deltaworks.engine.definitions.resources import Resource
from deltaworks.engine.execution.call import Call, ContractKey, call_function, describe, guard
from deltaworks.engine.execution.task import Outcome, StagedOutcome, Task
from deltaworks.engine.planning.graph import Node
from deltaworks.errors import DeltaworksError, RunError, ValidationFailed
from deltaworks.io.parquet import Staging, disk_refusal
from deltaworks.io.partition_values import partition_key, serialized
from deltaworks.io.staged import StagedFile, StagedPartition
from deltaworks.io.statistics import statistics
from deltaworks.io.store import Store
from deltaworks.validation import ROWS, Contract

_STRAY = "\0stray"
_LOG = logging.getLogger("deltaworks.execution")


@dataclass(frozen=True)
class Stager:
    """What tasks are carried out with."""

    store: Store
    nodes: Mapping[str, Node]
    """By asset key."""
    resources: Mapping[str, Mapping[str, Resource]]
    """By asset key and argument name."""
    compiled: dict[ContractKey, Contract] = field(default_factory=dict[ContractKey, Contract])
    """The contracts of the run so far."""

    def stage(self, task: Task) -> Outcome:
        """Carry out a task. What goes wrong is in the outcome, one sentence for each partition."""
        call = Call(self.nodes[str(task.asset)], task)
        staging = Staging(self.store, call.node.asset.table_name, task.run_id, task.number)
        try:
            lf = call_function(call, self.store, self.resources.get(str(task.asset), {}))
            contract = guard(call, lf, self.compiled)
            written = (
                _in_memory(call, staging, lf, contract) if task.is_small else _streaming(call, staging, lf, contract)
            )
            return _judge(call, staging, contract, written)
        except ValidationFailed as error:
            reason, may_pass_later = str(error), False
        except DeltaworksError as error:
            _LOG.debug("%s failed", call.where, exc_info=True)
            reason, may_pass_later = str(error), True
        except Exception as error:  # noqa: BLE001 - whatever a user's plan raises belongs to this task alone
            _LOG.debug("%s failed", call.where, exc_info=True)
            refusal = disk_refusal(error)
            reason = f"{call.where}: {refusal or describe(error, call.node.asset.where.file)}"
            may_pass_later = True
        for ordinal in task.ordinals:
            staging.drop(call.values(ordinal))
        return Outcome(task, failures=dict.fromkeys(task.ordinals, reason), may_pass_later=may_pass_later)


@dataclass(frozen=True, slots=True)
class _Written:
    """Rows that lie staged, by ordinal; a partition without rows has no file."""

    measured: Mapping[int, Mapping[str, object]]
    rows_of: Callable[[int], pl.DataFrame]


def _in_memory(call: Call, staging: Staging, lf: pl.LazyFrame, contract: Contract) -> _Written:
    assert call.task.first == call.task.last, "only a single partition is held in memory"
    ordinal = call.task.first
    df = lf.collect()
    measured = df.select(*_aggregates(call, contract), _stray(call)).row(0, named=True)
    _refuse_strays(call, measured[_STRAY])
    if df.is_empty():
        return _Written({}, lambda _: df)
    staging.write(df, call.values(ordinal))
    return _Written({ordinal: measured}, lambda _: df)


def _streaming(call: Call, staging: Staging, lf: pl.LazyFrame, contract: Contract) -> _Written:
    """Write first, then measure what was written.

    To measure in the pass that writes would be one pass only as long as the plan is: a source in Python is called once
    for each query on it, and need not give the same rows twice.
    """
    columns = call.node.partition_columns
    if columns and call.task.first != call.task.last:
        # A range call sees the union of its inputs, so its result is cut to the partitions that were asked for.
        lf = lf.filter(call.partition.contains(columns[0]).fill_null(True))
    staging.sink(lf, columns).collect(engine="streaming")
    ordinals = {call.node.partitions.key(ordinal): ordinal for ordinal in call.task.ordinals}
    written: list[dict[str, str | None]] = [dict(values) for values in staging.written] if columns else [{}]
    strays = [values for values in written if partition_key(values) not in ordinals]
    if strays:
        rows = staging.scan(strays, contract.schema).select(pl.len()).collect().item()
        for values in strays:
            staging.drop(values)
        _refuse_strays(call, rows)
    measured: dict[int, Mapping[str, object]] = {}
    if written:
        staged = staging.scan(written, contract.schema)
        aggregates = _aggregates(call, contract)
        by_partition = staged.group_by(columns).agg(aggregates) if columns else staged.select(aggregates)
        for row in by_partition.collect(engine="streaming").iter_rows(named=True):
            if row[ROWS]:
                measured[ordinals[partition_key({column: serialized(row[column]) for column in columns})]] = row
    return _Written(measured, lambda ordinal: staging.scan([call.values(ordinal)], contract.schema).collect())


def _aggregates(call: Call, contract: Contract) -> list[pl.Expr]:
    columns = call.node.partition_columns
    stored = {name: dtype for name, dtype in contract.schema.items() if name not in columns}
    return [*contract.aggregates(), *statistics(stored)]


def _stray(call: Call) -> pl.Expr:
    """Count the rows that do not belong to the call's partition."""
    if not call.node.partition_columns:
        return pl.lit(0).alias(_STRAY)
    is_inside = call.partition.contains(call.node.partition_columns[0])
    return (~is_inside).fill_null(True).sum().alias(_STRAY)


def _refuse_strays(call: Call, strays: int) -> None:
    if strays:
        column = call.node.partition_columns[0]
        raise RunError(
            f"{call.where}: {strays} rows lie outside the requested partition by their {column!r}; filter the result, "
            f"for example by partition.contains({column!r})"
        )


def _judge(call: Call, staging: Staging, contract: Contract, written: _Written) -> Outcome:
    staged: list[StagedOutcome] = []
    failures: dict[int, str] = {}
    for ordinal in call.task.ordinals:
        measured = written.measured.get(ordinal)
        try:
            staged.append(_judge_one(call, staging, contract, ordinal, measured, written.rows_of))
        except ValidationFailed as error:
            staging.drop(call.values(ordinal))
            failures[ordinal] = str(error)
    return Outcome(call.task, tuple(staged), contract.schema, failures)


def _judge_one(
    call: Call,
    staging: Staging,
    contract: Contract,
    ordinal: int,
    measured: Mapping[str, object] | None,
    rows_of: Callable[[int], pl.DataFrame],
) -> StagedOutcome:
    values = call.values(ordinal)
    key = call.node.partitions.key(ordinal)
    files: tuple[StagedFile, ...] = ()
    if measured is None:
        staging.drop(values)
        verdict = contract.judge_no_rows()
    else:
        residual = contract.judge_residual(rows_of(ordinal)) if contract.residual else None
        verdict = contract.judge(measured, residual)
        if verdict.ok:
            files = (staging.staged(values, measured, verdict.rows),)
    if not verdict.ok:
        results = contract.samples(rows_of(ordinal), verdict.failed) if measured is not None else verdict.failed
        raise ValidationFailed(
            f"{f'{call.node.key} {key}'.rstrip()}: {'; '.join(map(str, results))}. Nothing was committed for it.",
            asset=str(call.node.key),
            partition=key or None,
        )
    return StagedOutcome(ordinal, StagedPartition(key, values, verdict.rows, files), verdict.passed, verdict.warned)
