"""Random cases: a model, the same for pandera, and a frame that more or less keeps it. A seed makes the same again."""

from __future__ import annotations

import random
from typing import Any

import pandera.polars as pa
import polars as pl

from tests.validation.kinds import KINDS, Kind, Says, Written, selecting

Rule = tuple[str | None, str]
"""The column and the name of a rule."""

FAMILIAR = ("integer", "float", "text", "flag")
PATTERN = r"^x_\d+$"
PATTERN_NAMES = ("x_1", "x_2")
RETYPED = (pl.Int8(), pl.Int64(), pl.Float64(), pl.String(), pl.Datetime("us"), pl.Decimal(9, 2), pl.Boolean())


class Case:
    """A random schema and a random frame that has its columns."""

    def __init__(self, seed: int, *, coerced_share: float = 0.15) -> None:
        self.random = random.Random(seed)
        self.checks_made = 0
        self.says: dict[str, Says] = {}
        """By the name of a check."""
        self.is_strict, self.is_ordered = self.chance(0.3), self.chance(0.3)
        self.is_coerced = self.chance(coerced_share)
        self.leaves_out = self.chance(0.5)
        """Whether rules may leave rows out."""
        wide = self.chance(0.15)
        self.most_checks = 3 if wide else 2
        kinds = {f"c{n}": KINDS[self.kind_name()] for n in range(self.random.randint(1, 4 if wide else 2))}
        columns = {name: self.columns(name, kind) for name, kind in kinds.items()}
        if self.chance(0.1):
            kind = KINDS[self.kind_name()]
            kinds |= dict.fromkeys(PATTERN_NAMES, kind)
            columns[PATTERN] = self.columns(PATTERN, kind)
        rows = self.pick(0, 1, 2, 5, 5, 5, 20, 20, 100 if wide else 5)
        self.df = pl.DataFrame([self.series(name, kind, rows) for name, kind in kinds.items()])
        frame_checks = self.frame_checks(list(kinds))
        named = {"unique": self.severity(Says.ROWS)}
        named |= {str(check.ours.name): self.severity(check.says) for check in frame_checks}
        keys = [next(iter(kinds)), list(kinds)[-1]] if len(kinds) > 1 and self.chance(0.2) else None
        own = {name: severity for name, severity in named.items() if severity and (keys or name != "unique")}
        options: dict[str, Any] = {
            "unique": keys,
            "strict": self.is_strict,
            "ordered": self.is_ordered,
            "coerce": self.is_coerced and self.chance(0.5),
        }
        self.theirs = pa.DataFrameSchema(
            {name: theirs for name, (_, theirs) in columns.items()},
            checks=[check.theirs for check in frame_checks],
            **options,
        )
        ours = pa.DataFrameSchema(
            {name: ours for name, (ours, _) in columns.items()},
            checks=[check.ours for check in frame_checks],
            **options,
        )
        self.model: type = type(
            "Random",
            (pa.DataFrameModel,),
            {
                "to_schema": classmethod(lambda _: ours),
                "Config": type("Config", (), {"metadata": {"on_fail": own}}),
            },
        )

    def pick(self, *choices: Any) -> Any:
        return self.random.choice(choices)

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def kind_name(self) -> str:
        return self.pick(*FAMILIAR) if self.chance(0.3) else self.pick(*KINDS)

    def severity(self, says: Says) -> str | None:
        """What is to follow if a rule does not hold; none: what follows without a word."""
        if not self.leaves_out:
            return None
        return self.pick(None, "warn") if says is Says.ALL else self.pick(None, "warn", "drop", "quarantine")

    def series(self, name: str, kind: Kind, rows: int) -> pl.Series:
        null_share = self.pick(0, 0, 0.2)
        pool = kind.pool if self.chance(0.4) else self.random.sample(list(kind.pool), min(3, len(kind.pool)))
        values = [None if self.chance(null_share) else self.random.choice(pool) for _ in range(rows)]
        return pl.Series(name, values, kind.dtype)

    def columns(self, name: str, kind: Kind) -> tuple[pa.Column, pa.Column]:
        """A column for us, and the same for pandera."""
        checks = [self.check(kind) for _ in range(self.random.randint(0, self.most_checks))]
        nullable, unique = self.chance(0.5), self.chance(0.15)
        on_fail = {"not_null": self.severity(Says.EACH_ROW)} if not nullable else {}
        on_fail |= {"unique": self.severity(Says.ROWS)} if unique else {}
        on_fail |= {str(check.ours.name): self.severity(check.says) for check in checks if not check.ours.raise_warning}
        metadata = {"on_fail": {rule: severity for rule, severity in on_fail.items() if severity}}
        options = {"nullable": nullable, "unique": unique, "regex": name == PATTERN, "coerce": self.is_coerced}
        return (
            pa.Column(kind.dtype, [check.ours for check in checks], metadata=metadata, **options),
            pa.Column(kind.dtype, [check.theirs for check in checks], **options),
        )

    def check(self, kind: Kind) -> Written:
        options = {"ignore_na": self.chance(0.75), "raise_warning": self.chance(0.1), "name": self.next_name()}
        written = self.pick(*kind.makers(self.random, kind))(options)
        self.says[options["name"]] = written.says
        return written

    def next_name(self) -> str:
        self.checks_made += 1
        return f"check {self.checks_made}"

    def frame_checks(self, names: list[str]) -> list[Written]:
        first, last = names[0], names[-1]
        all_there = selecting(lambda _: pl.all().is_not_null(), Says.ALL)
        makers = [
            selecting(lambda _: pl.len() <= 10, Says.ALL),
            selecting(lambda _: pl.len() <= 10, Says.ALL, bare=True),
            selecting(lambda _: pl.col(first).is_not_null() | pl.col(last).is_not_null()),
            selecting(lambda _: pl.col(first) == pl.col(last), bare=True),
            selecting(lambda _: pl.col(first).n_unique() >= pl.col(last).n_unique(), Says.ALL),
            all_there,
        ]
        if not self.chance(0.25):
            return []
        options = {"ignore_na": self.chance(0.5), "name": self.next_name()}
        written = self.pick(*makers)(options)
        self.says[options["name"]] = written.says
        return [written]

    def deformed(self) -> pl.DataFrame:
        """Return the frame without a column, with another, in another order, with another dtype, or as it is."""
        name = self.pick(*self.df.columns)
        retyped = self.df.with_columns(pl.lit(None, self.pick(*KINDS.values()).dtype).alias(name))
        turned = self.df.select(reversed(self.df.columns))
        return self.pick(self.df, self.df.drop(name), self.df.with_columns(more=1), retyped, turned)

    def uncast(self) -> pl.DataFrame:
        """Return the frame with a column of another dtype, as far as its values go there.

        Pandera does not cast long texts to decimals; see `WRONG` beside the laws.
        """
        name, dtype = self.pick(*self.df.columns), self.pick(*RETYPED)
        if isinstance(self.df.schema[name], pl.Decimal) and dtype == pl.String:
            return self.df
        try:
            return self.df.with_columns(pl.col(name).cast(dtype, strict=False))
        except pl.exceptions.PolarsError:
            return self.df
