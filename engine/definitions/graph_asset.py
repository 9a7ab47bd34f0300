"""GraphAsset: a table that ops make together: what the graph gives is its rows, committed once, at the end."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, overload

from pydantic import ValidationError, create_model

from deltaworks.engine.definitions.asset import (
    Asset,
    AssetKind,
    P,
    R,
    complete,
    named,
    read_columns,
    refuse_no_function,
)
from deltaworks.engine.definitions.automation.condition import MAX_PER_TICK, AutomationCondition
from deltaworks.engine.definitions.freshness import FreshnessPolicy
from deltaworks.engine.definitions.keys import KeyLike
from deltaworks.engine.definitions.ops.attempt import Attempt
from deltaworks.engine.definitions.ops.config import Config
from deltaworks.engine.definitions.ops.graph import Graph, compose
from deltaworks.engine.definitions.ops.job import ops_in
from deltaworks.engine.definitions.ops.op import Op
from deltaworks.engine.definitions.ops.sources import Path
from deltaworks.engine.definitions.ops.value_type import misfit
from deltaworks.engine.definitions.partitions.partition import Partition
from deltaworks.engine.definitions.partitions.partition_columns import PartitionBy
from deltaworks.engine.definitions.partitions.protocols import Partitions, Unpartitioned
from deltaworks.engine.definitions.policies import BackfillPolicy, RetryPolicy, read_limits
from deltaworks.engine.definitions.signature import Signature, place_of, read_hints, read_signature
from deltaworks.errors import InvalidDefinition

CONFIG = "(config)"
"""The name under which the config of all ops is handed to the graph; no argument can be called so."""


@overload
def graph_asset(function: Callable[P, R], /) -> Asset[P, R]: ...


@overload
def graph_asset(
    *,
    name: KeyLike | None = None,
    partitions: Partitions | None = None,
    partition_by: PartitionBy | None = None,
    backfill: BackfillPolicy | None = None,
    retry: RetryPolicy | None = None,
    timeout_s: float | None = None,
    memory_mb: float | None = None,
    isolate: bool = False,
    pool: str | None = None,
    group: str = "default",
    owners: Sequence[str] = (),
    tags: Mapping[str, str] | None = None,
    code_version: str | None = None,
    location: str | None = None,
    retention_days: float | None = None,
    config_counts: bool = False,
    automation: AutomationCondition | None = None,
    max_per_tick: int = MAX_PER_TICK,
    freshness: FreshnessPolicy | None = None,
) -> Callable[[Callable[P, R]], Asset[P, R]]: ...


def graph_asset(
    function: Callable[P, R] | None = None,
    /,
    *,
    name: KeyLike | None = None,
    partitions: Partitions | None = None,
    partition_by: PartitionBy | None = None,
    backfill: BackfillPolicy | None = None,
    retry: RetryPolicy | None = None,
    timeout_s: float | None = None,
    memory_mb: float | None = None,
    isolate: bool = False,
    pool: str | None = None,
    group: str = "default",
    owners: Sequence[str] = (),
    tags: Mapping[str, str] | None = None,
    code_version: str | None = None,
    location: str | None = None,
    retention_days: float | None = None,
    config_counts: bool = False,
    automation: AutomationCondition | None = None,
    max_per_tick: int = MAX_PER_TICK,
    freshness: FreshnessPolicy | None = None,
) -> Asset[P, R] | Callable[[Callable[P, R]], Asset[P, R]]:
    """Define a table by a function that puts ops together, or by a graph that there is already.

    The function's arguments are upstream assets, annotated as those of an asset; its return annotation has the model.
    It is called once, at load. A run calls the ops one after the other, in memory; an op that fails is tried again by
    its own policy. What the graph gives is judged and committed as any asset's result. Ops get their resources, the
    `Partition` of the asset and their config: `--config asset.op.field=value`.

    Args:
        function: what `@graph_asset` without parentheses decorates: a function, or a graph that there is already.
        name: the asset key; none: the function's name.
        partitions: as for an asset, like everything that follows.
        partition_by: the column of the result whose value tells the partition.
        backfill: how many partitions one call may make.
        retry: how often everything is tried again when an op has failed for good; none: as its job says, else not at
            all.
        timeout_s: how long a call of all ops may take.
        memory_mb: how much memory its process may hold.
        isolate: whether calls run in a process of their own.
        pool: a name under which calls share something scarce.
        group: a word to select assets by.
        owners: people or teams.
        tags: words to select assets by.
        code_version: what stands for the code of the ops instead of its hash.
        location: the table's folder below the lake.
        retention_days: how long `maintain` keeps data files that the table has no longer.
        config_counts: whether partitions that were made by another config of the ops than the project's are stale.
        automation: which partitions the daemon makes by itself.
        max_per_tick: how many partitions automation has made at a time.
        freshness: how far it may lag behind what its data comes from.

    Raises:
        DefinitionError: the definition does not make sense; the message has file and line.
    """
    here = inspect.currentframe()
    caller = here.f_back if here is not None else None
    scope = caller.f_locals if caller is not None else {}

    def define(given: Callable[P, R]) -> Asset[P, R]:
        function: Callable[..., Any] = given.function if isinstance(given, Graph) else given
        refuse_no_function(function)
        where, called = place_of(function), given.name if isinstance(given, Graph) else function.__name__
        key = named(called if name is None else name, where)
        signature = read_signature(function, str(key), scope, "graph_asset")
        composed = given if isinstance(given, Graph) else compose(function, None, scope)
        problem = _problem(signature, composed, read_hints(function, scope)["return"])
        if problem:
            raise InvalidDefinition(f"graph_asset {str(key)!r}: {problem}", where=where, asset=str(key))
        whole = _with_ops(signature, composed, str(key))
        return complete(
            Asset(
                key=key,
                function=_caller(composed, str(key), whole),
                signature=whole,
                where=where,
                partitions=Unpartitioned() if partitions is None else partitions,
                partition_columns=read_columns(AssetKind.FUNCTION, partition_by, partitions, key, where),
                backfill=backfill or BackfillPolicy(),
                retry=retry,
                description=inspect.getdoc(function) or "",
                group=group,
                owners=tuple(owners),
                tags=dict(tags or {}),
                code_version=code_version,
                location=location,
                limits=read_limits(key, where, timeout_s, memory_mb, isolate=isolate),
                pool=pool,
                retention_days=retention_days,
                config_counts=config_counts,
                automation=automation,
                max_per_tick=max_per_tick,
                graph=composed,
                freshness=freshness,
            )
        )

    return define if function is None else define(function)


def _caller(graph: Graph, key: str, signature: Signature) -> Callable[..., Any]:
    """Return a function that runs the ops on what the graph's inputs are given."""
    names = [each.argument for each in signature.upstreams]

    @functools.wraps(graph.function)
    def make(*frames: Any, **arguments: Any) -> Any:
        # Looked up when called: running stands above definitions, and an asset stays a plain callable.
        door = importlib.import_module("deltaworks.engine.execution.jobs.graph_call")
        given = dict(zip(names, frames, strict=False)) | arguments
        return door.run_graph(graph, key, given, signature.partition)

    return make


def _problem(signature: Signature, graph: Graph, returns: Any) -> str | None:
    injected = (signature.partition, signature.logger, *signature.resources)
    other = next((argument for argument in injected if argument is not None), None)
    if other is not None:
        return f"argument {other!r} is no upstream asset; the function is called once, at load, so let an op ask for it"
    if list(graph.outputs) != ["result"]:
        return f"it gives {', '.join(graph.outputs) or 'nothing'}; it must return what one op gives: the table's rows"
    given = graph.outputs["result"].value_type
    wrong = misfit(given, returns)
    if wrong:
        return f"what it returns does not fit its return annotation: {wrong}"
    return next(filter(None, (_op_problem(path, op) for path, op in ops_in(graph))), None)


def _op_problem(path: Path, op: Op) -> str | None:
    name = ".".join(path)
    table = next((port.asset for port in op.signature.inputs if port.asset is not None), None)
    if table is not None:
        return f"op {name!r} reads table {table} by itself; make it an argument of the function, so it is an upstream"
    if Attempt in op.signature.injected:
        return f"op {name!r} asks for an Attempt, which only the steps of a job have"
    limits = op.limits
    kept = {
        "timeout_s": limits.timeout_s is not None,
        "memory_mb": limits.memory_mb is not None,
        "isolate": limits.isolate,
        "pool": op.pool is not None,
        "hooks": bool(op.hooks),
    }
    held = next((word for word, is_given in kept.items() if is_given), None)
    if held is not None:
        way = "define_asset_job" if held == "hooks" else "the asset"
        return f"op {name!r} has {held}, which holds for steps of jobs only; give it to {way}"
    taken = next((part for part in path if part.startswith("_") or hasattr(Config, part)), None)
    if op.signature.config_model is not None and taken is not None:
        return f"op {name!r} takes config, and no field of a config can be called {taken!r}; give it an alias"
    return None


def _with_ops(signature: Signature, graph: Graph, key: str) -> Signature:
    """Return the signature of a call of all ops: what they ask for, each under its address."""
    ops = dict(ops_in(graph))
    asking = ((path, op.signature.injected.get(Partition)) for path, op in ops.items())
    partition = next((".".join((*path, argument)) for path, argument in asking if argument is not None), None)
    resources = {
        ".".join((*path, argument)): wanted
        for path, op in ops.items()
        for argument, wanted in op.signature.resources.items()
    }
    models = {path: op for path, op in ops.items() if op.signature.config_model is not None}
    return replace(
        signature,
        partition=partition,
        resources=resources,
        config=CONFIG if models else None,
        config_model=_config_model(key, models) if models else None,
    )


def _config_model(name: str, ops: Mapping[Path, Op]) -> type[Config]:
    """Return a config with a field for each op that takes one, those of a nested graph below its name."""
    fields: dict[str, Any] = {}
    for segment in dict.fromkeys(path[0] for path in ops):
        below = {path[1:]: op for path, op in ops.items() if path[0] == segment}
        op = below.get(())
        model = _config_model(segment, below) if op is None else op.signature.config_model
        assert model is not None, "only ops that take a config are among them"
        fields[segment] = (model, next(_default(model, op), ...))
    return create_model(name, __base__=Config, **fields)


def _default(model: type[Config], op: Op | None) -> Iterator[Config]:
    """Yield what an op or a graph is given if a run says nothing, if that says it all."""
    if op is not None and op.config is not None:
        yield op.config
        return
    try:
        yield model()
    except ValidationError:
        return
