"""Asset: a table, defined by the typed function that makes its partitions."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload

from deltaworks.engine.definitions.asset_config import config_problem
from deltaworks.engine.definitions.automation.condition import MAX_PER_TICK, AutomationCondition, automation_problem
from deltaworks.engine.definitions.columns import partition_columns_problem, stored_problem
from deltaworks.engine.definitions.files import Files
from deltaworks.engine.definitions.foreign import Foreign
from deltaworks.engine.definitions.freshness import FreshnessPolicy, freshness_problem
from deltaworks.engine.definitions.keys import AssetKey, KeyLike, as_key, location_problem
from deltaworks.engine.definitions.ops.config import Config
from deltaworks.engine.definitions.ops.hooks import Hook, refuse_others
from deltaworks.engine.definitions.partitions.partition_columns import PartitionBy, PartitionColumn, read_partition_by
from deltaworks.engine.definitions.partitions.protocols import Partitions, Unpartitioned
from deltaworks.engine.definitions.policies import (
    NO_LIMITS,
    BackfillPolicy,
    Limits,
    RetryPolicy,
    pool_problem,
    read_limits,
)
from deltaworks.engine.definitions.registry import note
from deltaworks.engine.definitions.shared_call import SharedCall
from deltaworks.engine.definitions.signature import Signature, place_of, read_signature
from deltaworks.errors import InvalidDefinition, Place
from deltaworks.validation import declare

if TYPE_CHECKING:
    from deltaworks.engine.definitions.ops.graph import Graph

P = ParamSpec("P")
R = TypeVar("R")

_MOST_DAYS = 100_000
"""The longest retention: 273 years, so that every instant of it can be written."""


class AssetKind(StrEnum):
    """What stands behind a table."""

    FUNCTION = "asset"
    """A function, which makes it from its upstreams."""
    SEED = "seed"
    """A file of the project."""
    EXTERNAL = "external"
    """Somebody else, who writes it; here it is only read."""
    SOURCE = "source"
    """Data that is no table: only which version there is of it is kept."""
    VIEW = "view"
    """A function, which is called by whoever reads it; nothing is stored."""
    CHECK = "asset check"
    """A function, which judges what runs make of another asset; it is none itself."""

    @property
    def is_made(self) -> bool:
        """Whether runs make its partitions."""
        return self in (AssetKind.FUNCTION, AssetKind.SEED)

    @property
    def is_written(self) -> bool:
        """Whether the engine writes a table for it."""
        return self.is_made or self is AssetKind.SOURCE

    @property
    def has_code(self) -> bool:
        """Whether there is code whose changes make what depends on it stale."""
        return self.is_made or self is AssetKind.VIEW

    @property
    def origin(self) -> str:
        """Where its partitions come from, for a sentence."""
        return {
            AssetKind.FUNCTION: "its function makes it",
            AssetKind.SEED: "it is a file of the project",
            AssetKind.EXTERNAL: "others write it",
            AssetKind.SOURCE: "it is observed",
            AssetKind.VIEW: "it is computed when it is read",
            AssetKind.CHECK: "it judges another asset",
        }[self]


@dataclass(frozen=True, eq=False)
class Asset(Generic[P, R]):
    """A table and how it is made; calling it calls the function, with frames of one's own."""

    key: AssetKey
    function: Callable[P, R]
    signature: Signature
    where: Place
    partitions: Partitions
    partition_columns: tuple[PartitionColumn, ...]
    """One for each dimension of the partitions; none: the asset is not partitioned, or it is a source, whose rows name
    their partition."""
    backfill: BackfillPolicy
    retry: RetryPolicy | None
    """None: as a job says that makes it, else not at all."""
    description: str
    group: str
    owners: tuple[str, ...]
    tags: Mapping[str, str]
    code_version: str | None
    """What stands for the function's code instead of its hash, where the author says so."""
    location: str | None = None
    """Where the table lies, where that is not told by the key: below the lake, or anywhere if others write it."""
    storage: str | None = None
    """The profile of the settings by which an object store is reached that others write it to."""
    kind: AssetKind = AssetKind.FUNCTION
    files: Files | None = None
    """What a source of files consists of; none: it is no source, or its function tells its versions."""
    limits: Limits = NO_LIMITS
    pool: str | None = None
    """What its calls share with those of other assets, so that only so many run at a time."""
    retention_days: float | None = None
    """How long `maintain` keeps data files that the table has no longer; none: as long as it does by default."""
    automation: AutomationCondition | None = None
    """Which of its partitions are made by themselves; none: none are."""
    max_per_tick: int = MAX_PER_TICK
    """How many partitions automation has made of it at a time."""
    hooks: tuple[Hook, ...] = ()
    """What is told how it ended in a run."""
    config: Config | None = None
    """What its config is where the run's does not say otherwise."""
    config_counts: bool = False
    """Whether partitions that were made by another config than the project's are stale."""
    shared: SharedCall | None = None
    """The function that makes it together with others; none: its own makes only this one."""
    graph: Graph | None = None
    """The ops that make it; none: its function does."""
    freshness: FreshnessPolicy | None = None
    """How far it may lag behind what its data comes from; none: nobody asks."""
    interval_s: float | None = None
    """Of a source, how often daemons observe it; none: only runs do."""
    foreign: Foreign | None = None
    """Where its code is, if it is in another code location; it cannot be called here then."""

    @property
    def authored(self) -> Callable[..., Any]:
        """The function as its author wrote it."""
        if self.shared is not None:
            return self.shared.function
        return self.function if self.graph is None else self.graph.function

    @property
    def config_name(self) -> str:
        """What its config stands under."""
        return str(self.key) if self.shared is None else self.shared.name

    @property
    def model(self) -> type | None:
        """The pandera model of the rows; none: any columns."""
        return self.signature.returns.model

    @property
    def table_name(self) -> str:
        """The folder of the table, below the lake's root; only tables of the lake's own have one."""
        assert self.kind is not AssetKind.EXTERNAL, "tables that others write lie anywhere"
        return str(self.key) if self.location is None else self.location

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function itself; nothing is read, checked or stored."""
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<asset {self.key} at {self.where}>"


@overload
def asset(function: Callable[P, R], /) -> Asset[P, R]: ...


@overload
def asset(
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
    hooks: Sequence[Hook] = (),
    config: Config | None = None,
    config_counts: bool = False,
    automation: AutomationCondition | None = None,
    max_per_tick: int = MAX_PER_TICK,
    freshness: FreshnessPolicy | None = None,
) -> Callable[[Callable[P, R]], Asset[P, R]]: ...


def asset(
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
    hooks: Sequence[Hook] = (),
    config: Config | None = None,
    config_counts: bool = False,
    automation: AutomationCondition | None = None,
    max_per_tick: int = MAX_PER_TICK,
    freshness: FreshnessPolicy | None = None,
) -> Asset[P, R] | Callable[[Callable[P, R]], Asset[P, R]]:
    """Define a table by the function that makes its partitions.

    Arguments of the function that are frames are upstream assets, by name; `Partition`, `Logger` and resources are
    injected by type. The docstring describes the table.

    Args:
        function: what `@asset` without parentheses decorates.
        name: the asset key; none: the function's name.
        partitions: how the rows are cut; none: one table, made as a whole.
        partition_by: the column of the result whose value tells the partition, or a Polars expression over its columns
            that is stored as a column of its own; one for each dimension, in their order or by name.
        backfill: how many partitions one call may make; one by default.
        retry: how often a call that fails is tried again; none: as its job says, else not at all.
        timeout_s: how long a call may take before it is ended; it then runs in a process of its own.
        memory_mb: how much memory that process may hold, in millions of bytes; Python and Polars take about 150.
        isolate: whether calls run in a process of their own, so that one that crashes harms nothing else.
        pool: a name under which calls share something scarce; the settings say how many run at a time, or one does.
        group: a word to select assets by.
        owners: people or teams.
        tags: words to select assets by.
        code_version: what stands for the function's code instead of its hash.
        location: the table's folder below the lake, for a table that is older than the asset's name.
        retention_days: how long `maintain` keeps data files that the table has no longer; 30 days by default.
        hooks: what is told once a run how the asset ended: with success, a failure, skipped or canceled.
        config: what its config is where the run's does not say otherwise.
        config_counts: whether partitions that were made by another config than the project's are stale.
        automation: which partitions the daemon makes by itself; none by default.
        max_per_tick: how many partitions automation has made at a time; what is more waits for its turn.
        freshness: how far it may lag behind what its data comes from.

    Raises:
        DefinitionError: the definition does not make sense; the message has file and line.
    """
    here = inspect.currentframe()
    caller = here.f_back if here is not None else None
    scope = caller.f_locals if caller is not None else {}

    def define(function: Callable[P, R]) -> Asset[P, R]:
        refuse_no_function(function)
        where = place_of(function)
        key = named(function.__name__ if name is None else name, where)
        defined = Asset(
            key=key,
            function=function,
            signature=read_signature(function, str(key), scope),
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
            hooks=refuse_others(hooks, f"asset {str(key)!r}", where, of_runs=False),
            config=config,
            config_counts=config_counts,
            automation=automation,
            max_per_tick=max_per_tick,
            freshness=freshness,
        )
        return complete(defined)

    return define if function is None else define(function)


def complete(defined: Asset[P, R]) -> Asset[P, R]:
    """Check what an asset says about itself, and make it known to whoever loads the module.

    Raises:
        DefinitionError: it does not make sense.
    """
    is_external = defined.kind is AssetKind.EXTERNAL
    problem = None if is_external else location_problem(defined.table_name)
    problem = problem or _partitioning_problem(defined) or _column_problem(defined)
    problem = problem or _retention_problem(defined.retention_days) or pool_problem(defined.pool)
    problem = problem or config_problem(defined) or automation_problem(defined.automation, defined.max_per_tick)
    problem = problem or freshness_problem(
        defined.freshness, has_upstreams=bool(defined.signature.upstreams), partitions=defined.partitions
    )
    if problem:
        raise InvalidDefinition(
            f"{defined.kind} {str(defined.key)!r}: {problem}", where=defined.where, asset=str(defined.key)
        )
    note(defined)
    return defined


def refuse_no_function(function: object, kind: AssetKind = AssetKind.FUNCTION) -> None:
    """Refuse what a decorator cannot decorate.

    Raises:
        InvalidDefinition: it is no function, or one that returns no frame.
    """
    if not inspect.isfunction(function):
        hint = f"; write @{kind}(name={function!r})" if isinstance(function, str) else ""
        raise InvalidDefinition(f"{kind} decorates a function, not {function!r}{hint}")
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        raise InvalidDefinition(
            f"{kind} {function.__name__!r}: the function must return a frame, so it is neither async nor a generator",
            where=place_of(function),
            asset=function.__name__,
        )


def named(name: KeyLike, where: Place) -> AssetKey:
    """Return the key of an asset that is defined at a place.

    Raises:
        InvalidDefinition: it cannot be a key.
    """
    try:
        return as_key(name)
    except InvalidDefinition as error:
        raise InvalidDefinition(error.reason, where=where, asset=str(name)) from error


def read_columns(
    kind: AssetKind, declared: PartitionBy | None, partitions: Partitions | None, key: AssetKey, where: Place
) -> tuple[PartitionColumn, ...]:
    """Return the partition columns that an author declares.

    Raises:
        InvalidDefinition: the partitions are none, or the columns do not fit them.
    """
    try:
        if partitions is not None and not isinstance(getattr(partitions, "dimensions", None), tuple):
            raise InvalidDefinition(
                f"partitions must be a definition such as DailyPartitions(start=...), not {partitions!r}"
            )
        return read_partition_by(declared, partitions or Unpartitioned())
    except InvalidDefinition as error:
        raise InvalidDefinition(f"{kind} {str(key)!r}: {error.reason}", where=where, asset=str(key)) from error


def _partitioning_problem(asset: Asset[..., Any]) -> str | None:
    if isinstance(asset.partitions, Unpartitioned) and asset.signature.partition is not None:
        return f"argument {asset.signature.partition!r} is a Partition, but the asset is not partitioned"
    return None


def _retention_problem(days: object) -> str | None:
    if days is None or (isinstance(days, int | float) and not isinstance(days, bool) and 0 <= days < _MOST_DAYS):
        return None
    return f"retention_days must be a number of days from 0 to {_MOST_DAYS:,}, not {days!r}"


def _column_problem(asset: Asset[..., Any]) -> str | None:
    """Check the models of the signature; one that is wrong by itself raises with its own place."""
    for upstream in asset.signature.upstreams:
        if upstream.frame.model is not None:
            declare(upstream.frame.model)
    if asset.model is None:
        return None
    declared = declare(asset.model)
    problem = None if asset.kind is AssetKind.VIEW else stored_problem(declared)
    if problem or asset.kind is AssetKind.SOURCE:  # the rows of a source name their partition
        return problem
    return partition_columns_problem(declared, asset.partition_columns, asset.partitions)
