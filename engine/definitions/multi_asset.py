"""MultiAsset: several tables that one function makes, each with a contract, a status and commits of its own."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic

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
from deltaworks.engine.definitions.frames import FrameType
from deltaworks.engine.definitions.freshness import FreshnessPolicy
from deltaworks.engine.definitions.keys import AssetKey, KeyLike
from deltaworks.engine.definitions.ops.config import Config
from deltaworks.engine.definitions.partitions.partition_columns import PartitionBy
from deltaworks.engine.definitions.partitions.protocols import Partitions, Unpartitioned
from deltaworks.engine.definitions.policies import BackfillPolicy, RetryPolicy, read_limits
from deltaworks.engine.definitions.shared_call import SharedCall
from deltaworks.engine.definitions.signature import Signature, place_of, read_signature
from deltaworks.errors import InvalidDefinition, Place
from deltaworks.validation import is_model


@dataclass(frozen=True, slots=True)
class AssetSpec:
    """One output of a `multi_asset`."""

    model: type | None = None
    """The pandera model of its rows; none: any columns."""
    key: KeyLike | None = None
    """The asset key; none: the output's name."""
    partition_by: PartitionBy | None = None
    """None: as the `multi_asset` says."""
    description: str = ""
    """What the table is; none: the docstring of the function."""
    group: str = "default"
    owners: Sequence[str] = ()
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    code_version: str | None = None
    location: str | None = None
    retention_days: float | None = None
    automation: AutomationCondition | None = None
    """None: as the `multi_asset` says."""
    freshness: FreshnessPolicy | None = None


@dataclass(frozen=True, eq=False)
class MultiAsset(Generic[P, R]):
    """The tables that one function makes; calling it calls the function, with frames of one's own."""

    name: str
    function: Callable[P, R]
    assets: Mapping[str, Asset[..., Any]]
    """By output."""
    where: Place

    def __post_init__(self) -> None:
        """Let whoever looks through decorators find the function."""
        object.__setattr__(self, "__wrapped__", self.function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function itself; nothing is read, checked or stored."""
        return self.function(*args, **kwargs)

    def __getitem__(self, output: str) -> Asset[..., Any]:
        """Return the asset of an output: what checks and other definitions name."""
        return self.assets[output]

    def __repr__(self) -> str:
        return f"<multi_asset {self.name} at {self.where}>"


def each_asset(given: Iterable[Asset[..., Any] | MultiAsset[..., Any]]) -> Iterator[Asset[..., Any]]:
    """Yield assets, and in place of those that one function makes each of them."""
    for each in given:
        if isinstance(each, MultiAsset):
            yield from each.assets.values()
        else:
            yield each


def multi_asset(
    *,
    outs: Mapping[str, AssetSpec],
    can_subset: bool = False,
    name: str | None = None,
    partitions: Partitions | None = None,
    partition_by: PartitionBy | None = None,
    backfill: BackfillPolicy | None = None,
    retry: RetryPolicy | None = None,
    timeout_s: float | None = None,
    memory_mb: float | None = None,
    isolate: bool = False,
    pool: str | None = None,
    config: Config | None = None,
    config_counts: bool = False,
    automation: AutomationCondition | None = None,
    max_per_tick: int = MAX_PER_TICK,
) -> Callable[[Callable[P, R]], MultiAsset[P, R]]:
    """Define several tables by one function, which returns a frame of each, by name or as a tuple of all of them.

    What a run makes of them for the same partitions, it makes by one call. Each table is committed by itself: one whose
    checks fail keeps back only what is made from it. Arguments are those of an asset, and upstreams of all outputs.

    Args:
        outs: the tables, by the names under which the function returns them.
        can_subset: whether a call makes only what is wanted, which an argument of type `Wanted` tells; else it makes
            everything, and what is not wanted is dropped without being computed, as far as it is lazy.
        name: what its config stands under; none: the function's name.
        partitions: how the rows of all of them are cut; none: each is made as a whole.
        partition_by: as for an asset, for outputs that do not say so themselves.
        backfill: how many partitions one call may make; one by default.
        retry: how often a call that fails is tried again, for what of it failed; none: as its job says, else not at
            all.
        timeout_s: how long a call may take before it is ended; it then runs in a process of its own.
        memory_mb: how much memory that process may hold, in millions of bytes.
        isolate: whether calls run in a process of their own.
        pool: a name under which calls share something scarce.
        config: what its config is where the run's does not say otherwise.
        config_counts: whether partitions that were made by another config than the project's are stale.
        automation: which partitions the daemon makes by itself, of outputs that do not say so themselves; none by
            default.
        max_per_tick: how many partitions of each output automation has made at a time.

    Raises:
        DefinitionError: the definition does not make sense; the message has file and line.
    """
    here = inspect.currentframe()
    caller = here.f_back if here is not None else None
    scope = caller.f_locals if caller is not None else {}

    def define(function: Callable[P, R]) -> MultiAsset[P, R]:
        refuse_no_function(function)
        where, called = place_of(function), name or function.__name__
        nothing = FrameType(None, is_lazy=True)
        signature = read_signature(function, called, scope, "multi_asset", returns=nothing)
        problem = _problem(outs, signature, can_subset=can_subset)
        if problem:
            raise InvalidDefinition(f"multi_asset {called!r}: {problem}", where=where)
        keys = {output: named(spec.key or output, where) for output, spec in outs.items()}
        shared = SharedCall(called, function, keys, signature.wanted)

        def one(output: str, spec: AssetSpec, key: AssetKey) -> Asset[..., Any]:
            column = partition_by if spec.partition_by is None else spec.partition_by
            return Asset(
                key=key,
                function=shared.only(output),
                signature=replace(signature, returns=FrameType(spec.model, is_lazy=True)),
                where=where,
                partitions=Unpartitioned() if partitions is None else partitions,
                partition_columns=read_columns(AssetKind.FUNCTION, column, partitions, key, where),
                backfill=backfill or BackfillPolicy(),
                retry=retry,
                description=spec.description or inspect.getdoc(function) or "",
                group=spec.group,
                owners=tuple(spec.owners),
                tags=dict(spec.tags),
                code_version=spec.code_version,
                location=spec.location,
                limits=read_limits(key, where, timeout_s, memory_mb, isolate=isolate),
                pool=pool,
                retention_days=spec.retention_days,
                config=config,
                config_counts=config_counts,
                automation=automation if spec.automation is None else spec.automation,
                max_per_tick=max_per_tick,
                shared=shared,
                freshness=spec.freshness,
            )

        assets = {output: complete(one(output, spec, keys[output])) for output, spec in outs.items()}
        return MultiAsset(called, function, assets, where)

    return define


def _problem(outs: Mapping[str, Any], signature: Signature, *, can_subset: bool) -> str | None:
    if not outs:
        return "outs names no output; an asset is defined by @asset"
    for output, spec in outs.items():
        if not isinstance(spec, AssetSpec):
            return f"output {output!r} must be an AssetSpec, such as AssetSpec(Model), not {spec!r}"
        if spec.model is not None and not is_model(spec.model):
            return f"output {output!r}: model must be a pandera.polars DataFrameModel, not {spec.model!r}"
    previous = next((each.argument for each in signature.upstreams if each.frame.is_previous), None)
    if previous is not None:
        return (
            f"argument {previous!r} is Previous, which is of one table, but it makes several; read the one that is "
            "meant by its key and Input(mapping=TimeWindowMapping(start_offset=-1, end_offset=-1))"
        )
    if can_subset and signature.wanted is None:
        return "can_subset=True needs an argument of type Wanted, which tells the outputs that a call is to make"
    if signature.wanted is not None and not can_subset:
        return f"argument {signature.wanted!r} is Wanted, which means nothing without can_subset=True"
    return None
