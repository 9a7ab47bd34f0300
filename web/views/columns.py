"""Columns: what the columns of an asset are made of, and what is made of them; the assets around it as a graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.planning.graph import AssetGraph, Node
from deltaworks.engine.planning.lineage import EVERY, Lineage
from deltaworks.engine.planning.lineage_expressions import Source
from deltaworks.web import urls
from deltaworks.web.draw.layered import Layered, Sizes, curve, draw_layered
from deltaworks.web.views.asset import AssetHead, asset_head
from deltaworks.web.views.catalog import asset_row
from deltaworks.web.views.lineage import GraphView, assets_drawn, edges_among
from deltaworks.web.workspace import Sight

HOPS = 2
"""How many steps up and down the graph of an asset shows."""

MOST_COLUMNS = 60
"""How many columns the picture of one column shows; the nearest."""

_SIZES = Sizes(width=210, height=36, across=64, down=8)


@dataclass(frozen=True, slots=True)
class ColumnLink:
    """Another asset's column."""

    asset: str
    name: str
    href: str


@dataclass(frozen=True, slots=True)
class ColumnRow:
    """A column, one step up and one down."""

    name: str
    href: str
    made_of: tuple[ColumnLink, ...]
    is_opaque: bool
    """Whether Python hides which of these it really is made of."""
    feeds: tuple[ColumnLink, ...]
    rows_of: tuple[str, ...]
    """The assets whose rows it decides."""


@dataclass(frozen=True, slots=True)
class ColumnBox:
    """A column in the picture of one column."""

    number: int
    asset: str
    name: str
    href: str
    x: float
    y: float
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class ColumnPicture:
    """Everything that a column is made of, and that is made of it."""

    column: str
    boxes: tuple[ColumnBox, ...]
    lines: tuple[tuple[int, int, str], ...]
    width: float
    height: float
    more: int
    """How many columns are left out."""


@dataclass(frozen=True, slots=True)
class ColumnsView:
    """The lineage of an asset."""

    head: AssetHead
    graph: GraphView
    columns: tuple[ColumnRow, ...]
    is_known: bool
    """Whether the columns are known without data."""
    rows_by: tuple[ColumnLink, ...]
    """What decides which rows there are."""
    picture: ColumnPicture | None
    command: str


def columns_view(sight: Sight, node: Node, column: str) -> ColumnsView:
    """Return the lineage of an asset, and of one of its columns if it is named.

    Raises:
        UnknownColumn: it has no such column.
    """
    graph, found = sight.project.graph, sight.findings.lineage
    near = around(graph, node.key, HOPS)
    rows = {key: asset_row(sight, graph.every[key]) for key in near}
    if column:
        found.named(f"{node.key}.{column}")
    columns = found.assets[node.key]
    decided = sorted({source for each in columns.values() for source in each.rows})
    return ColumnsView(
        head=asset_head(sight, node),
        graph=assets_drawn(rows, edges_among(graph, near), node.key),
        columns=tuple(_row(node.key, name, found) for name in columns if name != EVERY),
        is_known=EVERY not in columns,
        rows_by=tuple(map(_link, decided)),
        picture=_picture((node.key, column), found) if column else None,
        command=f"deltaworks lineage {node.key}{f'.{column}' if column else ''}",
    )


def around(graph: AssetGraph, key: AssetKey, hops: int) -> list[AssetKey]:
    """Return the assets some steps above and below one, in the order of the graph."""
    reads = {each: [edge.upstream for edge in node.reads] for each, node in graph.every.items()}
    readers: dict[AssetKey, list[AssetKey]] = {each: [] for each in reads}
    for each, read in reads.items():
        for upstream in read:
            readers[upstream].append(each)
    found = {key}
    for step in (reads, readers):
        edge = {key}
        for _ in range(hops):
            edge = {other for each in edge for other in step[each]}
            found |= edge
    return [each for each in graph.every if each in found]


def _row(asset: AssetKey, name: str, found: Lineage) -> ColumnRow:
    lineage, readers = found.of((asset, name)), found.readers.get((asset, name), {})
    values = sorted(column for column, influence in readers.items() if influence == "value")
    rows = sorted({str(column[0]) for column, influence in readers.items() if influence != "value"} - {str(asset)})
    return ColumnRow(
        name=name,
        href=urls.asset(asset, "lineage", column=name),
        made_of=tuple(map(_link, sorted(lineage.values))),
        is_opaque=lineage.is_opaque,
        feeds=tuple(map(_link, values)),
        rows_of=tuple(rows),
    )


def _link(column: Source) -> ColumnLink:
    asset, name = column
    return ColumnLink(str(asset), name, urls.asset(asset, "lineage", column=None if name == EVERY else name))


def _picture(chosen: Source, found: Lineage) -> ColumnPicture:
    """Draw the columns whose values a column is made of, and those that are made of its values."""
    reached = [*found.upstream(chosen), *found.downstream(chosen)]
    columns = [each.column for each in reached if each.influence == "value" and each.column[1]]
    kept = dict.fromkeys([chosen, *columns[:MOST_COLUMNS]])
    edges = [(source, column) for column in kept for source in sorted(found.of(column).values) if source in kept]
    names = {column: f"{column[0]}\0{column[1]}" for column in kept}
    drawn = draw_layered(
        list(names.values()), [(names[start], names[end]) for start, end in edges if start != end], _SIZES
    )
    return _drawn(chosen, list(kept), edges, drawn, names, len(columns) - MOST_COLUMNS)


def _drawn(
    chosen: Source,
    columns: Sequence[Source],
    edges: Sequence[tuple[Source, Source]],
    drawn: Layered,
    names: dict[Source, str],
    more: int,
) -> ColumnPicture:
    number = {column: place for place, column in enumerate(columns)}
    boxes = [
        ColumnBox(number[each], str(each[0]), each[1], _link(each).href, *drawn.nodes[names[each]], each == chosen)
        for each in columns
    ]
    lines = [
        (number[start], number[end], curve(drawn.lines[names[start], names[end]]))
        for start, end in edges
        if start != end
    ]
    return ColumnPicture(chosen[1], tuple(boxes), tuple(lines), drawn.width, drawn.height, max(0, more))
