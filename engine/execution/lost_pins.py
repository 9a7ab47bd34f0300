"""LostPins: what was made from earlier versions of its upstreams whose data files are gone, partition by partition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
                yield from _lost(graph, edge, table.table_id or "", missing, tables[edge.downstream])


def _lost(
    graph: AssetGraph, edge: Edge, table_id: str, missing: Sequence[tuple[str, Lifetime]], reader: Table
) -> Iterator[LostPin]:
    upstream, downstream = graph.nodes[edge.upstream].partitions, graph.nodes[edge.downstream].partitions
    made = _made(reader)
    keys: dict[int, str] = {}
    versions: set[int] = set()
    paths: dict[str, None] = {}
    for path, lifetime in missing:
        ordinal = upstream.ordinal(lifetime.key)
        for each in () if ordinal is None else edge.correspondence.downstream_of(ordinal):
            key = downstream.key(each)
            content = made.get(reader.places.of_key(key))
            pin = None if content is None else content.inputs.get(table_id)
            if pin is not None and lifetime.holds_any([pin.version]):
                keys[each] = key
                versions.add(pin.version)
                paths[path] = None
    if keys:
        ordered = tuple(keys[ordinal] for ordinal in sorted(keys))
        yield LostPin(edge.downstream, edge.upstream, ordered, tuple(sorted(versions)), tuple(paths))


def _made(table: Table) -> dict[str, Materialization]:
    """Return by what the present content of each partition was made, by place."""
    known = table.partitions().select("key", "materialization").drop_nulls()
    return {key: table.materializations[number] for key, number in known.iter_rows()}
