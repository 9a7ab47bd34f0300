"""Rules: conditions on rows as Polars expressions, each with the number that says how often it does not hold."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import polars as pl

from deltaworks.validation.on_fail import Reaction, Severity

RESERVED_PREFIX = "__deltaworks_"
"""What the names of aggregates begin with, and no column's name does."""


class RuleKind(StrEnum):
    """What a rule's expression gives."""

    ROW = "row"
    """One Boolean a row: whether it keeps the rule."""
    AGGREGATE = "aggregate"
    """One Boolean for all rows."""
    UNIQUE = "unique"
    """The value of each row that no other row may have. Null equals null, and NaN equals NaN."""


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """A condition that is counted in the same pass as the data is written."""

    column: str | None
    """None: the whole frame."""
    name: str
    """Unique among the rules of the column."""
    kind: RuleKind
    reaction: Reaction
    expression: pl.Expr
    """Never null, except that a unique value may be."""
    key: str = ""
    """The name of its output among the aggregates of its contract."""
    adds_up: bool = False
    """Whether it surely looks at one row at a time, so that its failures in parts of some rows add up to those in all;
    of what authors write that is not known."""

    @property
    def severity(self) -> Severity:
        """What it means for the rows if it does not hold."""
        return self.reaction.severity

    def is_broken(self) -> pl.Expr:
        """Return whether each row breaks the rule, named ``key``; every row of a value that is not unique does."""
        assert self.kind is not RuleKind.AGGREGATE, "what is judged over all rows says nothing of one"
        broken = self.expression.is_duplicated() if self.kind is RuleKind.UNIQUE else self.expression.not_()
        return broken.alias(self.key)

    def failures(self) -> pl.Expr:
        """Return the aggregate that is 0 if the rule holds, named ``key``."""
        match self.kind:
            case RuleKind.ROW:
                count = self.expression.not_().sum()
            case RuleKind.AGGREGATE:
                count = self.expression.not_().cast(pl.UInt32)
            case RuleKind.UNIQUE if self.severity.takes_out:
                count = self.is_broken().sum()
            case RuleKind.UNIQUE:
                count = pl.len() - self.expression.n_unique()
        return count.alias(self.key)


def not_null(column: str, dtype: pl.DataType) -> pl.Expr:
    """Return whether a value is there; NaN counts as null, as it does for pandera."""
    there = pl.col(column).is_not_null()
    return there & pl.col(column).is_not_nan() if isinstance(dtype, pl.Float32 | pl.Float64) else there


def one_of(column: str, texts: tuple[str, ...], *, null_passes: bool) -> pl.Expr:
    """Return whether a text is one of a few."""
    return pl.any_horizontal(pl.col(column) == text for text in texts).fill_null(null_passes)


def distinct(columns: tuple[str, ...]) -> pl.Expr:
    """Return the value of each row that has to be unique."""
    return pl.col(columns[0]) if len(columns) == 1 else pl.struct(*columns)
