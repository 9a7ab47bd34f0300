"""Call: run an asset's function on its pinned inputs, and make sure that what it returns can be stored."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import polars as pl

from deltaworks.engine.definitions.logger import Logger
from deltaworks.engine.definitions.partitions.partition import Partition
from deltaworks.engine.definitions.resources import Resource
from deltaworks.engine.execution.task import PinnedInput, Task
from deltaworks.engine.planning.graph import Node
from deltaworks.errors import RunError, ValidationFailed
from deltaworks.io.dtypes import delta_problem
from deltaworks.io.partition_values import stored
from deltaworks.io.places import Places
from deltaworks.io.scan import scan_files
from deltaworks.io.store import Store
from deltaworks.validation import Contract, compile_contract, conform, declare

ContractKey: TypeAlias = tuple[type | None, tuple[tuple[str, pl.DataType], ...]]
"""A model and the columns that it was compiled for."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an asset's function: the asset, and the task that asks for it."""

    node: Node
    task: Task

    @property
    def partition(self) -> Partition:
        """What the function is asked for; only partitioned assets have one."""
        return Partition(self.node.partitions, self.task.first, self.task.last, self.node.partition_columns)

    @property
    def where(self) -> str:
        """The asset and its partitions, for messages."""
        first, last = self.node.partitions.key(self.task.first), self.node.partitions.key(self.task.last)
        return f"{self.node.key} {first if first == last else f'{first}..{last}'}".rstrip()


@dataclass(frozen=True, slots=True)
class Result:
    """What a call's function returned, seen to be fit for its table, with all of its partition columns."""

    call: Call
    lf: pl.LazyFrame
    schema: pl.Schema
    contract: Contract

    @property
    def places(self) -> Places:
        """Where its partitions lie."""
        return Places.of(self.call.node.partition_columns, self.schema)

    def values(self, ordinal: int) -> dict[str, str]:
        """Return the values of the partition columns for one partition, as the log writes them."""
        node = self.call.node
        return {
            column: stored(dimension.key(coordinate), self.schema[column])
            for column, dimension, coordinate in zip(
                node.partition_columns, node.partitions.dimensions, node.partitions.coordinates(ordinal), strict=True
            )
        }

    def is_inside(self) -> pl.Expr:
        """Return the claim that a row lies in the call's partitions, by each dimension; null where a value is."""
        partition, columns = self.call.partition, self.call.node.partition_columns
        return pl.all_horizontal(partition.contains(column) for column in columns)


def call_function(call: Call, store: Store, resources: Mapping[str, Resource]) -> pl.LazyFrame:
    """Call the function and return its result, lazily; `resources` are by argument name.

    Raises:
        RunError: the function raised, or did not return a frame.
    """
    signature = call.node.asset.signature
    arguments: dict[str, Any] = dict(resources)
    for upstream in signature.upstreams:
        lf = _scan(call, store, call.task.inputs[upstream.argument], upstream.frame.model)
        arguments[upstream.argument] = lf if upstream.frame.is_lazy else lf.collect()
    if signature.partition is not None:
        arguments[signature.partition] = call.partition
    if signature.logger is not None:
        arguments[signature.logger] = Logger(call.where)
    try:
        result = call.node.asset.function(**arguments)
    except Exception as error:
        raise RunError(f"{call.where}: {describe(error, call.node.asset.where.file)}") from error
    if not isinstance(result, pl.LazyFrame | pl.DataFrame):
        raise RunError(f"{call.where}: the function returned {type(result).__name__}, expected a Polars frame")
    try:
        return conform(call.node.asset.model, result.lazy())
    except (pl.exceptions.PolarsError, OSError) as error:
        raise RunError(f"{call.where}: {describe(error, call.node.asset.where.file)}") from error


def guard(call: Call, lf: pl.LazyFrame, compiled: dict[ContractKey, Contract]) -> Result:
    """Check the columns of a result before any row is computed, and add the partition columns that are computed.

    `compiled` keeps contracts between calls: an author's own check may cost milliseconds to compile.

    Raises:
        RunError: the plan cannot be resolved, or a column has a dtype that Delta does not give back as it was.
        ValidationFailed: the columns are not those that the model declares.
    """
    returned = _schema(call, lf)
    key = (call.node.asset.model, tuple(returned.items()))
    contract = compiled.get(key) or compiled.setdefault(key, compile_contract(call.node.asset.model, returned))
    if contract.problems:
        problems = "; ".join(problem.message for problem in contract.problems)
        raise ValidationFailed(
            f"{call.where}: the result does not have the columns of its model: {problems}",
            asset=str(call.node.key),
            partition=None,
        )
    columns = call.node.asset.partition_columns
    taken = next((column.name for column in columns if column.expression is not None and column.name in returned), None)
    if taken is not None:
        raise RunError(f"{call.where}: the result has a column {taken!r} already, which partition_by computes")
    computed = [column.expression.alias(column.name) for column in columns if column.expression is not None]
    lf = lf.with_columns(computed) if computed else lf
    schema = _schema(call, lf) if computed else returned
    for name, dimension in zip(call.node.partition_columns, call.node.partitions.dimensions, strict=True):
        wrong = dimension.column_problem(schema[name]) if name in schema else "is missing"
        if wrong:
            raise RunError(f"{call.where}: partition column {name!r} of the result {wrong}")
    for name, dtype in schema.items():
        problem = delta_problem(dtype)
        if problem:
            raise RunError(f"{call.where}: column {name!r} of the result {problem}")
    return Result(call, lf, schema, contract)


def describe(error: BaseException, file: str) -> str:
    """Say in one line what user code raised, and where in the author's file."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    where = f" ({file}:{lines[-1]})" if lines else ""
    text = " ".join(str(error).split("\n\nResolved plan")[0].split())
    return f"{type(error).__name__}: {text}{where}" if text else f"{type(error).__name__}{where}"


def _scan(call: Call, store: Store, pinned: PinnedInput, model: type | None) -> pl.LazyFrame:
    if pinned.schema is not None:
        there = store if pinned.root is None else Store(Path(pinned.root), durable=False)
        lf = scan_files(there, pinned.table, pinned.files, pinned.schema, pinned.partition_columns, pinned.version)
        computed = [column for column in pinned.computed_columns if column in pinned.schema]
        return lf.drop(computed) if computed else lf
    if model is None:
        raise RunError(f"{call.where}: its upstream {pinned.asset} has no table yet, and no model says its columns")
    return pl.LazyFrame(schema=declare(model).schema())


def _schema(call: Call, lf: pl.LazyFrame) -> pl.Schema:
    try:
        return lf.collect_schema()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise RunError(f"{call.where}: {describe(error, call.node.asset.where.file)}") from error
