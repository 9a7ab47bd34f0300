"""Spark: a line without axes, of how one number went on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spark:
    """A line in a box, in pixels from its upper left corner."""

    path: str
    """The path data of SVG; empty if there is no number."""
    points: tuple[tuple[float, float], ...]
    low: int | None
    """Which of the numbers is the least."""
    width: float
    height: float


def draw_spark(numbers: Sequence[float], width: float = 300, height: float = 74, margin: float = 4) -> Spark:
    """Draw numbers from left to right; zero is at the bottom, unless one is less."""
    if not numbers:
        return Spark("", (), None, width, height)
    bottom, top = min(0.0, *numbers), max(0.0, *numbers)
    scale = (height - 2 * margin) / ((top - bottom) or 1.0)
    step = width / max(1, len(numbers) - 1)
    points = tuple(
        (round(place * step, 1), round(height - margin - (number - bottom) * scale, 1))
        for place, number in enumerate(numbers)
    )
    path = "".join(f"{'L' if place else 'M'}{x:g} {y:g}" for place, (x, y) in enumerate(points))
    return Spark(path, points, min(range(len(numbers)), key=numbers.__getitem__), width, height)
