"""Layout: how tables and sentences fit a window, without losing or breaking a name, a key or a run's id.

The first column says what a row is about, so it stands whole beside all others. What does not fit gives way in this
order: columns of zeros are left out, texts are wrapped between their words, the last columns go under their row.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

GAP = 2
"""How many spaces stand between columns."""

_READABLE = 24
"""Down to this width the last text of a row is wrapped; a narrower one stands under the row."""


_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def visible(text: str) -> str:
    """Return a text with control characters spelled out, but for tabs and ends of lines.

    Names, values and logs may come from anybody who writes to the lake; a terminal would obey them.
    """
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


@dataclass(frozen=True, slots=True)
class Layout:
    """Which columns of a table stand where."""

    widths: dict[int, int]
    """How wide the columns beside each other are, by their place; the first is always among them."""
    below: tuple[int, ...]
    """The columns that stand under their row."""


def fit(
    headings: Sequence[str], widths: Sequence[int], pieces: Sequence[int], zeros: Iterable[int], width: int
) -> Layout:
    """Decide which columns of a table stand where.

    Args:
        headings: those of numbers end in `#`; numbers are never wrapped.
        widths: of each column, its longest text.
        pieces: of each column, the longest of what its texts are wrapped into: words, or the items of a list.
        zeros: the columns that are 0 in every row.
        width: the window's.
    """
    shown = list(range(len(headings)))
    for place in sorted(zeros, reverse=True):
        if place and _total(widths[each] for each in shown) > width:
            shown.remove(place)
    for count in range(len(shown), 0, -1):
        beside = shown[:count]
        found = {place: widths[place] for place in beside}
        for place, least in _least(headings, widths, pieces, beside):
            found[place] = max(least, found[place] - max(0, _total(found.values()) - width))
        if _total(found.values()) <= width:
            return Layout(found, tuple(shown[count:]))
    return Layout({0: widths[0]}, tuple(shown[1:]))


def wrapped(text: str, width: int) -> list[str]:
    """Return the lines of a sentence that fit a window, those after the first set in; no word is broken.

    A word that is longer than the window, such as a path, stands on a line of its own, whole.
    """
    if len(text) <= width:
        return [text]
    indent = text[: len(text) - len(text.lstrip())]
    return [
        line
        for paragraph in text.splitlines()
        for line in textwrap.wrap(
            paragraph,
            width,
            subsequent_indent=indent + " " * 2 * GAP,
            expand_tabs=False,
            replace_whitespace=False,
            break_long_words=False,
            break_on_hyphens=False,
        )
        or [""]
    ]


def _least(
    headings: Sequence[str], widths: Sequence[int], pieces: Sequence[int], beside: Sequence[int]
) -> Iterator[tuple[int, int]]:
    """Yield the columns that may be wrapped, the last first, with how narrow each may become."""
    for place in reversed(beside[1:]):
        if not headings[place].endswith("#"):
            is_last = place == len(headings) - 1
            yield place, max(pieces[place], min(widths[place], _READABLE)) if is_last else pieces[place]


def _total(widths: Iterable[int]) -> int:
    found = list(widths)
    return sum(found) + GAP * (len(found) - 1)
