"""Compiled contracts say what pandera says, on random schemas and frames.

Every case is a seed, so a failure names the case to run again. `DELTAWORKS_EQUIVALENCE_CASES` sets how many there are.
"""

import os
import random
import warnings
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pandera.polars as pa
import polars as pl
import pytest
from pandera.errors import SchemaError, SchemaErrors, SchemaWarning

from deltaworks.validation import Contract, RuleKind, compile_contract

CASES = int(os.environ.get("DELTAWORKS_EQUIVALENCE_CASES", "300"))

DTYPES = {
    "integer": pl.Int64(),
    "float": pl.Float64(),
    "text": pl.String(),
    "instant": pl.Datetime("us"),
    "flag": pl.Boolean(),
}
NEW_YEAR = datetime(2024, 1, 1)  # noqa: DTZ001 - naive, as the dtype is

Identity = tuple[str | None, str]
"""The column and the name of a rule."""


@pytest.mark.parametrize("seed", range(CASES))
def test_a_contract_fails_the_same_rules_for_the_same_number_of_rows(seed):
    case = Case(random.Random(seed))
    try:
        expected, expected_warnings = pandera_verdict(case.schema, case.df)
    except pl.exceptions.SchemaError:
        pytest.skip("pandera cannot report a check that returned False beside another that failed")

    contract = compile_contract(model_of(case.schema), case.df.schema)
    engine = case.random.choice(["streaming", "in-memory"])
    row = case.df.lazy().select(contract.aggregates()).collect(engine=engine).row(0, named=True)
    verdict = contract.judge(row, contract.judge_residual(case.df))

    kinds = {(rule.column, rule.name): rule.kind for rule in contract.rules}
    found = {(result.column, result.rule): result.failed_rows for result in verdict.failed}
    assert verdict.rows == case.df.height
    assert set(found) == set(expected)
    for rule, count in found.items():
        if kinds.get(rule) is RuleKind.ROW:
            assert count == expected[rule], rule
    assert len(verdict.warned) == expected_warnings
    assert verdict.passed + len(verdict.results) == len(contract.rules) + len(contract.residual)


@pytest.mark.parametrize("seed", range(0, CASES, 6))
def test_a_contract_judges_groups_as_it_judges_each_of_them_alone(seed):
    case = Case(random.Random(seed))
    df = case.df.with_columns(
        part=pl.Series([case.random.choice("abc") for _ in range(case.df.height)], dtype=pl.String)
    )
    contract = compile_contract(model_of(case.schema), df.schema)
    alone = {part: verdict_on(contract, rows) for (part,), rows in df.partition_by("part", as_dict=True).items()}

    for engine in ("streaming", "in-memory"):
        grouped = df.lazy().group_by("part").agg(contract.aggregates()).collect(engine=engine)
        assert {row["part"]: contract.judge(row) for row in grouped.to_dicts()} == alone


@pytest.mark.parametrize("seed", range(0, CASES, 6))
def test_the_problems_of_a_schema_are_those_that_pandera_sees(seed):
    case = Case(random.Random(seed), strict=True)
    df = case.deformed()

    problems = compile_contract(model_of(case.schema), df.schema).problems

    expected = pandera_schema_problems(case.schema, df)
    assert bool(problems) == bool(expected)
    assert expected <= {problem.column for problem in problems}


def test_the_cases_are_worth_running():
    met = Counter[str]()
    for seed in range(60):
        case = Case(random.Random(seed))
        contract = compile_contract(model_of(case.schema), case.df.schema)
        kinds = {(rule.column, rule.name): rule.kind for rule in contract.rules}
        verdict = verdict_on(contract, case.df)
        met.update(f"{kinds[result.column, result.rule]} failed" for result in verdict.results)
        met["passed"] += verdict.passed
        met["residual failed"] += sum(each.result is not None for each in contract.judge_residual(case.df))
        met["residual"] += len(contract.residual)
        met["pattern"] += sum((rule.column or "").startswith("x_") for rule in contract.rules)

    assert met["row failed"] > 60
    assert met["aggregate failed"] > 3
    assert met["unique failed"] > 6
    assert met["residual failed"] > 6
    assert met["residual"] > met["residual failed"]
    assert met["pattern"] > 15
    assert met["passed"] > 150


def verdict_on(contract: Contract, df: pl.DataFrame):
    return contract.judge(df.select(contract.aggregates()).row(0, named=True))


def model_of(schema: pa.DataFrameSchema) -> type[pa.DataFrameModel]:
    return type("Random", (pa.DataFrameModel,), {"to_schema": classmethod(lambda _: schema)})


def pandera_verdict(schema: pa.DataFrameSchema, df: pl.DataFrame) -> tuple[dict[Identity, int | None], int]:
    """Return failed rules with their failed rows where pandera counts them, and the number of warnings."""
    failed: dict[Identity, int | None] = {}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            schema.validate(df, lazy=True)
        except SchemaErrors as errors:
            for error in errors.schema_errors:
                cases = error.failure_cases
                failed[identity(error, schema)] = cases.height if isinstance(cases, pl.DataFrame) else None
    return failed, sum(issubclass(warning.category, SchemaWarning) for warning in caught)


def identity(error: SchemaError, schema: pa.DataFrameSchema) -> Identity:
    if error.check == "multiple_fields_uniqueness":
        return None, f"unique({', '.join(schema.unique)})"
    own_rules = {"not_nullable": "not_null", "field_uniqueness": "unique"}
    rule = own_rules[error.check] if isinstance(error.check, str) else error.check.name
    return None if isinstance(error.schema, pa.DataFrameSchema) else error.column_name, rule


def pandera_schema_problems(schema: pa.DataFrameSchema, df: pl.DataFrame) -> set[str]:
    """Return the columns that pandera complains about, of which it names only the first that is not declared."""
    try:
        schema.validate(df.clear().lazy(), lazy=True)
    except SchemaErrors as errors:
        found = errors.schema_errors
    except SchemaError as error:
        found = [error]
    else:
        return set()
    reasons = {error.reason_code.name for error in found}
    assert reasons <= {"COLUMN_NOT_IN_DATAFRAME", "WRONG_DATATYPE", "COLUMN_NOT_IN_SCHEMA", "INVALID_COLUMN_NAME"}
    return {
        error.schema.name
        if error.reason_code.name == "INVALID_COLUMN_NAME"
        else error.column_name
        if error.reason_code.name == "WRONG_DATATYPE"
        else str(error.failure_cases)
        for error in found
    }


class Case:
    """A random schema and a random frame that has its columns."""

    def __init__(self, source: random.Random, *, strict: bool = False) -> None:
        self.random = source
        self.checks_made = 0
        kinds = {f"c{number}": self.pick(*DTYPES, "integer", "float") for number in range(source.randint(1, 4))}
        columns = {name: self.column(kind) for name, kind in kinds.items()}
        if self.chance(0.3):
            kinds |= {"x_1": "integer", "x_2": "integer"}
            columns[r"^x_\d+$"] = self.column("integer", regex=True)
        rows = self.pick(0, 1, 2, 5, 20)
        self.df = pl.DataFrame({name: self.values(kind, rows) for name, kind in kinds.items()}, schema_overrides={
            name: DTYPES[kind] for name, kind in kinds.items()
        })  # fmt: skip
        names = list(kinds)
        self.schema = pa.DataFrameSchema(
            columns,
            checks=self.frame_checks(names, kinds),
            unique=[names[0], names[-1]] if len(names) > 1 and self.chance(0.2) else None,
            strict=strict,
        )

    def pick(self, *choices: Any) -> Any:
        return self.random.choice(choices)

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def deformed(self) -> pl.DataFrame:
        """Return the frame without a column, with another, with another dtype, or as it is."""
        name = self.pick(*self.df.columns)
        retyped = self.df.with_columns(pl.lit(1, pl.Int8).alias(name))
        return self.pick(self.df, self.df.drop(name), self.df.with_columns(more=1), retyped)

    def column(self, kind: str, *, regex: bool = False) -> pa.Column:
        checks = [self.check(kind) for _ in range(self.random.randint(0, 3))]
        return pa.Column(DTYPES[kind], checks, nullable=self.chance(0.5), unique=self.chance(0.15), regex=regex)

    def values(self, kind: str, rows: int) -> list[Any]:
        null_share = self.pick(0, 0, 0.2)
        return [None if self.chance(null_share) else self.value(kind) for _ in range(rows)]

    def value(self, kind: str) -> Any:
        match kind:
            case "integer":
                return self.random.randint(-3, 6)
            case "float":
                return self.pick(
                    self.random.uniform(-3, 6), self.random.uniform(-3, 6), float("nan"), float("inf"), -0.0
                )
            case "text":
                return self.pick("a", "b", "ab", "abc", "", "Zz9", "éa", "a1", "b22")
            case "instant":
                return NEW_YEAR + timedelta(days=self.random.randint(-3, 3))
            case _:
                return self.chance(0.8)

    def check(self, kind: str) -> pa.Check:
        options = {
            "ignore_na": self.chance(0.75),
            "raise_warning": self.chance(0.15),
            "name": self.next_name(),
        }
        match kind:
            case "integer":
                makers = self.number_checks(int)
            case "float":
                makers = self.number_checks(float)
            case "text":
                makers = text_checks()
            case "instant":
                makers = instant_checks()
            case _:
                makers = flag_checks()
        return self.pick(*makers)(options)

    def next_name(self) -> str:
        self.checks_made += 1
        return f"check {self.checks_made}"

    def number_checks(self, number: type) -> list[Callable[[dict[str, Any]], pa.Check]]:
        low, high = self.random.randint(-4, 0), self.random.randint(3, 8)
        closed_low, closed_high = self.chance(0.5), self.chance(0.5)
        check = pa.Check
        return [
            lambda options: check.ge(low, **options),
            lambda options: check.gt(low, **options),
            lambda options: check.le(high, **options),
            lambda options: check.lt(high, **options),
            lambda options: check.in_range(low, high, closed_low, closed_high, **options),
            lambda options: check.isin([number(n) for n in range(low, high)], **options),
            lambda options: check.notin([number(0), number(high)], **options),
            lambda options: check.eq(3, **options),
            lambda options: check.ne(3, **options),
            lambda options: check(lambda d: d.lazyframe.select(pl.col(d.key) * 2 < high * 2), **options),
            lambda options: check(lambda d: d.lazyframe.select(pl.col(d.key) > pl.col(d.key).mean() - 5), **options),
            lambda options: check(lambda d: d.lazyframe.select(pl.col(d.key).mean() < high - 3), **options),
            lambda options: check(lambda d: d.lazyframe.select(pl.col(d.key).max() < high + 50), **options),
            lambda options: check(lambda d: d.lazyframe.select(pl.col(d.key).rank("dense") < 9), **options),
            lambda options: check(
                lambda d: d.lazyframe.select(low=pl.col(d.key) > low, high=pl.col(d.key) < high), **options
            ),
            lambda options: check(lambda d: d.lazyframe.select(pl.col(d.key).drop_nulls() > low), **options),
            lambda options: check(lambda d: d.lazyframe.select(pl.col("nowhere") > 0), **options),
            lambda options: check(
                lambda d: d.lazyframe.with_columns(pl.col(d.key) + 1).select(pl.col(d.key) > low), **options
            ),
            lambda options: check(lambda d: d.lazyframe.collect()[d.key].null_count() <= 2, **options),
            lambda options: check(lambda value: [value][0] > low, element_wise=True, **options),
        ]

    def frame_checks(self, names: list[str], kinds: dict[str, str]) -> list[pa.Check]:
        checks = []
        if self.chance(0.4):
            checks.append(pa.Check(lambda d: d.lazyframe.select(pl.len() <= 10), name="volume"))
        if self.chance(0.3):
            checks.append(
                pa.Check(lambda d: d.lazyframe.select(pl.all().is_not_null()), name="all there", ignore_na=False)
            )
        numbers = [name for name in names if kinds[name] in ("integer", "float")]
        if len(numbers) > 1:
            low, high = numbers[:2]
            checks.append(pa.Check(
                lambda d: d.lazyframe.select(pl.col(low) <= pl.col(high)), name="ordered", ignore_na=self.chance(0.5)
            ))  # fmt: skip
        return checks


def text_checks() -> list[Callable[[dict[str, Any]], pa.Check]]:
    check = pa.Check
    return [
        lambda options: check.isin(["a", "b", "ab", ""], **options),
        lambda options: check.notin(["abc"], **options),
        lambda options: check.str_matches(r"[a-z]+\d*$", **options),
        lambda options: check.str_contains("a", **options),
        lambda options: check.str_startswith("a", **options),
        lambda options: check.str_endswith("b", **options),
        lambda options: check.str_length(1, 2, **options),
        lambda options: check.str_length(min_value=1, **options),
        lambda options: check.str_length(exact_value=1, **options),
        lambda options: check.eq("a", **options),
        lambda options: check.ne("abc", **options),
        lambda options: check.unique_values_eq({"a", "b"}, **options),
        lambda options: check(
            lambda d: d.lazyframe.select(pl.col(d.key).str.to_lowercase() == pl.col(d.key)), **options
        ),
        lambda options: check(lambda d: d.lazyframe.select(pl.col(d.key).dt.year() > 0), **options),
    ]


def instant_checks() -> list[Callable[[dict[str, Any]], pa.Check]]:
    check = pa.Check
    return [
        lambda options: check.ge(NEW_YEAR - timedelta(days=2), **options),
        lambda options: check.lt(NEW_YEAR + timedelta(days=2), **options),
        lambda options: check.in_range(NEW_YEAR - timedelta(days=3), NEW_YEAR + timedelta(days=8), **options),
    ]


def flag_checks() -> list[Callable[[dict[str, Any]], pa.Check]]:
    return [lambda options: pa.Check.eq(True, **options)]
