"""Ration: of what is told each time while a run goes on, so much is told; the rest stands in the run's log."""

from __future__ import annotations

from collections import Counter
from typing import Final

MOST: Final = 20
"""How many lines of a kind are told."""


class Ration:
    """Of one run."""

    def __init__(self) -> None:
        self._told: Counter[str] = Counter()

    def of(self, kind: str, line: str) -> str | None:
        """Return what to tell for a line: itself, that there are more, or nothing any more.

        Args:
            kind: what lines are counted with, in the plural.
            line: what happened.
        """
        self._told[kind] += 1
        if self._told[kind] <= MOST:
            return line
        return f"more {kind} stand in the run's log: `deltaworks runs logs`" if self._told[kind] == MOST + 1 else None
