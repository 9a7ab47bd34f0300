"""Samples: some values that break a rule, looked up in a second pass and only when one did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from deltaworks.validation.printable import printable
from deltaworks.validation.rules import Rule, RuleKind
from deltaworks.validation.verdict import RuleResult

_VALUE = "value"
_KEPT = "kept"


def with_samples(
    lf: pl.LazyFrame, rules: Sequence[Rule], results: Sequence[RuleResult], n: int
) -> tuple[RuleResult, ...]:
    """Return the results with up to ``n`` samples each; those that have no values to show stay as they are."""
    by_name = {(rule.column, rule.name): rule for rule in rules}
    queries: dict[int, pl.LazyFrame] = {}
    for position, result in enumerate(results):
        rule = by_name.get((result.column, result.rule))
        query = None if rule is None or result.problem else _offending(lf, rule)
        if query is not None:
            queries[position] = query.head(n + 1)
    values = dict(zip(queries, pl.collect_all(list(queries.values()), engine="streaming"), strict=True))
    return tuple(
        _with_values(result, values[position].to_series(), n) if position in values else result
        for position, result in enumerate(results)
    )


def _with_values(result: RuleResult, values: pl.Series, n: int) -> RuleResult:
    shown = tuple(printable(value) for value in values.head(n))
    return replace(result, samples=shown, more_samples=values.len() > n)


def _offending(lf: pl.LazyFrame, rule: Rule) -> pl.LazyFrame | None:
    """Query the values that break a rule, or the keys that occur more than once, in the order of the rows."""
    match rule.kind:
        case RuleKind.ROW:
            value = _shown_value(rule)
            if value is None:
                return None
            # The rule is evaluated before rows are left out: it may look at other rows, as `x > x.mean()` does.
            rows = lf.select(value.alias(_VALUE), rule.expression.alias(_KEPT))
            return rows.filter(~pl.col(_KEPT)).select(_VALUE)
        case RuleKind.UNIQUE:
            values = lf.select(rule.expression.alias(_VALUE))
            return values.filter(pl.col(_VALUE).is_duplicated()).unique(maintain_order=True)
        case RuleKind.AGGREGATE:
            return None


def _shown_value(rule: Rule) -> pl.Expr | None:
    if rule.column is not None:
        return pl.col(rule.column)
    names = dict.fromkeys(rule.expression.meta.root_names())
    return pl.struct(*names) if names else None
