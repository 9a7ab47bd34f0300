"""Gantt: when each step of a run waited and worked, as lines and bars below one axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

ROW = 26.0
HEAD = 24.0
"""Where the first row begins, below the axis."""

BAR = 13.0
_LEAST = 2.0
"""Of a bar: what took no time is still seen."""

_TEXT = 6.2
"""Of a character, about."""

_MOST_ROOM = 200.0
"""To the right of the axis, for what stands beside bars that end there."""

_MOST_TICKS = 7
_STEPS_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400)
_DAY_S = 86400


@dataclass(frozen=True, slots=True)
class Span:
    """What is known of a step, in seconds since the run began."""

    name: str
    status: str
    ready_s: float
    """Since when it only waited for room."""
    start_s: float | None
    """None: it has not begun."""
    end_s: float | None
    """None: it goes on, or has not begun."""
    told: str = ""
    """What stands beside its bar."""


@dataclass(frozen=True, slots=True)
class Row:
    """A step, in pixels from the upper left corner of the picture."""

    span: Span
    y: float
    """The middle of its bar."""
    wait: tuple[float, float] | None
    """From where to where it waited."""
    bar: tuple[float, float] | None
    """Where its bar begins, and how wide it is."""
    text_x: float
    is_text_left: bool
    """Whether the text ends there, as there is no room for it to the right."""


@dataclass(frozen=True, slots=True)
class Gantt:
    """The picture."""

    rows: tuple[Row, ...]
    ticks: tuple[tuple[float, float], ...]
    """Places on the axis, and their seconds."""
    now_x: float | None
    """Where now is; none: the run is over."""
    left: float
    width: float
    height: float


def draw_gantt(
    spans: Sequence[Span], length_s: float, *, goes_on: bool, left: float = 190, width: float = 1100
) -> Gantt:
    """Draw the steps of a run.

    Args:
        spans: one for each row, from top to bottom.
        length_s: how long the run took, or has taken so far.
        goes_on: whether it does.
        left: the width of the names.
        width: of all, names included.
    """
    ends = [each for span in spans for each in (span.ready_s, span.start_s, span.end_s) if each is not None]
    length_s = max(length_s, *ends, 0.001) if ends else max(length_s, 0.001)
    longest = max((len(span.told) for span in spans), default=0)
    room = 8 + min(_MOST_ROOM, longest * _TEXT + (8 if longest else 0))
    scale = (width - left - room) / length_s
    rows = tuple(
        _row(span, HEAD + place * ROW + ROW / 2, length_s, scale, left, width, goes_on=goes_on)
        for place, span in enumerate(spans)
    )
    step_s = tick_step(length_s)
    count = int(length_s / step_s * (1 + 1e-9)) + 1
    ticks = tuple((round(left + number * step_s * scale, 1), number * step_s) for number in range(count))
    now_x = round(left + length_s * scale, 1) if goes_on else None
    return Gantt(rows, ticks, now_x, left, width, HEAD + len(rows) * ROW + 4)


def tick_step(length_s: float) -> float:
    """Return the least round number of seconds that divides a length into few parts."""
    fitting = (step for step in _STEPS_S if length_s / step <= _MOST_TICKS)
    return next(fitting, _DAY_S * max(1.0, -(-length_s // (_DAY_S * _MOST_TICKS))))


def _row(span: Span, y: float, length_s: float, scale: float, left: float, width: float, *, goes_on: bool) -> Row:
    start_s = span.start_s
    waited_until = start_s if start_s is not None else (length_s if goes_on and span.status == "queued" else None)
    wait = None
    if waited_until is not None and waited_until > span.ready_s:
        wait = round(left + span.ready_s * scale, 1), round(left + waited_until * scale, 1)
    bar = None
    if start_s is not None:
        end_s = length_s if span.end_s is None else span.end_s
        long = min(max(_LEAST, (end_s - start_s) * scale), width - left)
        bar = round(min(left + start_s * scale, width - long), 1), round(long, 1)
    if bar is None:
        edge = left if wait is None else wait[1]
        start = left if wait is None else wait[0]
    else:
        edge, start = bar[0] + bar[1], bar[0] if wait is None else wait[0]
    fits = edge + 8 + len(span.told) * _TEXT <= width
    return Row(span, y, wait, bar, round(edge + 8 if fits else start - 8, 1), not fits)
