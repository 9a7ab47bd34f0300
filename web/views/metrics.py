"""Metrics: the numbers that commits tell of an asset, version by version."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, cast

from deltaworks.engine.documents.history import metadata_of, rows_of
from deltaworks.engine.planning.graph import Node
from deltaworks.io.log import Commit
from deltaworks.web.draw.spark import Spark, draw_spark
from deltaworks.web.views.asset import AssetHead, asset_head, commits_of
from deltaworks.web.words import THIN, plural
from deltaworks.web.workspace import Sight

LOOKED_AT = 200
"""How many commits are looked at."""

SHOWN = 20
"""How many of the latest values stand in the table of a metric."""

_FAR = 4.0
"""How many times the usual distance from the middle makes a number odd."""

_LEAST = 0.05
"""Of the middle: the least distance that is taken for usual, where all others are alike."""


@dataclass(frozen=True, slots=True)
class Value:
    """A number at a version."""

    version: int
    partition: str
    """Empty: it is of the whole commit."""
    number: float
    is_odd: bool
    """Whether it is far from what is usual."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A number over versions."""

    name: str
    spark: Spark
    odd: tuple[tuple[float, float], ...]
    """Where in the picture the odd ones are."""
    values: tuple[Value, ...]
    """The latest first."""
    sentence: str


@dataclass(frozen=True, slots=True)
class MetricsView:
    """The numbers of an asset."""

    head: AssetHead
    metrics: tuple[Metric, ...]


def metrics_view(sight: Sight, node: Node) -> MetricsView:
    """Return every number that commits of an asset tell."""
    found: dict[str, list[tuple[int, str, float]]] = {}
    for commit in reversed(commits_of(sight, node, LOOKED_AT)):
        for name, partition, number in numbers_of(node, commit):
            found.setdefault(name, []).append((commit.version, partition, number))
    return MetricsView(asset_head(sight, node), tuple(_metric(name, values) for name, values in found.items()))


def numbers_of(node: Node, commit: Commit) -> Iterator[tuple[str, str, float]]:
    """Yield the numbers that a commit tells: the name of each, the partition, and the number."""
    rows = rows_of(commit)
    if rows is not None:
        yield "rows", "", rows
    for name, value in metadata_of(commit).items():
        is_inner = node.is_partitioned and isinstance(value, Mapping)
        inner: Mapping[str, Any] = cast("Mapping[str, Any]", value) if is_inner else {"": value}
        for each, number in inner.items():
            if isinstance(number, int | float) and not isinstance(number, bool):
                yield each or name, name if each else "", number


def odd_ones(numbers: Sequence[float]) -> list[bool]:
    """Return which numbers are far from the others, by the median of distances from the median."""
    if len(numbers) < 5:
        return [False] * len(numbers)
    middle = median(numbers)
    distances = [abs(number - middle) for number in numbers]
    usual = max(median(distances), _LEAST * abs(middle))
    return [distance > _FAR * usual for distance in distances]


def _metric(name: str, values: Sequence[tuple[int, str, float]]) -> Metric:
    numbers = [number for _, _, number in values]
    odd, spark = odd_ones(numbers), draw_spark(numbers, width=1104, height=96)
    middle, low, high = (f"{each:,.6g}".replace(",", THIN) for each in (median(numbers), min(numbers), max(numbers)))
    told = f"{plural(len(numbers), 'value')}: median {middle}, {low} to {high}"
    rows = [Value(*value, is_odd) for value, is_odd in zip(values, odd, strict=True)]
    return Metric(
        name=name,
        spark=spark,
        odd=tuple(point for point, is_odd in zip(spark.points, odd, strict=True) if is_odd),
        values=tuple(rows[::-1][:SHOWN]),
        sentence=told,
    )
