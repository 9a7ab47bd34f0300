"""Broken: the rules that some rows break, each with a few of those rows, for people who look for the cause.

They are looked up only where something failed. They hold values of rows, so none of this enters a record.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NotRequired, TypeAlias, TypedDict

import polars as pl

from deltaworks.validation.printable import printable
from deltaworks.validation.residual import ResidualCheck
from deltaworks.validation.rules import RESERVED_PREFIX, Rule, RuleKind
from deltaworks.validation.verdict import RuleResult

PlainRow: TypeAlias = Mapping[str, object]
"""The values of a row by column, as JSON can hold them; what is long or nested is a short text."""

_ROW, _FIRST, _VALUE = (f"{RESERVED_PREFIX}{name}" for name in ("row", "first", "value"))
_NONE_TAKEN: Mapping[tuple[str | None, str], pl.Series] = {}
_MOST_COLUMNS = 10
"""How many columns of a row are shown; those that matter come first."""
_LONGEST_TEXT = 60


class BrokenRuleJson(TypedDict):
    """A broken rule for programs."""

    rule: str
    column: str | None
    severity: str
    failed_rows: int | None
    rows: int
    note: str | None
    samples: list[PlainRow]
    is_check: NotRequired[bool]


@dataclass(frozen=True, slots=True)
class BrokenRule:
    """A rule that did not pass, and rows that break it."""

    result: RuleResult
    rows: int
    """How many were judged."""
    samples: tuple[PlainRow, ...] = ()
    """Some that break it, the columns that the rule is about first; none where it says nothing of single rows."""

    def to_json(self) -> BrokenRuleJson:
        """Return it for programs; `note` is what more there is to say, such as why it could not be checked."""
        result = self.result
        found: BrokenRuleJson = {
            "rule": result.rule,
            "column": result.column,
            "severity": result.severity.value,
            "failed_rows": result.failed_rows,
            "rows": self.rows,
            "note": result.note if result.problem is None else f"could not be checked: {result.problem}",
            "samples": list(self.samples),
        }
        if result.is_check:
            found["is_check"] = True
        return found


def broken_rules(
    lf: pl.LazyFrame,
    parts: Iterable[Rule | ResidualCheck],
    results: Sequence[RuleResult],
    keys: Sequence[str],
    n: int,
    taken: Mapping[tuple[str | None, str], pl.Series] = _NONE_TAKEN,
) -> tuple[BrokenRule, ...]:
    """Return what the results are about, with up to ``n`` rows each.

    Args:
        lf: the rows that were judged.
        parts: the rules and checks that judged them.
        results: those that did not pass.
        keys: the columns that tell a row from others; they are shown next to those that a rule is about.
        n: how many rows.
        taken: by column and name of a rule that is judged over a whole table, the values at fault.
    """
    if not results:
        return ()
    by_name = {(part.column, part.name): part for part in parts}
    schema = lf.collect_schema()
    queries = [lf.select(pl.len())]
    places: dict[int, int] = {}
    for position, result in enumerate(results):
        part = by_name.get((result.column, result.rule))
        query = None
        if (result.column, result.rule) in taken and isinstance(part, Rule):
            query = _rows_that_have(lf, part, taken[result.column, result.rule])
        elif part is not None and not result.problem:
            query = _rows_that_break(lf, part)
        if query is not None and part is not None:
            places[position] = len(queries)
            queries.append(query.select(_shown(part, schema, keys)).head(n))
    count, *found = pl.collect_all(queries, engine="streaming")
    return tuple(
        BrokenRule(
            result,
            count.item(),
            _plain_rows(found[places[position] - 1]) if position in places else (),
        )
        for position, result in enumerate(results)
    )


def _rows_that_break(lf: pl.LazyFrame, part: Rule | ResidualCheck) -> pl.LazyFrame | None:
    """Query the rows that break a rule, in their order; of a key that occurs more than once all rows together."""
    if isinstance(part, ResidualCheck):
        df = lf.collect()
        is_broken = part.judge(df).is_broken
        return None if is_broken is None else df.filter(is_broken).lazy()
    match part.kind:
        case RuleKind.ROW:
            # The rule is evaluated before rows are left out: it may look at other rows, as `x > x.mean()` does.
            return lf.with_columns(part.is_broken()).filter(part.key)
        case RuleKind.UNIQUE:
            rows = lf.with_row_index(_ROW).with_columns(part.is_broken()).filter(part.key)
            first = pl.col(_ROW).min().over(part.expression).alias(_FIRST)
            return rows.with_columns(first).sort(_FIRST, _ROW)
        case RuleKind.AGGREGATE:
            return None


def _rows_that_have(lf: pl.LazyFrame, rule: Rule, values: pl.Series) -> pl.LazyFrame:
    wanted = values.alias(_VALUE).to_frame().lazy()
    return lf.join(wanted, left_on=rule.expression, right_on=_VALUE, how="semi", nulls_equal=True)


def _shown(part: Rule | ResidualCheck, schema: pl.Schema, keys: Sequence[str]) -> list[str]:
    """Return the columns that are shown of a row: what the rule is about, the keys, then the others in their order."""
    about = [part.column] if part.column is not None else _roots(part)
    return [name for name in dict.fromkeys((*about, *keys, *schema)) if name in schema][:_MOST_COLUMNS]


def _roots(part: Rule | ResidualCheck) -> list[str]:
    return part.expression.meta.root_names() if isinstance(part, Rule) else []


def _plain_rows(df: pl.DataFrame) -> tuple[PlainRow, ...]:
    return tuple({name: _plain(value) for name, value in row.items()} for row in df.iter_rows(named=True))


def _plain(value: object) -> object:
    match value:
        case None | bool() | int():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case str():
            return value if len(value) <= _LONGEST_TEXT else f"{value[: _LONGEST_TEXT - 3]}..."
        case dt.date() | dt.time():
            return value.isoformat()
        case _:
            return printable(value)
