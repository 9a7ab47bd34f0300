"""AssetGraph: which asset is made from which, and how their partitions correspond."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import Any

from deltaworks.engine.definitions.asset import Asset
from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.mappings import (
    Correspondence,
    PartitionMapping,
    correspond,
    infer_mapping,
)
from deltaworks.engine.definitions.partitions import Partitions
from deltaworks.engine.definitions.signature import Upstream
from deltaworks.engine.planning.code_version import code_version
from deltaworks.errors import InvalidDefinition, UnknownAsset, UnknownUpstream

_SHOWN_RANGES = 3


@dataclass(frozen=True, slots=True)
class Edge:
    """An argument of one asset that is another asset's table."""

    upstream: AssetKey
    downstream: AssetKey
    argument: Upstream
    mapping: PartitionMapping
    correspondence: Correspondence


@dataclass(frozen=True)
class Node:
    """An asset in the graph, with its partitions as they stand now."""

    asset: Asset[..., Any]
    partitions: Partitions
    upstream: tuple[Edge, ...]

    @property
    def key(self) -> AssetKey:
        """The asset's key."""
        return self.asset.key

    @property
    def partition_columns(self) -> tuple[str, ...]:
        """The columns that the table is partitioned by; none for an unpartitioned asset."""
        return () if self.asset.partition_by is None else (self.asset.partition_by,)

    def spelled(self, ranges: Sequence[tuple[int, int]]) -> str:
        """Name the asset and some of its partitions in a sentence: the first ranges, and how many more there are."""
        if not self.partition_columns:
            return str(self.key)
        shown = [
            self.partitions.key(first) + ("" if first == last else f"..{self.partitions.key(last)}")
            for first, last in ranges[:_SHOWN_RANGES]
        ]
        more = len(ranges) - len(shown)
        tail = f" and {more} more {'range' if more == 1 else 'ranges'}" if more else ""
        return f"{self.key} {', '.join(shown)}{tail}".rstrip()

    @cached_property
    def code(self) -> str:
        """The code version: what the partitions made by this definition are recorded with."""
        return code_version(self.asset, {edge.argument.argument: edge.mapping for edge in self.upstream})


@dataclass(frozen=True)
class AssetGraph:
    """All assets of a project."""

    nodes: Mapping[AssetKey, Node]
    """In an order in which every asset comes after its upstreams."""

    @cached_property
    def downstream(self) -> Mapping[AssetKey, tuple[Edge, ...]]:
        """The edges that leave each asset."""
        edges: dict[AssetKey, list[Edge]] = {key: [] for key in self.nodes}
        for node in self.nodes.values():
            for edge in node.upstream:
                edges[edge.upstream].append(edge)
        return {key: tuple(leaving) for key, leaving in edges.items()}

    def node(self, key: AssetKey | str) -> Node:
        """Return an asset of the graph.

        Raises:
            UnknownAsset: there is none of that key.
        """
        found = next((node for node in self.nodes.values() if key in (node.key, node.key.path)), None)
        if found is None:
            raise UnknownAsset(str(key), map(str, self.nodes))
        return found


def build_graph(definitions: Definitions, now: dt.datetime) -> AssetGraph:
    """Join definitions into a graph.

    Raises:
        UnknownUpstream: an argument names no asset.
        InvalidDefinition: assets are made from each other in a circle, a mapping does not fit its two assets, or an
            asset's resource is missing.
    """
    assets = {asset.key: asset for asset in definitions.assets}
    for asset in assets.values():
        for upstream in asset.signature.upstreams:
            if upstream.key == asset.key:
                raise _refusal(asset, "it reads itself; a table made from its own earlier rows is not supported yet")
            if upstream.key not in assets:
                raise UnknownUpstream(str(upstream.key), str(asset.key), map(str, assets), asset.where)
    definitions.refuse_missing_resources()
    partitions = {key: asset.partitions.until(now) for key, asset in assets.items()}
    return AssetGraph(
        {
            key: Node(assets[key], partitions[key], tuple(_edges(assets[key], partitions)))
            for key in _upstream_first(assets)
        }
    )


def _upstream_first(assets: Mapping[AssetKey, Asset[..., Any]]) -> Iterable[AssetKey]:
    sorter = TopologicalSorter(
        {key: [upstream.key for upstream in asset.signature.upstreams] for key, asset in assets.items()}
    )
    try:
        return list(sorter.static_order())
    except CycleError as error:
        found: list[AssetKey] = error.args[1]  # each is read by the next; the last is the first again
        readers = found[:0:-1]
        start = readers.index(min(readers, key=list(assets).index))
        circle = [*readers[start:], *readers[: start + 1]]
        raise _refusal(assets[circle[0]], f"it is made from itself: {' reads '.join(map(str, circle))}") from None


def _edges(asset: Asset[..., Any], partitions: Mapping[AssetKey, Partitions]) -> Iterable[Edge]:
    for upstream in asset.signature.upstreams:
        here, there = partitions[asset.key], partitions[upstream.key]
        mapping = upstream.mapping or infer_mapping(here, there)
        try:
            correspondence = correspond(mapping, here, there)
        except InvalidDefinition as error:
            raise _refusal(asset, f"argument {upstream.argument!r}: {error.reason}") from error
        yield Edge(upstream.key, asset.key, upstream, mapping, correspondence)


def _refusal(asset: Asset[..., Any], problem: str) -> InvalidDefinition:
    return InvalidDefinition(f"asset {str(asset.key)!r}: {problem}", where=asset.where, asset=str(asset.key))
