"""Cuts: which partitions of each view one call reads, where its result must be cut to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from deltaworks.engine.definitions.asset import AssetKind
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.mappings.composed import runs_of, upstream_of_all
from deltaworks.engine.definitions.mappings.segments import Ordinals
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.execution.task import Ranges
from deltaworks.engine.planning.graph import AssetGraph, Needs, Node
from deltaworks.engine.planning.state import existing
from deltaworks.engine.planning.views import readable
from deltaworks.io.table import Table


def cuts(graph: AssetGraph, tables: Mapping[AssetKey, Table], node: Node, ordinals: Ordinals) -> dict[str, Ranges]:
    """Return what the results of all views are cut to that are called for some partitions of an asset or of a view.

    An input that reads whatever there is reads those partitions of a view that have all that they need, as if the view
    were stored. So does who asks for partitions of a view itself, whose own path is empty.
    """
    if not any(view.is_cut for view in (node, *node.views.values())):
        return {}

    def there(key: AssetKey) -> PartitionSet:
        return existing(graph.nodes[key], tables[key])

    is_view = node.asset.kind is AssetKind.VIEW
    found = _of_view(node, "", ordinals, there, reads_any=True) if is_view else _below(node, "", ordinals, there)
    return dict(found)


def path_of(path: str, argument: str) -> str:
    """Return the path of an argument of what stands at a path."""
    return f"{path}.{argument}" if path else argument


def _below(
    node: Node, path: str, ordinals: Ordinals, there: Callable[[AssetKey], PartitionSet]
) -> Iterator[tuple[str, Ranges]]:
    for edge in node.reads:
        if edge.view is not None:
            read = upstream_of_all(edge.correspondence, ordinals)
            place = path_of(path, edge.argument.argument)
            yield from _of_view(edge.view, place, read, there, reads_any=edge.needs is not Needs.EACH)


def _of_view(
    view: Node, path: str, read: Ordinals, there: Callable[[AssetKey], PartitionSet], *, reads_any: bool
) -> Iterator[tuple[str, Ranges]]:
    if reads_any:
        possible = readable(view, there)
        read = [ordinal for ordinal in read if ordinal in possible]
    if view.is_cut:
        yield path, tuple(runs_of(read))
    yield from _below(view, path, read, there)
