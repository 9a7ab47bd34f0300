"""Levels: how far down each vertex stands, so that lines are as straight as the order allows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from deltaworks.web.draw.columns import Columns

_ROUNDS = 16
_ONE_SIDED = 4
"""How many rounds look at one side only, which pulls chains straight before everything is balanced."""

_BEND_WEIGHT = 8
"""A bend in the middle of a long line is uglier than a node that stands a little off."""

_PULL = (1, 2, 16)
"""How much two neighbours draw each other to one level, by how many of the two are bends."""


def find_levels(columns: Columns, heights: Sequence[float], gap: float) -> list[float]:
    """Return the middle of each vertex, from 0 at the top of the highest one down.

    In each round a column's vertices move towards the mean of their neighbours, as near as their order and the gap
    between them allow: the least squares under these bounds.

    Args:
        columns: in the order from top to bottom.
        heights: of each vertex.
        gap: the least distance between two of a column.
    """
    levels = _stacked(columns, heights, gap)
    for turn in range(_ROUNDS):
        is_forward = turn % 2 == 0
        for column in columns.vertices if is_forward else reversed(columns.vertices):
            wanted = [_wanted(columns, vertex, levels, turn, is_forward=is_forward) for vertex in column]
            weights = [float(_BEND_WEIGHT) if columns.is_bend(vertex) else 1.0 for vertex in column]
            gaps = [(heights[upper] + heights[lower]) / 2 + gap for upper, lower in pairwise(column)]
            for vertex, level in zip(column, spread(wanted, weights, gaps), strict=True):
                levels[vertex] = level
    top = min((level - height / 2 for level, height in zip(levels, heights, strict=True)), default=0.0)
    return [level - top for level in levels]


def _stacked(columns: Columns, heights: Sequence[float], gap: float) -> list[float]:
    levels = [0.0] * len(heights)
    for column in columns.vertices:
        bottom = 0.0
        for vertex in column:
            levels[vertex] = bottom + heights[vertex] / 2
            bottom += heights[vertex] + gap
    return levels


def _wanted(columns: Columns, vertex: int, levels: Sequence[float], turn: int, *, is_forward: bool) -> float:
    left, right = columns.left[vertex], columns.right[vertex]
    near = left + right if turn >= _ONE_SIDED else left if is_forward else right
    if not near:
        return levels[vertex]
    pulls = [_PULL[columns.is_bend(vertex) + columns.is_bend(each)] for each in near]
    return sum(levels[each] * pull for each, pull in zip(near, pulls, strict=True)) / sum(pulls)


def spread(wanted: Sequence[float], weights: Sequence[float], gaps: Sequence[float]) -> list[float]:
    """Return ascending places, each at least a gap after the one before, as near as can be to where they are wanted.

    Pool adjacent violators: exact for the weighted sum of squares.

    Args:
        wanted: where each would stand if it were alone.
        weights: how much it counts that it stands there.
        gaps: between each and the next one.
    """
    offsets = [0.0]
    for gap in gaps:
        offsets.append(offsets[-1] + gap)
    pools: list[tuple[float, float, int]] = []
    for place, weight, offset in zip(wanted, weights, offsets, strict=False):
        total, mass, count = (place - offset) * weight, weight, 1
        while pools and pools[-1][0] / pools[-1][1] > total / mass:
            other_total, other_mass, other_count = pools.pop()
            total, mass, count = total + other_total, mass + other_mass, count + other_count
        pools.append((total, mass, count))
    means = [total / mass for total, mass, count in pools for _ in range(count)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=False)]
