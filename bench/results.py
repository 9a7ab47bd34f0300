"""Results: what the rows of a bench come to, and which of them are wrong.

Only rows of one round are compared, since a machine is not equally busy twice; of several rounds the median counts. A
row whose fingerprint differs from that of the case's reference in its round is wrong, whatever it cost: it has no
figure and no ratio.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from rows import Row


@dataclass(frozen=True, slots=True)
class Results:
    """The rows of one or more benches."""

    rows: Sequence[Row]

    def ways(self, case: str) -> list[str]:
        """Return the ways in which a case was done, as they first came."""
        return list(dict.fromkeys(row.way for row in self.rows if row.case == case))

    def of(self, case: str, way: str) -> list[Row]:
        """Return the rows of a way, in their order."""
        return [row for row in self.rows if (row.case, row.way) == (case, way)]

    def wrong(self, case: str, reference: str | None) -> set[str]:
        """Return the ways that came to another table than the reference did, in any round."""
        true = {row.round: row.fingerprint for row in self.of(case, reference or "")}
        return {
            row.way
            for row in self.rows
            if row.case == case and row.fingerprint is not None and row.round in true
            if list(row.fingerprint) != list(true[row.round] or ())
        }

    def figure(self, case: str, way: str, name: str) -> float | None:
        """Return the median of a figure over a way's rounds; none if it has none."""
        found = [row.figures[name] for row in self.of(case, way) if name in row.figures]
        return statistics.median(found) if found else None

    def ratio(self, case: str, way: str, other: str, name: str) -> float | None:
        """Return the median, over the rounds that have both, of a way's figure by another's."""
        beside = {row.round: row.figures[name] for row in self.of(case, other) if row.figures.get(name)}
        pairs = [
            row.figures[name] / beside[row.round]
            for row in self.of(case, way)
            if name in row.figures and row.round in beside
        ]
        return statistics.median(pairs) if pairs else None
