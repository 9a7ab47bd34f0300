"""Selection: which assets a command means.

`a` is an asset, `a+` it and everything made from it, `+a` it and everything that it is made from, `group:raw` a group,
`*` every asset. Several arguments mean their union; none means every asset.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.errors import RequestError, did_you_mean


def select(graph: AssetGraph, arguments: Sequence[str]) -> tuple[AssetKey, ...]:
    """Return the selected assets, upstreams first.

    Raises:
        UnknownAsset: an argument names an asset that is not defined.
        RequestError: an argument names a group that no asset is in.
    """
    if not arguments:
        return tuple(graph.nodes)
    chosen: set[AssetKey] = set()
    for argument in arguments:
        chosen |= _select_one(graph, argument.strip())
    return tuple(key for key in graph.nodes if key in chosen)


def _select_one(graph: AssetGraph, argument: str) -> set[AssetKey]:
    if argument == "*":
        return set(graph.nodes)
    above, below = argument.startswith("+"), argument.endswith("+")
    name = argument.removeprefix("+").removesuffix("+")
    chosen = _group(graph, name.removeprefix("group:")) if name.startswith("group:") else {graph.node(name).key}
    reached = set(chosen)
    if above:
        reached |= _reach(chosen, lambda key: [edge.upstream for edge in graph.nodes[key].upstream])
    if below:
        reached |= _reach(chosen, lambda key: [edge.downstream for edge in graph.downstream[key]])
    return reached


def _group(graph: AssetGraph, name: str) -> set[AssetKey]:
    chosen = {key for key, node in graph.nodes.items() if node.asset.group == name}
    if not chosen:
        groups = {node.asset.group for node in graph.nodes.values()}
        raise RequestError(f"No asset is in group {name!r}.{did_you_mean(name, groups)}")
    return chosen


def _reach(start: Iterable[AssetKey], neighbours: Callable[[AssetKey], Iterable[AssetKey]]) -> set[AssetKey]:
    reached: set[AssetKey] = set()
    waiting = list(start)
    while waiting:
        for key in neighbours(waiting.pop()):
            if key not in reached:
                reached.add(key)
                waiting.append(key)
    return reached
