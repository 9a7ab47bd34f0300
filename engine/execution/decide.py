"""Decide: from the words of a command to a plan, on one reading of the lake."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.execution.fit import misfit, verify_fit
from deltaworks.engine.execution.foreseen import foreseen
from deltaworks.engine.execution.migration import Migration, find_migration
from deltaworks.engine.execution.observe import Observation, observe
from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.engine.planning.left_out import without
from deltaworks.engine.planning.plan import Only, Plan, plan
from deltaworks.engine.planning.request import Request, request
from deltaworks.engine.planning.selection import select
from deltaworks.io.store import Store


@dataclass(frozen=True, slots=True)
class Question:
    """What a command asks about, and the lake as it was read for it."""

    request: Request
    observation: Observation

    @property
    def is_about_nothing(self) -> bool:
        """Whether no asset is selected: `status:stale` selects none where all is fresh."""
        return not self.request.partitions


@dataclass(frozen=True, slots=True)
class Decision:
    """A question and its answer."""

    asked: Question
    plan: Plan
    never_observed: tuple[AssetKey, ...] = ()
    """The sources that it depends on and of which nobody has asked anything yet."""
    as_observed: tuple[tuple[AssetKey, int], ...] = ()
    """The other sources that it depends on, with the version of their last observation."""
    faults: Mapping[AssetKey, str] = field(default_factory=dict[AssetKey, str])
    """The tables of others that it depends on and that cannot be read, and why."""
    migrations: tuple[Migration, ...] = ()
    """What has to be migrated before anything of these assets, or made from them, can be made."""
    misfits: Mapping[AssetKey, str] = field(default_factory=dict[AssetKey, str])
    """The assets that cannot rely on the tables of others that they read, and why."""


def ask(
    graph: AssetGraph,
    store: Store,
    selection: Sequence[str] = (),
    named: Sequence[str] = (),
    from_key: str | None = None,
    to_key: str | None = None,
) -> Question:
    """Resolve a selection and partition keys, and read the lake: once, even where its status selects.

    Raises:
        RequestError: the selection or the keys are wrong; see `select` and `request`.
        LogGap: a commit is missing or damaged.
    """
    read = cache(partial(observe, graph, store))
    assets = select(graph, selection, lambda: read().status)
    return Question(request(graph, assets, named, from_key, to_key), read())


def decide(
    graph: AssetGraph,
    store: Store,
    selection: Sequence[str] = (),
    named: Sequence[str] = (),
    from_key: str | None = None,
    to_key: str | None = None,
    *,
    only: frozenset[Only],
    unseen: Collection[AssetKey] = (),
) -> Decision:
    """Ask, and plan what is to be made.

    Nothing is made below `unseen`, sources that could not be observed, and below tables of others that cannot be read.

    Nor is anything made of an asset whose table needs a migration, or that finds other columns in the tables of others
    than it relies on, or below it; everything else is.

    Raises:
        RequestError: as `ask`, or nothing of what is asked for can be made.
        TableMismatch: the partitions of a table are of another kind than its asset's, or it cannot be written here.
        LogGap: a commit is missing or damaged.
    """
    return decide_on(graph, ask(graph, store, selection, named, from_key, to_key), only=only, unseen=unseen)


def decide_on(
    graph: AssetGraph, asked: Question, *, only: frozenset[Only], unseen: Collection[AssetKey] = ()
) -> Decision:
    """Plan what is to be made of what is asked for; see `decide`.

    Raises:
        RequestError: nothing of what is asked for can be made.
        TableMismatch: see `decide`.
    """
    status, tables = asked.observation.status, asked.observation.tables
    decided = plan(graph, status, asked.request, only, unseen)
    returned = foreseen(graph, tables, decided.planned)
    found = {key: find_migration(graph.nodes[key], tables[key], returned.get(key)) for key in decided.planned}
    migrations = {key: migration for key, migration in found.items() if migration is not None}
    unfit = {key: misfit(graph, graph.nodes[key], tables) for key in decided.planned}
    misfits = {key: problem for key, problem in unfit.items() if problem is not None}
    if migrations or misfits:
        decided = plan(graph, status, asked.request, only, unseen, migrations, misfits)
    for key in decided.planned:
        verify_fit(graph.nodes[key], tables[key])
    above = graph.above(asked.request.partitions)
    hang = without(graph, asked.observation.faults)
    holding = {*above, *(hang[key] for key in above if key in hang)}
    faults = {key: fault for key, fault in asked.observation.faults.items() if key in holding}
    to_migrate = {key: str(migration.refusal) for key, migration in migrations.items()}
    sources = {key: tables[key] for key in above if graph.is_source(key)}
    return Decision(
        asked,
        replace(decided, held={**faults, **to_migrate, **misfits}),
        never_observed=tuple(key for key, table in sources.items() if not table.exists),
        as_observed=tuple((key, table.version) for key, table in sources.items() if table.exists),
        faults=faults,
        migrations=tuple(migrations.values()),
        misfits=misfits,
    )
