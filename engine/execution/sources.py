"""Sources: observe those of a project that a run needs, and commit what of them has changed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl

from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.execution.asset_resources import AssetResources, asset_resources
from deltaworks.engine.execution.batch import ENGINE
from deltaworks.engine.execution.described import description_of
from deltaworks.engine.execution.entry import begin_entry
from deltaworks.engine.execution.events import EventSink, RunNoted, SourceObserved
from deltaworks.engine.execution.look import Observed, look
from deltaworks.engine.execution.observe import observe
from deltaworks.engine.planning.graph import AssetGraph, Node
from deltaworks.engine.planning.lapse import Lapse, lapses
from deltaworks.engine.planning.request import request
from deltaworks.engine.planning.selection import select
from deltaworks.engine.planning.status import LakeStatus
from deltaworks.errors import RunError, StorageError
from deltaworks.io.index import load_table, save_index_if_due
from deltaworks.io.ledger import read_runs, write_run
from deltaworks.io.observation import (
    Changes,
    commit_observed,
    compare,
    create_observed,
    is_disturbed,
    known,
    recorded,
    verify_observed,
)
from deltaworks.io.parquet import Staging
from deltaworks.io.record import Kind, Record
from deltaworks.io.run_entry import Failure, RunEntry, RunStatus
from deltaworks.io.store import Store
from deltaworks.io.table import Table
from deltaworks.validation import declare

MAX_TRIES = 5
"""How often a source is looked at again that others observe at the same time, each time with another answer."""


@dataclass(frozen=True, slots=True)
class Observations:
    """What came of observing the sources that a run needs."""

    sources: tuple[Observed, ...] = ()
    entry: RunEntry | None = None
    """As the ledger keeps it; none: nothing has changed or failed, and nothing had failed before."""

    @property
    def faults(self) -> Mapping[AssetKey, str]:
        """The sources that could not be observed, and why."""
        return {each.asset: each.error for each in self.sources if each.error is not None}

    @property
    def commits(self) -> int:
        """How many commits were made."""
        return sum(each.version is not None for each in self.sources)

    @property
    def changed(self) -> int:
        """How many partitions have changed or are gone."""
        return sum(len(each.changed) + len(each.gone) for each in self.sources)


def needed_sources(
    graph: AssetGraph,
    store: Store,
    selection: Sequence[str] = (),
    named: Sequence[str] = (),
    from_key: str | None = None,
    to_key: str | None = None,
) -> tuple[AssetKey, ...]:
    """Return the sources that are selected or upstream of what is; where statuses select, every one may change them.

    Raises:
        RequestError: the selection or the keys are wrong.
        LogGap: a commit is missing or damaged.
    """
    sources = tuple(filter(graph.is_source, graph.nodes))
    if not sources:
        return ()
    consulted: list[LakeStatus] = []

    def status() -> LakeStatus:
        consulted.append(observe(graph, store).status)
        return consulted[-1]

    assets = select(graph, selection, status)
    request(graph, assets, named, from_key, to_key)
    if consulted:
        return sources
    return graph.sources_above(assets)


def observe_sources(
    definitions: Definitions,
    graph: AssetGraph,
    store: Store,
    sources: Sequence[AssetKey],
    *,
    command: str,
    environ: Mapping[str, str],
    now: Callable[[], dt.datetime],
    tell: EventSink,
    is_repeated: bool = False,
) -> Observations:
    """Observe sources one after the other; one that cannot be observed keeps none of the others from it.

    Args:
        definitions: the sources' resources.
        graph: the assets.
        store: the lake.
        sources: which ones.
        command: what started this, for the ledger.
        environ: where resources find their `EnvVar`s.
        now: the clock.
        tell: receives what happens.
        is_repeated: whether this is done again and again, so that the ledger is not told the same failure twice.

    Raises:
        TableMismatch: a source's table cannot keep what is observed; nothing was written.
        InvalidSettings: a resource lacks its environment variable; nothing was written.
        StorageError: the lake cannot be written.
    """
    nodes = [graph.nodes[key] for key in sources]
    if not nodes:
        return Observations()
    tables = [load_table(store, node.asset.table_name) for node in nodes]
    for node, table in zip(nodes, tables, strict=True):
        verify_observed(table, _schema(node), node.scheme)
    entry = begin_entry(command, now(), Kind.OBSERVE)
    found: list[Observed] = []
    with asset_resources(definitions, nodes, environ, lambda problem: tell(RunNoted(problem))) as resources:
        for number, (node, table) in enumerate(zip(nodes, tables, strict=True), start=1):
            staging = Staging(store, table.name, entry.run_id, number)
            found.append(_observe(node, table, resources, staging, entry, now))
            tell(SourceObserved(node.key, len(found[-1].changed) + len(found[-1].gone), found[-1].error))
    seen = Observations(tuple(found))
    went_well = tuple(str(each.asset) for each in found if each.error is None)
    if not seen.commits and not _is_news(seen, lapses(read_runs(store)), is_repeated=is_repeated):
        return seen
    versions = {node.key: table for node, table in zip(nodes, tables, strict=True)}
    failures = [
        Failure(str(key), None, error, versions[key].version, versions[key].table_id)
        for key, error in seen.faults.items()
    ]
    ended = replace(
        entry,
        status=RunStatus.FAILURE if failures else RunStatus.SUCCESS,
        ended_at=now().isoformat(),
        failed=len(failures),
        commits=seen.commits,
        failures=tuple(failures),
        observed=went_well,
        replaced=seen.changed,
    )
    try:
        write_run(store, ended)
    except StorageError as error:
        tell(RunNoted(f"the ledger does not show this: {error}"))  # what is committed stands
    return replace(seen, entry=ended)


def _is_news(seen: Observations, known: Mapping[str, Lapse], *, is_repeated: bool) -> bool:
    """Return whether the ledger is to be told of observations that have changed nothing."""
    if any(each.error is None and str(each.asset) in known for each in seen.sources):
        return True
    told = {asset: lapse.reason for asset, lapse in known.items()} if is_repeated else {}
    return any(told.get(str(key)) != fault for key, fault in seen.faults.items())


def _observe(
    node: Node,
    table: Table,
    resources: AssetResources,
    staging: Staging,
    entry: RunEntry,
    now: Callable[[], dt.datetime],
) -> Observed:
    """Observe one source; whoever observed it meanwhile is first, and then it is looked at again."""
    for _ in range(MAX_TRIES):
        try:
            answer = look(node, resources.arguments(str(node.key)))
        except (RunError, StorageError) as error:
            return Observed(node.key, error=resources.masked(str(error)))
        if not table.exists:
            create_observed(table, _schema(node), node.scheme, description_of(node))
        found = compare(known(table, _schema(node)), recorded(table), answer.rows, now())
        if not found.keys and not is_disturbed(table):
            return Observed(node.key, ignored=answer.ignored, note=answer.note)
        committed = commit_observed(table, found.rows, staging, _record(node, entry, found), node.scheme, now())
        if committed.version is not None:
            save_index_if_due(table)
            seen = (committed.version, found.changed, found.gone, answer.ignored)
            return Observed(node.key, *seen, note=answer.note)
    problem = f"others observed it {MAX_TRIES} times in a row meanwhile, with another result each time"
    return Observed(node.key, error=f"{node.key}: {problem} ({node.asset.where})")


def _record(node: Node, entry: RunEntry, found: Changes) -> Record:
    return Record(
        run_id=entry.run_id,
        asset=str(node.key),
        engine=ENGINE,
        started_at=entry.started_at,
        groups=found.groups(),
        checks={},
        kind=Kind.OBSERVE,
    )


def _schema(node: Node) -> pl.Schema:
    """Return the columns of a source's table."""
    assert node.asset.model is not None, "a source has one"
    return pl.Schema(declare(node.asset.model).schema())
