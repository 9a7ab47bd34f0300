"""CheckNode: an asset check in the graph: what its function reads, beside the partition that it judges.

What only checks read is no cause of anything: no edge of a check is among those that an asset is made from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from deltaworks.engine.definitions.asset import Asset, AssetKind
from deltaworks.engine.definitions.asset_check import RESULT, TRAILING, AssetCheck, When
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.mappings.declared import AllPartitionsMapping, IdentityMapping
from deltaworks.engine.definitions.partitions.protocols import Partitions
from deltaworks.engine.definitions.partitions.time_partitions import TimePartitions
from deltaworks.engine.definitions.signature import Upstream
from deltaworks.engine.planning.views import expanded
from deltaworks.errors import InvalidDefinition, UnknownUpstream, did_you_mean

if TYPE_CHECKING:
    from deltaworks.engine.planning.graph import AssetGraph, Edge, Node


@dataclass(frozen=True)
class CheckNode:
    """An asset check among the assets that it reads."""

    check: AssetCheck
    node: Node
    """Its function as one that reads assets; the partitions are those of the judged asset."""

    @cached_property
    def committed(self) -> tuple[Edge, ...]:
        """The arguments that are what the judged partition holds until then."""
        return tuple(edge for edge in self._own if edge.argument.frame.is_committed)

    @cached_property
    def earlier(self) -> tuple[Edge, ...]:
        """The arguments that are earlier partitions of the asset, or in place of those the partition itself."""
        return tuple(
            edge
            for edge in self._own
            if edge.argument.argument != self.check.result and not edge.argument.frame.is_committed
        )

    @cached_property
    def others(self) -> tuple[Edge, ...]:
        """The arguments that are other assets' tables, be it through views."""
        return tuple(edge for edge in self.node.upstream if edge.upstream != self.check.asset or edge.hops)

    @property
    def goes_by_order(self) -> bool:
        """Whether its verdict hangs on what becomes of earlier partitions, so that it is judged at the commit."""
        return self.check.when is When.BEFORE and bool(self.earlier)

    @property
    def _own(self) -> Iterator[Edge]:
        return (edge for edge in self.node.upstream if edge.upstream == self.check.asset and not edge.hops)


def check_node(
    check: AssetCheck,
    nodes: Mapping[AssetKey, Node],
    edges_of: Callable[[Asset[..., Any], Partitions], Iterable[Edge]],
) -> CheckNode:
    """Return a check in a graph.

    Args:
        check: the check.
        nodes: every asset and view.
        edges_of: resolves what an asset's function reads.

    Raises:
        UnknownUpstream: an argument names no asset.
        InvalidDefinition: it judges what no run makes, or asks for a partition that is none.
    """
    problem = _problem(check, nodes)
    if problem:
        raise InvalidDefinition(f"asset check {str(check.key)!r}: {problem}", where=check.where, asset=str(check.asset))
    unknown = next((each.key for each in check.signature.upstreams if each.key not in nodes), None)
    if unknown is not None:
        raise UnknownUpstream(str(unknown), str(check.key), map(str, nodes), check.where)
    judged = nodes[check.asset]
    upstreams = tuple(_resolved(each, check, judged.asset) for each in check.signature.upstreams)
    asset = replace(
        judged.asset,
        key=check.key,
        function=check.function,
        signature=replace(check.signature, upstreams=upstreams, returns=judged.asset.signature.returns),
        where=check.where,
        kind=AssetKind.CHECK,
        description=check.description,
    )
    reads = tuple(edges_of(asset, judged.partitions))
    upstream = tuple(each for edge in reads for each in expanded(edge))
    return CheckNode(check, replace(judged, asset=asset, reads=reads, upstream=upstream, checks=()))


def read_by(assets: Mapping[AssetKey, Asset[..., Any]], checks: Iterable[AssetCheck]) -> dict[AssetKey, set[AssetKey]]:
    """Return what each asset is to come after: what it reads, and what its checks read if that is not made from it."""
    found = {
        key: {upstream.key for upstream in asset.signature.upstreams if upstream.key != key}
        for key, asset in assets.items()
    }
    for check in checks:
        for upstream in check.signature.upstreams:
            is_other = upstream.key in assets and check.asset in assets and upstream.key != check.asset
            if is_other and check.asset not in _above(upstream.key, found):
                found[check.asset].add(upstream.key)
    return found


def readers_of(node: Node) -> tuple[Node, ...]:
    """Return an asset and its checks, as what reads other assets."""
    return node, *(each.node for each in node.checks)


def awaited_by_checks(graph: AssetGraph, key: AssetKey) -> Iterator[Edge]:
    """Yield what the checks of an asset read and a run makes first; what is made from the asset is not waited for."""
    checks = graph.nodes[key].checks
    places = {each: place for place, each in enumerate(graph.nodes)} if checks else {}
    for each in checks:
        for edge in each.others:
            if places[edge.upstream] < places[key]:
                argument = replace(edge.argument, argument=f"{each.check.key}.{edge.argument.argument}")
                yield replace(edge, downstream=key, argument=argument)


def _above(key: AssetKey, read: Mapping[AssetKey, Iterable[AssetKey]]) -> set[AssetKey]:
    found, waiting = {key}, [key]
    while waiting:
        for each in read.get(waiting.pop(), ()):
            if each not in found:
                found.add(each)
                waiting.append(each)
    return found


def _problem(check: AssetCheck, nodes: Mapping[AssetKey, Node]) -> str | None:
    if check.asset not in nodes:
        name = str(check.asset)
        return f"it judges {name!r}, but no asset has that name.{did_you_mean(name, map(str, nodes))}"
    judged = nodes[check.asset].asset
    if not judged.kind.is_made:
        return (
            f"it judges {check.asset}, but no run makes that ({judged.kind.origin}), so there is nothing to keep back"
        )
    if check.signature.partition is not None and not (judged.partitions.dimensions or check.is_built_in):
        return f"argument {check.signature.partition!r} is a Partition, but {check.asset} is not partitioned"
    is_named = check.result in (None, RESULT, str(check.asset))
    if not is_named and any(str(key) == check.result for key in nodes):
        return (
            f"argument {check.result!r} has the model of {check.asset}, so it is taken for the result, but that is the "
            f"name of another asset; name the result {RESULT!r}"
        )
    return None


def _resolved(upstream: Upstream, check: AssetCheck, judged: Asset[..., Any]) -> Upstream:
    """Return an argument with the mapping that it has for the asset's own partitions."""
    if upstream.key != check.asset:
        return upstream
    times = sum(isinstance(each, TimePartitions) for each in judged.partitions.dimensions)
    is_own_partition = upstream.argument == TRAILING and check.comparison is not None and times != 1
    if upstream.mapping is not None and not is_own_partition:
        return upstream
    return replace(upstream, mapping=IdentityMapping() if judged.partitions.dimensions else AllPartitionsMapping())
