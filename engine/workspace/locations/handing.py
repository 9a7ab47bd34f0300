"""Handing: what a host hands to the process of a code location, so that it can work on some of its assets."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from typing import Any

from deltaworks.engine.definitions.asset import Asset
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partitions.resolution import DynamicKeys, dynamic_dimensions
from deltaworks.engine.planning.check_nodes import readers_of
from deltaworks.engine.planning.graph import AssetGraph, Node
from deltaworks.engine.planning.job_config import ConfigLayer
from deltaworks.engine.planning.strata import location_of
from deltaworks.engine.workspace.locations.around import Surroundings
from deltaworks.errors import RequestError


def surroundings(
    graph: AssetGraph,
    location: str,
    wanted: Collection[AssetKey],
    now: dt.datetime,
    keys: DynamicKeys | None,
    more: Iterable[AssetKey] = (),
) -> Surroundings:
    """Return what a location needs to work on some of its assets: those, and all that they and their checks read.

    Args:
        graph: the assets of all locations.
        location: the one that needs it.
        wanted: its assets.
        now: what open partitions end at.
        keys: those of dynamic partitions.
        more: what else it reads.
    """
    own: dict[AssetKey, None] = {}
    others: dict[AssetKey, Asset[..., Any]] = {}
    waiting = [*wanted, *more]
    while waiting:
        node = graph.every[waiting.pop()]
        if node.key in own or node.key in others:
            continue
        if location_of(graph, node.key) != location:
            others[node.key] = _told(node)
            continue
        own[node.key] = None
        waiting += _read(node, is_judged=node.key in wanted)
    names = [str(key) for key in graph.every if key in own]
    retries = {name: graph.every[AssetKey(name)].asset.retry for name in names}
    return Surroundings(tuple(names), tuple(map(str, wanted)), tuple(others.values()), now, keys, retries)


def config_for(layer: ConfigLayer, names: Collection[str]) -> ConfigLayer:
    """Return what a layer of config says to some assets."""
    return replace(layer, values={name: each for name, each in layer.values.items() if name in names})


def refuse_unknown_config(graph: AssetGraph, layers: Iterable[ConfigLayer]) -> None:
    """Refuse config for what takes none; whether its fields fit, its location sees.

    Raises:
        RequestError: a layer names no asset that takes config.
    """
    taking = {
        node.asset.config_name
        for node in graph.nodes.values()
        if node.asset.foreign and node.asset.foreign.takes_config
    }
    for layer in layers:
        for name in layer.values:
            if name not in taking:
                known = f"assets that take config are {', '.join(sorted(taking))}" if taking else "none takes config"
                raise RequestError(f"{layer.origin}: there is no asset {name!r} that takes config; {known}.")


def _told(node: Node) -> Asset[..., Any]:
    """Return an asset as those read it who do not make it: by its code version, not by what that is made of."""
    foreign = node.asset.foreign
    assert foreign is not None, "it is of a location"
    return replace(node.asset, foreign=replace(foreign, code=node.own_code if node.asset.kind.has_code else ""))


def _read(node: Node, *, is_judged: bool) -> Iterator[AssetKey]:
    readers = readers_of(node) if is_judged else (node,)
    for reader in readers:
        yield from (edge.upstream for edge in reader.reads if edge.upstream != node.key)
    for dimension in dynamic_dimensions(node.asset.partitions):
        if dimension.upstream is not None:
            yield dimension.upstream
