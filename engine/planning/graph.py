"""AssetGraph: which asset is made from which, and how their partitions correspond."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import Any

from deltaworks.engine.definitions.asset import Asset, AssetKind
from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.mappings.correspond import correspond, infer_mapping
from deltaworks.engine.definitions.mappings.correspondence import Correspondence
from deltaworks.engine.definitions.mappings.declared import (
    IdentityMapping,
    MultiMapping,
    PartitionMapping,
    TimeWindowMapping,
)
from deltaworks.engine.definitions.partitions.key_partitions import DynamicPartitions
from deltaworks.engine.definitions.partitions.multi_partitions import MultiPartitions, key_ranges
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.definitions.partitions.protocols import Partitions
from deltaworks.engine.definitions.partitions.resolution import DynamicKeys, dynamic_dimensions, resolve
from deltaworks.engine.definitions.partitions.time_partitions import TimePartitions
from deltaworks.engine.definitions.signature import Upstream
from deltaworks.engine.planning import views
from deltaworks.engine.planning.check_nodes import CheckNode, check_node, read_by
from deltaworks.engine.planning.code_version import code_version, with_views
from deltaworks.errors import InvalidDefinition, RequestError, UnknownAsset, UnknownUpstream, did_you_mean

_SHOWN_RANGES = 3


class Needs(Enum):
    """Without which of the upstream partitions that it maps to a partition cannot be made."""

    EACH = "each"
    """Any of them."""
    ONE = "one"
    """It reads whatever there is, but there must be something."""
    NONE = "none"
    """It is made whatever is missing."""


@dataclass(frozen=True, slots=True)
class Edge:
    """An argument of one asset that is another asset's table, be it read through views."""

    upstream: AssetKey
    downstream: AssetKey
    argument: Upstream
    """Its name is a path through the arguments of views: `late_flights.flights`."""
    mapping: PartitionMapping
    correspondence: Correspondence
    is_of_source: bool = False
    """Whether the upstream is data that is observed, not a table that is made."""
    view: Node | None = None
    """The view that is read; none: what is read is a table."""
    hops: tuple[Edge, ...] = ()
    """The arguments that lead to the table one after the other, all but the last to views; none: there is only one."""

    @property
    def needs(self) -> Needs:
        """Without which of the mapped upstream partitions a partition cannot be made."""
        if self.argument.allow_missing:
            return Needs.NONE
        return Needs.EACH if self.correspondence.needs_each else Needs.ONE

    @property
    def may_read_nothing(self) -> bool:
        """Whether a partition can be made that maps to no upstream partition at all."""
        return self.needs is Needs.NONE or self.is_own

    @property
    def waiting(self) -> PartitionSet:
        """The downstream partitions that are made from a key that is no upstream partition, at least now."""
        awaited = self.correspondence.awaited
        if awaited is None:
            return PartitionSet.none(self.correspondence.downstream_size)
        return PartitionSet(awaited.is_not_null())

    @property
    def is_own(self) -> bool:
        """Whether the asset reads earlier partitions of its own table."""
        return self.upstream == self.downstream


@dataclass(frozen=True)
class Node:
    """An asset in the graph, with its partitions as they stand now."""

    asset: Asset[..., Any]
    partitions: Partitions
    reads: tuple[Edge, ...]
    """The arguments of its function that are assets or views."""
    upstream: tuple[Edge, ...]
    """The tables that it is made from: what it reads, and in place of views what they are made from."""
    checks: tuple[CheckNode, ...] = ()
    """What judges its partitions."""

    @property
    def key(self) -> AssetKey:
        """The asset's key."""
        return self.asset.key

    @property
    def is_partitioned(self) -> bool:
        """Whether it has partitions that can be named."""
        return bool(self.partitions.dimensions)

    @property
    def partition_columns(self) -> tuple[str, ...]:
        """The columns that the table is partitioned by; none for an unpartitioned asset and for a source."""
        return tuple(column.name for column in self.asset.partition_columns)

    @property
    def scheme(self) -> str | None:
        """What makes a key of its partitions mean the same; none for an unpartitioned asset."""
        return self.partitions.scheme if self.is_partitioned else None

    @property
    def computed_columns(self) -> tuple[str, ...]:
        """The partition columns that the function does not return, so that no other function sees them either."""
        return tuple(column.name for column in self.asset.partition_columns if column.expression is not None)

    @property
    def dimension_names(self) -> tuple[str, ...]:
        """The names of the partitions' dimensions, where there are several."""
        return self.partitions.names if isinstance(self.partitions, MultiPartitions) else ()

    def spelled(self, ranges: Sequence[tuple[int, int]]) -> str:
        """Name the asset and some of its partitions in a sentence: the first ranges, and how many more there are."""
        if not self.is_partitioned:
            return str(self.key)
        keyed = key_ranges(ranges, self.partitions)
        shown = [
            self.partitions.key(first) + ("" if first == last else f"..{self.partitions.key(last)}")
            for first, last in keyed[:_SHOWN_RANGES]
        ]
        more = len(keyed) - len(shown)
        tail = f" and {more} more {'range' if more == 1 else 'ranges'}" if more else ""
        return f"{self.key} {', '.join(shown)}{tail}".rstrip()

    @cached_property
    def code(self) -> str | None:
        """The code version: what the partitions made by this definition are recorded with; none if no code makes it."""
        if not self.asset.kind.has_code:
            return None
        return with_views(self.own_code, {str(key): view.own_code for key, view in self.views.items()})

    @cached_property
    def own_code(self) -> str:
        """The code version without those of the views that it reads."""
        return code_version(self.asset, {edge.argument.argument: edge.mapping for edge in self.reads})

    @cached_property
    def views(self) -> Mapping[AssetKey, Node]:
        """The views that it reads, and those that they read, each after those."""
        found: dict[AssetKey, Node] = {}
        for edge in self.reads:
            if edge.view is not None:
                found |= {**edge.view.views, edge.upstream: edge.view}
        return found

    @property
    def needs_columns(self) -> bool:
        """Whether its partition columns must be in the result: they are by what it is stored or, of a view, cut."""
        return self.is_cut or self.asset.kind is not AssetKind.VIEW

    @cached_property
    def is_cut(self) -> bool:
        """Whether what a view returns is cut to the partitions that are read: its upstreams' go into several each."""
        return bool(self.asset.kind is AssetKind.VIEW and self.partition_columns) and views.overlaps(self.reads)


@dataclass(frozen=True)
class AssetGraph:
    """All assets of a project."""

    nodes: Mapping[AssetKey, Node]
    """Those that have tables, in an order in which every asset comes after its upstreams."""
    views: Mapping[AssetKey, Node] = field(default_factory=dict[AssetKey, Node])
    """Those that are computed when they are read, in the same order."""
    scope: frozenset[AssetKey] | None = None
    """What selections choose from; none: all of them."""

    @cached_property
    def every(self) -> Mapping[AssetKey, Node]:
        """Tables and views, each after what it reads."""
        found: dict[AssetKey, Node] = {}
        for key, node in (*self.nodes.items(), *self.views.items()):
            found |= {**{view: each for view, each in node.views.items() if view not in found}, key: node}
        return found

    @cached_property
    def downstream(self) -> Mapping[AssetKey, tuple[Edge, ...]]:
        """The edges that leave each asset."""
        edges: dict[AssetKey, list[Edge]] = {key: [] for key in self.nodes}
        for node in self.nodes.values():
            for edge in node.upstream:
                edges[edge.upstream].append(edge)
        return {key: tuple(leaving) for key, leaving in edges.items()}

    def sources_read_by(self, node: Node) -> tuple[AssetKey, ...]:
        """Return the sources that an asset reads itself."""
        return tuple(dict.fromkeys(edge.upstream for edge in node.upstream if self.is_source(edge.upstream)))

    def view(self, name: str) -> Node | None:
        """Return the view of a name; none: that is another asset's, or nobody's."""
        return next((view for key, view in self.views.items() if str(key) == name), None)

    def is_source(self, key: AssetKey) -> bool:
        """Return whether an asset is data that is observed."""
        return self.nodes[key].asset.kind is AssetKind.SOURCE

    def above(self, keys: Iterable[AssetKey]) -> tuple[AssetKey, ...]:
        """Return some assets and everything upstream of them, upstreams first."""
        above = set(keys)
        for key in reversed(list(self.nodes)):
            if key in above:
                above |= {edge.upstream for edge in self.nodes[key].upstream}
        return tuple(key for key in self.nodes if key in above)

    def sources_above(self, keys: Iterable[AssetKey]) -> tuple[AssetKey, ...]:
        """Return the sources that are among some assets or upstream of them."""
        return tuple(filter(self.is_source, self.above(keys)))

    def node(self, key: AssetKey | str) -> Node:
        """Return an asset of the graph that has a table.

        Raises:
            UnknownAsset: there is none of that key.
            RequestError: it is a view.
        """
        found = next((node for node in self.every.values() if key in (node.key, node.key.path)), None)
        if found is None:
            raise UnknownAsset(str(key), map(str, self.every))
        if found.key in self.views:
            raise RequestError(
                f"{key} is a view: it is computed when it is read, so it has no table with a status, versions or a "
                f"history of its own. `deltaworks show {key}` shows its rows, `deltaworks list '+{key}'` what it is "
                "made from."
            )
        return found


def build_graph(definitions: Definitions, now: dt.datetime, keys: DynamicKeys | None = None) -> AssetGraph:
    """Join definitions into a graph.

    Args:
        definitions: all assets of the project.
        now: what open partitions end at.
        keys: those of dynamic partitions; none: there is no lake that has any.

    Raises:
        UnknownUpstream: an argument names no asset.
        InvalidDefinition: assets are made from each other in a circle, a mapping does not fit its two assets, dynamic
            partitions follow what is no partition column, a check judges what no run makes, or a resource is missing.
    """
    assets = {asset.key: asset for asset in definitions.assets}
    for asset in assets.values():
        for upstream in asset.signature.upstreams:
            if upstream.key == asset.key and not _reads_earlier(asset, upstream.mapping):
                raise _refusal(
                    asset,
                    f"argument {upstream.argument!r} reads the asset itself; earlier partitions of its own are read by "
                    "Previous[Model] or by a TimeWindowMapping whose end_offset is below 0",
                )
            if upstream.key not in assets:
                raise UnknownUpstream(str(upstream.key), str(asset.key), map(str, assets), asset.where)
    definitions.refuse_missing_resources()
    _refuse_unknown_keys(assets)
    found: dict[AssetKey, Node] = {}
    for key in _upstream_first(assets, read_by(assets, definitions.checks)):
        found[key] = _node(assets[key], found, now, keys or {})
    for check in definitions.checks:
        checked = check_node(check, found, lambda asset, partitions: _edges(asset, partitions, found))
        found[check.asset] = replace(found[check.asset], checks=(*found[check.asset].checks, checked))
    return AssetGraph(
        {key: node for key, node in found.items() if node.asset.kind is not AssetKind.VIEW},
        {key: node for key, node in found.items() if node.asset.kind is AssetKind.VIEW},
    )


def _node(asset: Asset[..., Any], done: Mapping[AssetKey, Node], now: dt.datetime, keys: DynamicKeys) -> Node:
    if asset.kind is AssetKind.VIEW:
        asset = views.with_partitions(asset, [done[upstream.key] for upstream in asset.signature.upstreams])
    partitions = _standing(asset, now, keys)
    reads = tuple(_edges(asset, partitions, done))
    node = Node(asset, partitions, reads, tuple(each for edge in reads for each in views.expanded(edge)))
    problem = views.cut_problem(node, done) if asset.kind is AssetKind.VIEW else None
    if problem:
        raise _refusal(asset, problem)
    return node


def _reads_earlier(asset: Asset[..., Any], mapping: PartitionMapping | None) -> bool:
    if asset.kind is AssetKind.VIEW:
        raise _refusal(asset, "it reads itself, but a view is not stored, so it has no earlier partitions")
    return isinstance(mapping, TimeWindowMapping) and mapping.end_offset < 0


def _standing(asset: Asset[..., Any], now: dt.datetime, keys: DynamicKeys) -> Partitions:
    try:
        return resolve(asset.partitions, keys).until(now)
    except InvalidDefinition as error:
        raise _refusal(asset, error.reason) from error


def _refuse_unknown_keys(assets: Mapping[AssetKey, Asset[..., Any]]) -> None:
    """Refuse dynamic partitions whose keys come from nowhere, and names that are one folder on some disks."""
    spelled: dict[str, str] = {}
    for asset in assets.values():
        for dynamic in dynamic_dimensions(asset.partitions):
            if dynamic.name is not None:
                other = spelled.setdefault(dynamic.name.lower(), dynamic.name)
                if other != dynamic.name:
                    raise _refusal(asset, f"dynamic partitions {dynamic.name!r} and {other!r} differ only in case")
            elif dynamic.upstream is not None:
                problem = _source_problem(asset, dynamic.upstream, dynamic.column, assets)
                if problem:
                    raise _refusal(asset, f"its partitions are {dynamic}, but {problem}")


def _source_problem(
    asset: Asset[..., Any], upstream: AssetKey, column: str | None, assets: Mapping[AssetKey, Asset[..., Any]]
) -> str | None:
    if upstream == asset.key:
        return "it cannot follow itself"
    if upstream not in assets:
        return f"no asset has that name.{did_you_mean(str(upstream), map(str, assets))}"
    if assets[upstream].kind is AssetKind.VIEW:
        return "that is a view, which is not stored; follow the table that has the column"
    columns = [each.name for each in assets[upstream].partition_columns]
    if column not in columns:
        return f"its partition columns are {', '.join(columns)}" if columns else "that asset has no partitions"
    return None


def _upstream_first(
    assets: Mapping[AssetKey, Asset[..., Any]], read: Mapping[AssetKey, Iterable[AssetKey]]
) -> Iterable[AssetKey]:
    sorter = TopologicalSorter(read)
    try:
        return list(sorter.static_order())
    except CycleError as error:
        found: list[AssetKey] = error.args[1]  # each is read by the next; the last is the first again
        readers = found[:0:-1]
        start = readers.index(min(readers, key=list(assets).index))
        circle = [*readers[start:], *readers[: start + 1]]
        raise _refusal(assets[circle[0]], f"it is made from itself: {' reads '.join(map(str, circle))}") from None


def _edges(asset: Asset[..., Any], here: Partitions, done: Mapping[AssetKey, Node]) -> Iterable[Edge]:
    for upstream in asset.signature.upstreams:
        node = done.get(upstream.key)  # none: the asset itself
        read, there = (asset, here) if node is None else (node.asset, node.partitions)
        mapping = upstream.mapping or _following(asset, read) or infer_mapping(here, there)
        try:
            grows = read.partitions != there
            correspondence = correspond(mapping, here, there, allow_missing=upstream.allow_missing, grows=grows)
        except InvalidDefinition as error:
            problem = error.reason
            if upstream.frame.is_previous:
                problem = f"Previous needs partitions of one time, but the asset's are {here}"
            raise _refusal(asset, f"argument {upstream.argument!r}: {problem}") from error
        view = node if read.kind is AssetKind.VIEW else None
        is_of_source = read.kind is AssetKind.SOURCE
        yield Edge(upstream.key, asset.key, upstream, mapping, correspondence, is_of_source, view)


def _following(asset: Asset[..., Any], upstream: Asset[..., Any]) -> PartitionMapping | None:
    """Return how an asset whose keys are the values of an upstream's column reads that upstream: by them."""
    for own, dimension in enumerate(asset.partitions.dimensions):
        if not isinstance(dimension, DynamicPartitions) or dimension.upstream != upstream.key:
            continue
        place = [column.name for column in upstream.partition_columns].index(str(dimension.column))
        if isinstance(upstream.partitions.dimensions[place], TimePartitions):
            return None
        if isinstance(asset.partitions, MultiPartitions) or isinstance(upstream.partitions, MultiPartitions):
            there = _dimension_names(upstream.partitions, str(dimension.column))[place]
            here = _dimension_names(asset.partitions, there)[own]
            return MultiMapping({there: (here, IdentityMapping())})
        return IdentityMapping()
    return None


def _dimension_names(partitions: Partitions, single: str) -> tuple[str, ...]:
    return partitions.names if isinstance(partitions, MultiPartitions) else (single,)


def _refusal(asset: Asset[..., Any], problem: str) -> InvalidDefinition:
    word = asset.kind if asset.kind in (AssetKind.VIEW, AssetKind.CHECK) else AssetKind.FUNCTION
    return InvalidDefinition(f"{word} {str(asset.key)!r}: {problem}", where=asset.where, asset=str(asset.key))
