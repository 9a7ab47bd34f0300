"""Contract: a model compiled for one schema, so that one pass over the data judges all that compiles.

A contract reads no data by itself. It gives aggregates to whoever scans or writes the rows, and turns a row of their
results into a verdict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from deltaworks.validation.problems import SchemaProblem
from deltaworks.validation.residual import ResidualCheck
from deltaworks.validation.rules import RESERVED_PREFIX, Rule, RuleKind
from deltaworks.validation.samples import with_samples
from deltaworks.validation.verdict import RuleResult, Verdict

ROWS = f"{RESERVED_PREFIX}rows"
"""The name of the row count among a contract's aggregates."""


@dataclass(frozen=True, slots=True, eq=False)
class Contract:
    """What the rows of one schema have to keep."""

    schema: pl.Schema
    problems: tuple[SchemaProblem, ...] = ()
    """Why no rows of this schema can keep it; with any, there are no rules."""
    rules: tuple[Rule, ...] = ()
    residual: tuple[ResidualCheck, ...] = ()

    def aggregates(self) -> list[pl.Expr]:
        """Return the row count and the failures of each rule, by names that no column of a user has.

        They mean the same in ``select`` as, for each group, in ``group_by(...).agg(...)``.
        """
        return [pl.len().alias(ROWS), *(rule.failures() for rule in self.rules)]

    def judge(self, row: Mapping[str, object], residual: Sequence[RuleResult] | None = None) -> Verdict:
        """Turn one row of the aggregates into a verdict.

        Args:
            row: by name; other names, such as those of a group, do no harm.
            residual: what `judge_residual` said of the same rows; None: it was not asked.
        """
        assert not self.problems, "a schema that does not fit is not judged"
        failures = {rule: _count(row[rule.key]) for rule in self.rules}
        results = [_result(rule, count) for rule, count in failures.items() if count]
        judged = len(self.rules)
        if residual is not None:
            results.extend(residual)
            judged += len(self.residual)
        return Verdict(_count(row[ROWS]), tuple(results), judged - len(results))

    def judge_no_rows(self) -> Verdict:
        """Judge a partition without rows, of which ``group_by`` says nothing. Includes the residual checks."""
        df = pl.DataFrame(schema=self.schema)
        return self.judge(df.select(self.aggregates()).row(0, named=True), self.judge_residual(df))

    def judge_residual(self, df: pl.DataFrame) -> tuple[RuleResult, ...]:
        """Run what did not compile, and return what did not pass, with samples."""
        results = (check.judge(df) for check in self.residual)
        return tuple(result for result in results if result is not None)

    def samples(
        self, df: pl.DataFrame | pl.LazyFrame, results: Sequence[RuleResult], n: int = 5
    ) -> tuple[RuleResult, ...]:
        """Return the results with up to ``n`` sample values each.

        Row rules show offending values, unique rules keys that occur more than once. Cost: one more pass over ``df``,
        which has to hold the rows that were judged and no others.
        """
        return with_samples(df.lazy(), self.rules, results, n)


def _count(value: object) -> int:
    assert isinstance(value, int), "an aggregate of a contract is a number"
    return value


def _result(rule: Rule, failures: int) -> RuleResult:
    failed_rows = None if rule.kind is RuleKind.AGGREGATE else failures
    return RuleResult(rule.column, rule.name, rule.severity, failed_rows)
