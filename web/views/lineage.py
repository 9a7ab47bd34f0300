"""Lineage: the graph of assets, from left to right; of very many the groups first, one box each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.engine.planning.selection import select_every
from deltaworks.web import urls
from deltaworks.web.draw.layered import Layered, Point, curve, draw_layered
from deltaworks.web.views.catalog import AssetRow, asset_row
from deltaworks.web.views.partitions import Counts
from deltaworks.web.words import plural
from deltaworks.web.workspace import Sight

MOST_APART = 150
"""How many assets are drawn one by one without being asked; of more, their groups are."""

_NAME_LENGTH = 25
"""How many characters of a name fit into a box."""

_ORDER = ("unknown", "failed", "running", "stale", "missing", "external", "fresh", "view")
"""The worst first."""


@dataclass(frozen=True, slots=True)
class Box:
    """An asset, or a group of them, in the picture."""

    number: int
    name: str
    """In full, for those who cannot see the picture."""
    label: str
    above: str
    """What stands above the label: the rest of its key, or how many assets it is."""
    href: str
    status: str
    counts: Counts
    x: float
    y: float
    is_chosen: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """An arrow between two boxes, by their numbers."""

    start: int
    end: int
    path: str


@dataclass(frozen=True, slots=True)
class GraphView:
    """A picture of boxes and arrows."""

    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class LineageView:
    """The page of the graph."""

    graph: GraphView
    select: str
    is_grouped: bool
    can_group: bool
    """Whether the groups alone could be shown instead of all that is."""
    assets: int
    statuses: tuple[tuple[str, int], ...]

    def only(self, status: str) -> str:
        """Return the address of what is selected and has a status."""
        return urls.lineage(select=f"({self.select}) and status:{status}" if self.select else f"status:{status}")


def lineage_view(sight: Sight, select: str, *, expands: bool) -> LineageView:
    """Return the graph of what is selected.

    Raises:
        RequestError: the selection means nothing.
    """
    graph = sight.project.graph
    chosen = select_every(graph, [select] if select else [], lambda: sight.observation.status)
    rows = {key: asset_row(sight, graph.every[key]) for key in chosen}
    edges = edges_among(graph, chosen)
    is_large = len(chosen) > MOST_APART and len({row.group for row in rows.values()}) > 1
    is_grouped = is_large and not expands
    statuses = Counter(row.status for row in rows.values())
    drawn = _grouped(rows, edges) if is_grouped else assets_drawn(rows, edges)
    told = tuple((word, statuses[word]) for word in _ORDER if statuses[word])
    return LineageView(drawn, select, is_grouped, is_large and expands, len(chosen), told)


def edges_among(graph: AssetGraph, chosen: Iterable[AssetKey]) -> list[tuple[AssetKey, AssetKey]]:
    """Return which of some assets is read by which other of them, each pair once."""
    among = set(chosen)
    pairs = ((edge.upstream, key) for key in graph.every if key in among for edge in graph.every[key].reads)
    return list(dict.fromkeys(pair for pair in pairs if pair[0] in among and pair[0] != pair[1]))


def assets_drawn(
    rows: Mapping[AssetKey, AssetRow],
    edges: Sequence[tuple[AssetKey, AssetKey]],
    chosen: AssetKey | None = None,
) -> GraphView:
    """Draw assets one by one; one of them may stand out."""
    boxes = {
        str(key): (row.name, row.namespace or row.group, urls.asset(row.key), row.status, row.counts)
        for key, row in rows.items()
    }
    names = [(str(start), str(end)) for start, end in edges]
    return _graph(boxes, names, (), None if chosen is None else str(chosen))


def _grouped(rows: Mapping[AssetKey, AssetRow], edges: Sequence[tuple[AssetKey, AssetKey]]) -> GraphView:
    """Draw the groups of assets. Groups may read each other; what leads back is drawn over the rest."""
    members: dict[str, list[AssetRow]] = {}
    for row in rows.values():
        members.setdefault(row.group, []).append(row)
    boxes = {
        group: (
            group,
            plural(len(found), "asset"),
            urls.lineage(select=f"group:{group}", expand="true"),
            min((row.status for row in found), key=_ORDER.index),
            _of_assets(found),
        )
        for group, found in members.items()
    }
    between = dict.fromkeys((rows[start].group, rows[end].group) for start, end in edges)
    return _graph(boxes, *_without_circles(list(boxes), [pair for pair in between if pair[0] != pair[1]]))


def _of_assets(rows: Sequence[AssetRow]) -> Counts:
    """Count assets by their worst status, as a bar shows it; what cannot be read has failed."""
    found = Counter("failed" if row.status == "unknown" else row.status for row in rows if row.status != "view")
    return Counts(found.total(), found)


def _graph(
    boxes: Mapping[str, tuple[str, str, str, str, Counts]],
    forward: Sequence[tuple[str, str]],
    back: Sequence[tuple[str, str]],
    chosen: str | None = None,
) -> GraphView:
    drawn = _laid_out(tuple(boxes), tuple(forward))
    number = {name: place for place, name in enumerate(boxes)}
    lines = [Line(number[start], number[end], curve(points)) for (start, end), points in drawn.lines.items()]
    lines += [Line(number[start], number[end], curve(_direct(drawn, start, end))) for start, end in back]
    return GraphView(
        boxes=tuple(
            Box(number[name], name, _cut(label), _cut(above), href, status, counts, *drawn.nodes[name], name == chosen)
            for name, (label, above, href, status, counts) in boxes.items()
        ),
        lines=tuple(lines),
        width=drawn.width,
        height=drawn.height,
    )


@lru_cache(maxsize=16)
def _laid_out(names: tuple[str, ...], edges: tuple[tuple[str, str], ...]) -> Layered:
    """Lay a graph out; that hangs on definitions alone, and statuses are laid over it."""
    return draw_layered(names, edges)


def _without_circles(
    names: Sequence[str], edges: Sequence[tuple[str, str]]
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Part edges into those that form no circle, in the order in which they come, and the others."""
    after: dict[str, set[str]] = {name: set() for name in names}
    forward: list[tuple[str, str]] = []
    back: list[tuple[str, str]] = []
    for start, end in edges:
        if _reaches(after, end, start):
            back.append((start, end))
        else:
            after[start].add(end)
            forward.append((start, end))
    return forward, back


def _reaches(after: Mapping[str, set[str]], start: str, end: str) -> bool:
    waiting, seen = [start], {start}
    while waiting:
        name = waiting.pop()
        if name == end:
            return True
        waiting += after[name] - seen
        seen |= after[name]
    return False


def _direct(drawn: Layered, start: str, end: str) -> tuple[Point, Point]:
    (x, y), (to_x, to_y) = drawn.nodes[start], drawn.nodes[end]
    return (x + 196, y + 22), (to_x, to_y + 22)


def _cut(text: str) -> str:
    return text if len(text) <= _NAME_LENGTH else f"{text[: _NAME_LENGTH - 1]}\N{HORIZONTAL ELLIPSIS}"
