"""Call: run an asset's function on its pinned inputs, and make sure that what it returns can be stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import polars as pl

from deltaworks.engine.definitions.ops.config import Config
from deltaworks.engine.definitions.partitions.partition import Partition
from deltaworks.engine.execution.asset_resources import AssetResources
from deltaworks.engine.execution.given import Given, Produced, called, describe, produced
from deltaworks.engine.execution.handed_in import HandedIn
from deltaworks.engine.execution.task import Task, where_of
from deltaworks.engine.planning.graph import Node
from deltaworks.errors import DeltaworksError, RunError, ValidationFailed
from deltaworks.io.dtypes import delta_problem
from deltaworks.io.partition_values import stored
from deltaworks.io.places import Places
from deltaworks.io.store import Store
from deltaworks.validation import Contract, compile_contract

Configs: TypeAlias = Mapping[str, Config]
"""By `config_name`, of the assets that take one."""

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
        return where_of(self.node.key, *self.keys)

    @property
    def keys(self) -> tuple[str, str]:
        """The first and the last key that are asked for."""
        return self.node.partitions.key(self.task.first), self.node.partitions.key(self.task.last)

    @property
    def stranger(self) -> str | None:
        """Why the asset is not the one that the coordinator means; none: it is, or the coordinator does not say."""
        task = self.task
        if task.code is not None and task.code != self.node.code:
            changed = f"its code was {task.code}, now it is {self.node.code}"
        elif task.keys is not None and task.keys != self.keys:
            changed = f"what were these partitions is {self.where} now"
        else:
            return None
        return (
            f"{task.where}: {changed}; either the project changed while the run went on, then run the same command "
            "again, or the function reads a value that is another one in each process"
        )


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


def call_function(
    call: Call, store: Store, resources: AssetResources, config: Configs, handed: HandedIn | None = None
) -> Produced:
    """Call the function, and those of the views that it reads, and return its result, lazily.

    `handed`: where another engine may write it; none: the function does not ask for that.

    Raises:
        RunError: a function raised, or did not return a frame.
        ValidationFailed: the columns of a view are not those that its model declares.
    """
    arguments = _arguments(call, store, resources, config)
    if handed is not None and call.node.asset.signature.staging is not None:
        arguments[call.node.asset.signature.staging] = handed.staging
    return called(call.node.asset, arguments, call.where, handed)


@dataclass(frozen=True, slots=True)
class Together:
    """What came of a function that was called once for several assets."""

    outputs: Mapping[str, Any]
    error: BaseException | None = None
    """What it raised."""

    def output(self, call: Call) -> Produced:
        """Return what it returned of one of them.

        Raises:
            DeltaworksError: the function raised, or returned nothing of this one that can be stored.
        """
        asset = call.node.asset
        assert asset.shared is not None, "assets are made together by a call that they share"
        try:
            if self.error is not None:
                raise self.error
            returned = asset.shared.picked(self.outputs, asset.shared.output_of(asset.key))
        except DeltaworksError:
            raise
        except Exception as error:
            raise RunError(f"{call.where}: {describe(error, asset.where.file)}") from error
        return produced(asset, returned, call.where)


def call_together(calls: Sequence[Call], store: Store, resources: AssetResources, config: Configs) -> Together:
    """Call the function that several assets share once, for all of them."""
    shared = calls[0].node.asset.shared
    assert shared is not None, "assets are made together by a call that they share"
    try:
        arguments = _arguments(calls[0], store, resources, config)
        return Together(shared.outputs(arguments, [shared.output_of(call.node.key) for call in calls]))
    except Exception as error:  # noqa: BLE001 - whatever user code raises fails each of the assets
        return Together({}, error)


def _arguments(call: Call, store: Store, resources: AssetResources, config: Configs) -> dict[str, Any]:
    given = Given(call.task.inputs, call.task.cuts, store, resources)
    arguments = given.arguments(call.node, "", call.where)
    signature = call.node.asset.signature
    if signature.partition is not None:
        arguments[signature.partition] = call.partition
    if signature.config is not None:
        arguments[signature.config] = config[call.node.asset.config_name]
    return arguments


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


def _schema(call: Call, lf: pl.LazyFrame) -> pl.Schema:
    try:
        return lf.collect_schema()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise RunError(f"{call.where}: {describe(error, call.node.asset.where.file)}") from error
