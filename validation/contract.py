"""Contract: a model compiled for one schema, so that one pass over the data judges all that compiles.

A contract reads no data by itself. It gives aggregates to whoever scans or writes the rows, and turns a row of their
results into a verdict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import polars as pl

from deltaworks.validation.broken import BrokenRule, broken_rules
from deltaworks.validation.model import UniqueScope
from deltaworks.validation.on_fail import Severity
from deltaworks.validation.problems import SchemaProblem
from deltaworks.validation.residual import ResidualCheck, ResidualOutcome, raised
from deltaworks.validation.rules import RESERVED_PREFIX, Rule, RuleKind
from deltaworks.validation.samples import with_samples
from deltaworks.validation.sieve import Sieve, Total
from deltaworks.validation.verdict import RuleResult, Verdict

ROWS = f"{RESERVED_PREFIX}rows"
"""The name of the row count among a contract's aggregates."""


@dataclass(frozen=True, eq=False)
class Contract:
    """What the rows of one schema have to keep."""

    schema: pl.Schema
    problems: tuple[SchemaProblem, ...] = ()
    """Why no rows of this schema can keep it; with any, there are no rules."""
    rules: tuple[Rule, ...] = ()
    residual: tuple[ResidualCheck, ...] = ()
    totals: tuple[Total, ...] = ()
    """The budgets that several rules share."""
    unique_scope: UniqueScope = UniqueScope.PARTITION

    def aggregates(self) -> list[pl.Expr]:
        """Return the row count and the failures of each rule, by names that no column of a user has.

        They mean the same in ``select`` as, for each group, in ``group_by(...).agg(...)``.
        """
        return [pl.len().alias(ROWS), *(rule.failures() for rule in self.rules)]

    def aggregates_of_parts(self) -> list[pl.Expr]:
        """Return the aggregates that can be taken of parts of the rows and added up."""
        return [pl.len().alias(ROWS), *(rule.failures() for rule in self.rules if rule.adds_up)]

    def aggregates_of_all(self) -> list[pl.Expr]:
        """Return the other aggregates, which have to see all rows at once."""
        return [rule.failures() for rule in self.rules if not rule.adds_up]

    def added_up(self) -> list[pl.Expr]:
        """Return the aggregates over rows of `aggregates_of_parts`, each by the name that it has there."""
        keys = [ROWS, *(rule.key for rule in self.rules if rule.adds_up)]
        return [pl.col(key).cast(pl.Int64).sum() for key in keys]

    def aggregates_apart(self, lf: pl.LazyFrame) -> dict[str, object]:
        """Return the row of the aggregates over rows on which computing them together raises.

        Each is computed by itself. What raised has a sentence in the place of its number, and `judge` knows it.
        """
        row: dict[str, object] = {ROWS: lf.select(pl.len()).collect(engine="streaming").item()}
        for rule in self.rules:
            try:
                row[rule.key] = lf.select(rule.failures()).collect(engine="streaming").item()
            except pl.exceptions.PolarsError as error:
                row[rule.key] = raised(error)
        return row

    def judge(self, row: Mapping[str, object], residual: Sequence[ResidualOutcome] | None = None) -> Verdict:
        """Turn one row of the aggregates into a verdict on all rows.

        Args:
            row: by name; other names, such as those of a group, do no harm. A rule that raised, as `aggregates_apart`
                tells, fails even if it was only to warn.
            residual: what `judge_residual` said of the same rows; None: it was not asked.
        """
        assert not self.problems, "a schema that does not fit is not judged"
        results = [_result(rule, row[rule.key]) for rule in self.rules if row[rule.key] != 0]
        judged = len(self.rules)
        if residual is not None:
            results.extend(outcome.result for outcome in residual if outcome.result is not None)
            judged += len(self.residual)
        return Verdict(_count(row[ROWS]), tuple(results), judged - len(results))

    def judge_no_rows(self) -> Verdict:
        """Judge a partition without rows, of which ``group_by`` says nothing. Includes the residual checks."""
        df = pl.DataFrame(schema=self.schema)
        return self.judge(df.select(self.aggregates()).row(0, named=True), self.judge_residual(df))

    def judge_residual(self, df: pl.DataFrame) -> tuple[ResidualOutcome, ...]:
        """Run what did not compile."""
        return tuple(check.judge(df) for check in self.residual)

    @property
    def table_keys(self) -> tuple[Rule, ...]:
        """The rules whose values have to be unique in the whole table, not only in their partition."""
        if self.unique_scope is UniqueScope.PARTITION:
            return ()
        return tuple(rule for rule in self.rules if rule.kind is RuleKind.UNIQUE)

    @cached_property
    def sieve(self) -> Sieve:
        """The rules that leave rows out."""
        parts: tuple[Rule | ResidualCheck, ...] = (*self.rules, *self.residual)
        return Sieve(tuple(part for part in parts if part.severity.takes_out), self.totals)

    def stopped(self, verdict: Verdict) -> tuple[RuleResult, ...]:
        """Return what forbids a commit whichever rows are left out, of a verdict on all rows.

        A single row that breaks a rule which fails does, and so does more to leave out than a budget allows. What is
        judged over all rows is judged again on those that are left.
        """
        over_all = {(rule.column, rule.name) for rule in self.rules if rule.kind is not RuleKind.ROW}
        stopping = [
            result
            for result in verdict.failed
            if result.problem or (result.failed_rows is not None and (result.column, result.rule) not in over_all)
        ]
        budgets = {(part.column, part.name): part.reaction.budget for part in self.sieve.parts}
        for result in verdict.taken_out:
            excess = budgets[result.column, result.rule].excess(result.failed_rows or 0, verdict.rows)
            if excess is not None:
                stopping.append(replace(result, severity=Severity.FAIL, note=f"but {excess}"))
        return tuple(stopping)

    def judge_left(self, before: Verdict, left: Verdict) -> Verdict:
        """Return the verdict on rows of which some were left out.

        Args:
            before: that on all of them.
            left: that on those that are left, by the same rules.
        """
        again = (
            replace(
                result,
                severity=Severity.FAIL,
                note="once others were left out: it looks at other rows than its own",
            )
            if result.severity.takes_out
            else result
            for result in left.results
        )
        results = (*before.taken_out, *again)
        return Verdict(left.rows, results, len(self.rules) + len(self.residual) - len(results))

    def samples(
        self, df: pl.DataFrame | pl.LazyFrame, results: Sequence[RuleResult], n: int = 5
    ) -> tuple[RuleResult, ...]:
        """Return the results with up to ``n`` sample values each.

        Row rules show offending values, unique rules keys that occur more than once. Cost: one more pass over ``df``,
        which has to hold the rows that were judged and no others.
        """
        return with_samples(df.lazy(), self.rules, results, n)

    def broken(
        self,
        df: pl.DataFrame | pl.LazyFrame,
        results: Sequence[RuleResult],
        keys: Sequence[str],
        n: int = 3,
        taken: Mapping[tuple[str | None, str], pl.Series] | None = None,
    ) -> tuple[BrokenRule, ...]:
        """Return the results with up to ``n`` rows each that break the rule.

        Of a row the columns that the rule is about come first, then ``keys`` and those that have to be unique. Cost:
        one more pass over ``df``, the rows that were judged, and the checks that do not compile are run again.

        Args:
            df: the rows.
            results: what did not pass.
            keys: columns.
            n: how many rows.
            taken: of rules that are judged over the whole table, by column and name, the values that others have.
        """
        unique = (rule.expression.meta.root_names() for rule in self.rules if rule.kind is RuleKind.UNIQUE)
        telling = [*keys, *(name for names in unique for name in names)]
        return broken_rules(df.lazy(), (*self.rules, *self.residual), results, telling, n, taken or {})


def _count(value: object) -> int:
    assert isinstance(value, int), "an aggregate of a contract is a number"
    return value


def _result(rule: Rule, found: object) -> RuleResult:
    if isinstance(found, str):
        return RuleResult(rule.column, rule.name, Severity.FAIL, failed_rows=None, problem=found)
    failures = _count(found)
    failed_rows = None if rule.kind is RuleKind.AGGREGATE else failures
    return RuleResult(rule.column, rule.name, rule.severity, failed_rows)
