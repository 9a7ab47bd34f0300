"""A graph is drawn so that nothing overlaps, everything flows to the right, and lines cross no nodes."""

from __future__ import annotations

import random
from graphlib import CycleError
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deltaworks.web.draw.columns import lay_out_columns
from deltaworks.web.draw.crossings import count_crossings, untangled
from deltaworks.web.draw.layered import Layered, Sizes, curve, draw_layered
from deltaworks.web.draw.levels import spread

SIZES = Sizes()
Graph = tuple[list[str], list[tuple[str, str]]]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Graphs without circles, whose nodes come in an order that says nothing of them."""
    count = draw(st.integers(0, 25))
    pairs = [(f"n{a}", f"n{b}") for a, b in combinations(range(count), 2)]
    edges = draw(st.lists(st.sampled_from(pairs), max_size=50)) if pairs else []
    return draw(st.permutations([f"n{number}" for number in range(count)])), edges


def some_graph(nodes: int, seed: int) -> Graph:
    chance = random.Random(seed)
    names = [f"n{number}" for number in range(nodes)]
    edges = [
        (names[start], names[end])
        for end in range(1, nodes)
        for start in {chance.randrange(max(0, end - 40), end) for _ in range(chance.randint(1, 3))}
    ]
    chance.shuffle(names)
    return names, edges


def overlap(drawn: Layered) -> list[tuple[str, str]]:
    boxes = drawn.nodes.items()
    return [
        (one, other)
        for (one, (x, y)), (other, (u, v)) in combinations(boxes, 2)
        if abs(x - u) < SIZES.width and abs(y - v) < SIZES.height - 1e-6
    ]


def hits(drawn: Layered) -> list[tuple[tuple[str, str], str]]:
    """The level pieces of lines that run through a node."""
    return [
        (edge, name)
        for edge, points in drawn.lines.items()
        for (start, level), (end, _) in zip(points[1:-1:2], points[2:-1:2], strict=True)
        for name, (x, y) in drawn.nodes.items()
        if start < x + SIZES.width and x < end and y < level < y + SIZES.height
    ]


@given(graphs())
def test_nothing_overlaps_and_all_flows_to_the_right(graph: Graph) -> None:
    nodes, edges = graph

    drawn = draw_layered(nodes, edges)

    assert list(drawn.nodes) == nodes
    assert set(drawn.lines) == set(edges)
    assert overlap(drawn) == []
    assert hits(drawn) == []
    for (start, end), points in drawn.lines.items():
        assert points[0] == (drawn.nodes[start][0] + SIZES.width, drawn.nodes[start][1] + SIZES.height / 2)
        assert points[-1] == (drawn.nodes[end][0], drawn.nodes[end][1] + SIZES.height / 2)
        assert [x for x, _ in points] == sorted(x for x, _ in points)
    for x, y in drawn.nodes.values():
        assert 0 <= x <= drawn.width - SIZES.width
        assert -1e-6 <= y <= drawn.height - SIZES.height + 1e-6


@given(graphs())
def test_an_order_never_has_more_crossings_than_the_given_one(graph: Graph) -> None:
    number = {name: index for index, name in enumerate(graph[0])}
    columns = lay_out_columns(len(number), [(number[start], number[end]) for start, end in graph[1]])

    best = untangled(columns)

    assert count_crossings(best) <= count_crossings(columns)
    assert [sorted(column) for column in best.vertices] == [sorted(column) for column in columns.vertices]


@given(graphs())
def test_crossings_are_counted_as_by_looking_at_each_pair(graph: Graph) -> None:
    number = {name: index for index, name in enumerate(graph[0])}
    columns = lay_out_columns(len(number), [(number[start], number[end]) for start, end in graph[1]])

    place = {vertex: index for column in columns.vertices for index, vertex in enumerate(column)}
    pairs = 0
    for column in columns.vertices:
        lines = [(place[start], place[end]) for start in column for end in columns.right[start]]
        pairs += sum((a - c) * (b - d) < 0 for (a, b), (c, d) in combinations(lines, 2))

    assert count_crossings(columns) == pairs


def test_the_same_graph_is_the_same_picture() -> None:
    graph = some_graph(60, seed=1)

    assert draw_layered(*graph) == draw_layered(*graph)


def test_nothing_and_one_node_can_be_drawn() -> None:
    assert draw_layered([], []) == Layered({}, {}, 0, 0, 0)
    assert draw_layered(["a"], []) == Layered({"a": (0, 0)}, {}, SIZES.width, SIZES.height, 0)


def test_a_chain_is_straight() -> None:
    drawn = draw_layered(list("dcba"), [("a", "b"), ("b", "c"), ("c", "d")])

    assert {y for _, y in drawn.nodes.values()} == {0}
    assert curve(drawn.lines["a", "b"]) == "M196 22H272"


def test_a_source_stands_beside_its_first_reader() -> None:
    drawn = draw_layered(list("abcs"), [("a", "b"), ("b", "c"), ("s", "c")])

    assert drawn.nodes["s"][0] == drawn.nodes["b"][0]


def test_lines_of_a_node_run_as_a_bundle() -> None:
    chain = [("a", "b"), ("b", "c"), ("c", "d"), ("d", "e")]

    drawn = draw_layered(list("abcde"), [*chain, ("a", "d"), ("a", "e")])

    assert drawn.lines["a", "d"][:5] == drawn.lines["a", "e"][:5]
    assert curve(drawn.lines["a", "e"]).count("C") == 3


def test_a_circle_is_refused() -> None:
    with pytest.raises(CycleError):
        draw_layered(["a", "b"], [("a", "b"), ("b", "a")])


def test_a_tree_has_no_crossings() -> None:
    edges = [(f"n{number // 2}", f"n{number}") for number in range(2, 64)]
    nodes = [f"n{number}" for number in range(1, 64)]
    random.Random(3).shuffle(nodes)

    assert draw_layered(nodes, edges).crossings == 0


@pytest.mark.parametrize(("nodes", "at_most"), [(60, 267), (300, 2006), (1000, 8225)])
def test_large_graphs_have_few_crossings(nodes: int, at_most: int) -> None:
    """What was found when this was written, and a tenth more."""
    drawn = draw_layered(*some_graph(nodes, seed=nodes))

    assert drawn.crossings <= at_most
    assert overlap(drawn) == []


@given(
    st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=12),
    st.lists(st.floats(0.1, 50), min_size=12, max_size=12),
)
def test_places_keep_their_gaps_and_none_could_be_nearer(wanted: list[float], numbers: list[float]) -> None:
    gaps = numbers[: len(wanted) - 1]
    weights = [1.0] * len(wanted)

    places = spread(wanted, weights, gaps)

    assert all(b - a >= gap - 1e-6 for a, b, gap in zip(places, places[1:], gaps, strict=False))
    cost = sum((place - each) ** 2 for place, each in zip(places, wanted, strict=True))
    for index in range(len(places)):
        for step in (-0.01, 0.01):
            moved = [*places[:index], places[index] + step, *places[index + 1 :]]
            if all(b - a >= gap for a, b, gap in zip(moved, moved[1:], gaps, strict=False)):
                assert sum((place - each) ** 2 for place, each in zip(moved, wanted, strict=True)) >= cost - 1e-6
