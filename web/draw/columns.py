"""Columns: which vertex of a graph stands in which column, and where lines that cross a column bend.

The graph flows from left to right: a vertex stands one column after the last of those that lead to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from itertools import pairwise

Edge = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Columns:
    """A graph whose edges lead only from one column to the next."""

    nodes: int
    """How many vertices are nodes: those below it; the others are bends, of lines that pass a column."""
    vertices: tuple[tuple[int, ...], ...]
    """By column, from top to bottom."""
    left: tuple[tuple[int, ...], ...]
    """By vertex, those before it that lead to it."""
    right: tuple[tuple[int, ...], ...]
    """By vertex, those after it that it leads to."""
    lines: Mapping[Edge, tuple[int, ...]]
    """By edge of the graph, the vertices that its line goes through, both ends included."""

    def is_bend(self, vertex: int) -> bool:
        """Return whether a vertex is only the bend of a line."""
        return vertex >= self.nodes


def lay_out_columns(nodes: int, edges: Sequence[Edge]) -> Columns:
    """Put the nodes of a graph without circles into columns.

    Lines of one node that pass the same column share their bend there, so that they run as a bundle.

    Args:
        nodes: how many there are.
        edges: from which node to which, by number.

    Raises:
        graphlib.CycleError: the edges form a circle.
    """
    edges = list(dict.fromkeys(edges))
    column = _columns(nodes, edges)
    vertices: list[list[int]] = [[] for _ in range(max(column, default=-1) + 1)]
    for node, place in enumerate(column):
        vertices[place].append(node)
    bends: dict[Edge, int] = {}
    steps: dict[Edge, None] = {}
    lines: dict[Edge, tuple[int, ...]] = {}
    for start, end in edges:
        line = [start]
        for place in range(column[start] + 1, column[end]):
            if (start, place) not in bends:
                bends[start, place] = nodes + len(bends)
                vertices[place].append(bends[start, place])
            line.append(bends[start, place])
        line.append(end)
        lines[start, end] = tuple(line)
        steps |= dict.fromkeys(pairwise(line))
    left: list[list[int]] = [[] for _ in range(nodes + len(bends))]
    right: list[list[int]] = [[] for _ in left]
    for start, end in steps:
        right[start].append(end)
        left[end].append(start)
    return Columns(nodes, _frozen(vertices), _frozen(left), _frozen(right), lines)


def _columns(nodes: int, edges: Sequence[Edge]) -> list[int]:
    """Return the column of each node: as far left as its upstreams let it, sources beside their first reader."""
    before: list[list[int]] = [[] for _ in range(nodes)]
    after: list[list[int]] = [[] for _ in range(nodes)]
    for start, end in edges:
        before[end].append(start)
        after[start].append(end)
    column = [0] * nodes
    for node in TopologicalSorter(dict(enumerate(before))).static_order():
        column[node] = max((column[each] + 1 for each in before[node]), default=0)
    for node in range(nodes):
        if after[node] and not before[node]:
            column[node] = min(column[each] for each in after[node]) - 1
    return column


def _frozen(lists: Sequence[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
    return tuple(map(tuple, lists))
