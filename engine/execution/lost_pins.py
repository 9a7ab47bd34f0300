"""LostPins: what was made from earlier versions of its upstreams whose data files are gone, partition by partition."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.planning.graph import AssetGraph, Edge
from deltaworks.io.lifetimes import Lifetime, read_lifetimes
from deltaworks.io.materialization import Materialization
from deltaworks.io.table import Table
from deltaworks.io.vacuum import missing_pinned, pinned_versions


@dataclass(frozen=True, slots=True)
class LostPin:
    """Partitions of an asset that cannot be made again from what they were made from."""

    asset: AssetKey
    upstream: AssetKey
    keys: tuple[str, ...]
    versions: tuple[int, ...]
    """Of the upstream, which they were made from."""
    paths: tuple[str, ...]
    """The upstream's data files that are not there."""


def find_lost_pins(graph: AssetGraph, tables: Mapping[AssetKey, Table]) -> Iterator[LostPin]:
    """Yield what is lost, by edge of the graph; of files, only those that a partition was made from count.

    Cost: reads the log of each upstream, and looks for each file of a version that something was made from.
    """
    pinned = pinned_versions(tables.values())
    for key, leaving in graph.downstream.items():
        table = tables.get(key)
        versions = () if table is None else pinned.get(table.table_id or "", ())
        if table is None or not versions:
            continue
        missing = missing_pinned(table, read_lifetimes(table.store, table.name), versions)
        for edge in leaving if missing else ():
            if edge.downstream in tables:
                yield from _lost(graph, edge, table, missing, tables[edge.downstream])


def _lost(
    graph: AssetGraph, edge: Edge, table: Table, missing: Sequence[tuple[str, Lifetime]], reader: Table
) -> Iterator[LostPin]:
    downstream = graph.nodes[edge.downstream].partitions
    pins = _pins(graph, edge, table.table_id or "", reader)
    readers = _readers(graph, edge, table, pins)
    keys: dict[int, str] = {}
    versions: set[int] = set()
    paths: dict[str, None] = {}
    for path, lifetime in missing:
        for each in readers(lifetime):
            if each in pins and lifetime.holds_any([pins[each]]):
                keys[each] = downstream.key(each)
                versions.add(pins[each])
                paths[path] = None
    if keys:
        ordered = tuple(keys[ordinal] for ordinal in sorted(keys))
        yield LostPin(edge.downstream, edge.upstream, ordered, tuple(sorted(versions)), tuple(paths))


def _pins(graph: AssetGraph, edge: Edge, table_id: str, reader: Table) -> dict[int, int]:
    """Return the version of the upstream that the present content of each partition was made from."""
    known = reader.partitions().select("key", "materialization").drop_nulls()
    made: dict[str, Materialization] = {key: reader.materializations[number] for key, number in known.iter_rows()}
    partitions = graph.nodes[edge.downstream].partitions
    found: dict[int, int] = {}
    for ordinal in range(partitions.size):
        content = made.get(reader.places.of_key(partitions.key(ordinal)))
        pin = None if content is None else content.inputs.get(table_id)
        if pin is not None:
            found[ordinal] = pin.version
    return found


def _readers(
    graph: AssetGraph, edge: Edge, table: Table, pins: Mapping[int, int]
) -> Callable[[Lifetime], Iterable[int]]:
    """Return what tells the partitions that may have been made from a file."""
    upstream = graph.nodes[edge.upstream].partitions

    def of_key(lifetime: Lifetime) -> Iterable[int]:
        ordinal = upstream.ordinal(lifetime.key)
        return () if ordinal is None else edge.correspondence.downstream_of(ordinal)

    by_version: dict[int, list[int]] = {}
    for ordinal, version in pins.items():
        by_version.setdefault(version, []).append(ordinal)
    versions = sorted(by_version)

    def of_any_key(lifetime: Lifetime) -> Iterable[int]:
        first = bisect_left(versions, lifetime.added)
        last = len(versions) if lifetime.removed is None else bisect_left(versions, lifetime.removed)
        return (ordinal for version in versions[first:last] for ordinal in by_version[version])

    return of_any_key if table.names_keys else of_key
