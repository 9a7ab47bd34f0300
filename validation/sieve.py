"""Sieve: separates the rows of one partition that break rules which leave them out from those that stay.

It is needed only where a pass over the rows has found such ones. Every rule is evaluated on all rows, before any is
left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from deltaworks.validation.on_fail import Budget, Severity
from deltaworks.validation.residual import ResidualCheck, ResidualOutcome
from deltaworks.validation.rules import RESERVED_PREFIX, Rule
from deltaworks.validation.verdict import RuleResult

REJECTED_BY = "_rejected_by"
"""The column, a list of texts, that tells of a quarantined row which rules it breaks."""

_ROWS = f"{RESERVED_PREFIX}rows"
_TAKEN = f"{RESERVED_PREFIX}taken"


@dataclass(frozen=True, slots=True)
class Total:
    """The budget of all rules of a column, or of all rules of a model."""

    owner: str
    """For messages."""
    columns: tuple[str, ...] | None
    """None: every column, and the frame itself."""
    budget: Budget


@dataclass(frozen=True, slots=True, eq=False)
class Sieve:
    """The rules of a contract that leave rows out."""

    parts: tuple[Rule | ResidualCheck, ...]
    totals: tuple[Total, ...]

    def marked(self, lf: pl.LazyFrame, residual: Sequence[ResidualOutcome] = ()) -> pl.LazyFrame:
        """Return rows with a Boolean column for each rule: whether they break it.

        Args:
            lf: all rows of one partition, in the order in which the residual checks saw them.
            residual: what came of running those.
        """
        said = {outcome.check.key: outcome.is_broken for outcome in residual}
        marked = lf.with_columns(part.is_broken() for part in self.parts if isinstance(part, Rule))
        checks = [part for part in self.parts if isinstance(part, ResidualCheck)]
        if not checks:
            return marked
        broken = [said.get(check.key) for check in checks]
        columns = zip(checks, broken, strict=True)
        return (
            marked.collect()
            .with_columns(pl.lit(False).alias(check.key) if series is None else series for check, series in columns)
            .lazy()
        )

    def kept(self, marked: pl.LazyFrame) -> pl.LazyFrame:
        """Return the rows that break none of the rules, as they came."""
        return marked.filter(~self._breaks_any(self.parts)).drop(part.key for part in self.parts)

    def quarantined(self, marked: pl.LazyFrame) -> pl.LazyFrame:
        """Return the rows that break a rule which quarantines them, as they came, with the column ``REJECTED_BY``.

        It names every rule of the sieve that a row breaks.
        """
        quarantining = [part for part in self.parts if part.severity is Severity.QUARANTINE]
        names = pl.concat_list([pl.when(part.key).then(pl.lit(label(part))) for part in self.parts]).list.drop_nulls()
        rows = marked.filter(self._breaks_any(quarantining)).with_columns(names.alias(REJECTED_BY))
        return rows.drop(part.key for part in self.parts)

    def overdrawn(self, marked: pl.LazyFrame) -> Iterator[RuleResult]:
        """Yield, for each budget of several rules that leaving the rows out exceeds, a result that forbids the commit.

        Cost: one pass over the rows if there is such a budget.
        """
        if not self.totals:
            return
        counts = [self._breaks_any(self._of(total)).sum().alias(f"{_TAKEN}{n}") for n, total in enumerate(self.totals)]
        found = marked.select(pl.len().alias(_ROWS), *counts).collect(engine="streaming").row(0, named=True)
        for number, total in enumerate(self.totals):
            taken: int = found[f"{_TAKEN}{number}"]
            excess = total.budget.excess(taken, found[_ROWS])
            if excess is not None:
                column = total.columns[0] if total.columns is not None and len(total.columns) == 1 else None
                yield RuleResult(column, f"rules of {total.owner}", Severity.FAIL, taken, note=f"but {excess}")

    def _of(self, total: Total) -> list[Rule | ResidualCheck]:
        return [part for part in self.parts if total.columns is None or part.column in total.columns]

    def _breaks_any(self, parts: Sequence[Rule | ResidualCheck]) -> pl.Expr:
        return pl.any_horizontal([pl.lit(False), *(pl.col(part.key) for part in parts)])


def label(part: Rule | ResidualCheck | RuleResult) -> str:
    """Return the text that stands for a rule beside a row."""
    name = part.rule if isinstance(part, RuleResult) else part.name
    return f"{part.column or 'table'}: {name}"
