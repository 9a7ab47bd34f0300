"""Residual: checks that do not compile, run one by one by pandera on an eager frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandera.polars as pa
import polars as pl

from deltaworks.validation.capture import NotCaptured
from deltaworks.validation.on_fail import Reaction, Severity
from deltaworks.validation.printable import printable
from deltaworks.validation.verdict import RuleResult

_SAMPLES = 5


@dataclass(frozen=True, slots=True, eq=False)
class ResidualOutcome:
    """What came of running one check on some rows."""

    check: ResidualCheck
    result: RuleResult | None
    """None: it passed."""
    is_broken: pl.Series | None = None
    """Whether each row breaks it (Boolean); none: it passed, or says nothing of single rows."""


@dataclass(frozen=True, slots=True, eq=False)
class ResidualCheck:
    """A check that cannot join the one pass, so that it costs a frame in memory."""

    column: str | None
    """None: the whole frame."""
    name: str
    """Unique among the rules of the column."""
    reaction: Reaction
    reason: str
    """Ends a sentence like "it is run apart because it ..."."""
    broken: bool
    """It cannot hold for any data of this schema, which is worth saying before there is any."""
    check: pa.Check
    sees_only_its_column: bool
    """Pandera shows it no other column of the frame."""
    key: str = ""
    """The name of what it says of each row, among the columns of its contract."""

    @property
    def severity(self) -> Severity:
        """What it means for the rows if it does not hold."""
        return self.reaction.severity

    def judge(self, df: pl.DataFrame) -> ResidualOutcome:
        """Run the check. One that raises fails, as for pandera, even if it was only to warn.

        So does one that is to leave rows out and does not say which.
        """
        try:
            outcome, passed = self.evaluate(df)
            if passed.item():
                return ResidualOutcome(self, None)
            kept = outcome.check_output.collect().to_series()
            offending: pl.DataFrame | None = None
            if outcome.failure_cases is not None:
                offending = outcome.failure_cases.drop(kept.name, strict=False).head(_SAMPLES).collect()
        except Exception as error:  # noqa: BLE001 - an author's function may raise anything, as part of its verdict
            return ResidualOutcome(self, self._raised(error))
        if offending is None or kept.len() != df.height:
            return ResidualOutcome(self, self._says_nothing_of_rows() if self.severity.takes_out else self._failed())
        values = offending.to_series().to_list() if self.column is not None else offending.to_dicts()
        is_broken = kept.not_().fill_null(False).alias(self.key)
        result = self._failed(is_broken.sum(), tuple(printable(value) for value in values))
        return ResidualOutcome(self, result, is_broken)

    def evaluate(self, df: pl.DataFrame) -> tuple[Any, pl.DataFrame]:
        """Run the check; return pandera's answer, and a frame with one Boolean: whether it holds.

        Raises:
            Exception: whatever the author's function does.
        """
        lf = df.lazy()
        outcome: Any = self.check(lf.select(self.column) if self.sees_only_its_column else lf, self.column)
        return outcome, outcome.check_passed.collect()

    def _failed(self, failed_rows: int | None = None, samples: tuple[str, ...] = ()) -> RuleResult:
        more = failed_rows is not None and failed_rows > len(samples)
        return RuleResult(self.column, self.name, self.severity, failed_rows, samples, more_samples=more)

    def _says_nothing_of_rows(self) -> RuleResult:
        problem = f"it says nothing of single rows, so none can be left out by {self.severity.value!r}"
        return RuleResult(self.column, self.name, Severity.FAIL, failed_rows=None, problem=problem)

    def _raised(self, error: Exception) -> RuleResult:
        return RuleResult(self.column, self.name, Severity.FAIL, failed_rows=None, problem=raised(error))


def raised(error: Exception) -> str:
    """Return the problem of a rule that raised."""
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"


def runnable(check: pa.Check, why: NotCaptured) -> pa.Check:
    """Return a check that pandera can run; a function that gives back a bare expression is told to select it."""
    expression = why.expression
    if expression is None:
        return check

    def selected(data: pa.PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(expression)

    return pa.Check(selected, name=check.name, ignore_na=check.ignore_na)
