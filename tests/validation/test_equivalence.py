"""Compiled contracts say what pandera says, on random schemas and frames.

Every case is a seed, and a difference names the seed to look at: `DELTAWORKS_EQUIVALENCE_FIRST=<seed>` begins there.
`make soak` goes on to 50,000.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandera.polars as pa
import polars as pl
import pytest
from pandera.errors import SchemaErrors

from deltaworks.validation import (
    REJECTED_BY,
    Contract,
    ResidualOutcome,
    RuleKind,
    Severity,
    Verdict,
    compile_contract,
    conform,
)
from tests.validation.cases import Case
from tests.validation.judging import judge_by, measure
from tests.validation.kinds import KINDS, Says
from tests.validation.oracle import Answer, answer, schema_problems, without_reports

FIRST = int(os.environ.get("DELTAWORKS_EQUIVALENCE_FIRST", "0"))
BATCH = 100


def batches(short: int, long: int) -> list[Any]:
    """Number so many batches, of which the first ones belong to the suite."""
    return [*range(short), *(pytest.param(number, marks=pytest.mark.soak) for number in range(short, long))]


@pytest.mark.parametrize("batch", batches(15, 500))
def test_a_contract_says_of_random_frames_what_pandera_says(batch):
    first = FIRST + batch * BATCH
    with without_reports():
        for seed in range(first, first + BATCH):
            naming(seed, agrees_with_pandera)


@pytest.mark.parametrize("batch", batches(4, 20))
def test_a_contract_judges_groups_as_it_judges_each_of_them_alone(batch):
    for seed in range(FIRST + batch * BATCH, FIRST + (batch + 1) * BATCH):
        naming(seed, judges_groups_as_each_alone)


@pytest.mark.parametrize("batch", batches(4, 20))
def test_the_problems_of_a_schema_are_those_that_pandera_sees(batch):
    with without_reports():
        for seed in range(FIRST + batch * BATCH, FIRST + (batch + 1) * BATCH):
            naming(seed, sees_the_problems_of_a_schema)


@dataclass(frozen=True, slots=True)
class Wrong:
    """A case in which pandera is plainly wrong, so that it is no model."""

    reason: str
    columns: dict[str, Callable[[], pa.Column]]
    df: pl.DataFrame
    theirs: type[Exception]
    """What its validation raises."""
    ours: list[str]


NO = pa.Check(lambda _: False, name="no")
LONG = "9" * 38
WRONG = [
    Wrong(
        "texts become decimals by way of floats, which this one does not survive",
        {"a": lambda: pa.Column(pl.Decimal(38, 0), coerce=True)},
        pl.DataFrame({"a": [LONG]}),
        SchemaErrors,
        [],
    ),
    Wrong(
        "a column that is to be cast and is missing breaks the report that it is missing",
        {"a": lambda: pa.Column(pl.Int64, coerce=True)},
        pl.DataFrame({"b": [1]}),
        pl.exceptions.ColumnNotFoundError,
        ["column 'a' is missing; Wrong declares it as Int64."],
    ),
    Wrong(
        "the report cannot hold a False beside the rows of another check",
        {"a": lambda: pa.Column(pl.Int64, [NO, pa.Check.ge(2)])},
        pl.DataFrame({"a": [1]}),
        pl.exceptions.SchemaError,
        ["a: ge(2) failed for 1 row", "a: no failed"],
    ),
    *(
        Wrong(
            "the dtype is not equal to itself",
            {"a": partial(pa.Column, dtype, nullable=True)},
            pl.DataFrame({"a": [None]}, schema={"a": dtype}),
            SchemaErrors,
            [],
        )
        for dtype in (pl.Int128, pl.UInt128, pl.Float16)
    ),
]


@pytest.mark.filterwarnings("ignore:.*support is not guaranteed")
@pytest.mark.parametrize("case", WRONG, ids=lambda case: f"{case.reason} {case.df.dtypes[0]}")
def test_a_contract_is_right_where_pandera_is_wrong(case):
    schema = pa.DataFrameSchema({name: column() for name, column in case.columns.items()})
    model = type("Wrong", (pa.DataFrameModel,), {"to_schema": classmethod(lambda _: schema)})

    with pytest.raises(case.theirs):
        schema.validate(case.df, lazy=True)

    df = conform(model, case.df.lazy()).collect()
    contract = compile_contract(model, df.schema)
    problems = [problem.message for problem in contract.problems]
    assert (problems or [str(each) for each in judge_by(contract, df).results]) == case.ours


def test_the_cases_are_worth_running():
    met = Counter[str]()
    for seed in range(400):
        case = Case(seed)
        met.update(str(dtype.base_type()) for dtype in case.df.dtypes)
        met[f"{case.df.height} rows"] += 1
        contract = compile_contract(case.model, case.df.schema)
        kinds = {(rule.column, rule.name): rule.kind for rule in contract.rules}
        verdict = contract.judge(measure(contract, case.df))
        met.update(f"{kinds[each.column, each.rule]} failed" for each in verdict.results)
        met.update(f"{each.severity} failed" for each in verdict.results)
        met["raised"] += sum(each.problem is not None for each in verdict.results)
        met["passed"] += verdict.passed
        met["residual failed"] += sum(each.result is not None for each in contract.judge_residual(case.df))
        met["residual"] += len(contract.residual)
        met["pattern"] += sum((rule.column or "").startswith("x_") for rule in contract.rules)
        met["cast"] += case.is_coerced and cast(case, case.uncast()) is not None
        met["cannot be cast"] += case.is_coerced and cast(case, case.uncast()) is None

    assert {str(kind.dtype.base_type()) for kind in KINDS.values()} <= set(met)
    least = {
        "0 rows": 20,
        "1 rows": 20,
        "100 rows": 1,
        "row failed": 150,
        "aggregate failed": 10,
        "unique failed": 40,
        "fail failed": 100,
        "warn failed": 40,
        "drop failed": 20,
        "quarantine failed": 20,
        "residual failed": 20,
        "raised": 1,
        "pattern": 40,
        "passed": 250,
        "cast": 20,
        "cannot be cast": 2,
    }
    assert {name: met[name] for name in least if met[name] < least[name]} == {}
    assert met["residual"] > met["residual failed"]


def naming(seed: int, law: Callable[[int], None]) -> None:
    try:
        law(seed)
    except Exception as error:
        error.add_note(f"seed {seed}")
        raise


def agrees_with_pandera(seed: int) -> None:
    case = Case(seed)
    raw = case.uncast() if case.is_coerced else case.df
    expected = answer(case.theirs, raw)
    df = cast(case, raw)
    assert (df is None) == (expected.df is None), "whether the frame can be cast"
    if df is None:
        return
    assert df.equals(expected.df)
    contract = compile_contract(case.model, df.schema)
    assert contract.problems == ()
    residual = contract.judge_residual(df)
    engine = case.pick("streaming", "in-memory")
    verdict = contract.judge(measure(contract, df, engine), residual)
    same_failures(contract, verdict, expected, df)
    same_rows_stay(case, contract, verdict, residual, expected, df)


def cast(case: Case, raw: pl.DataFrame) -> pl.DataFrame | None:
    try:
        return conform(case.model, raw.lazy()).collect()
    except pl.exceptions.PolarsError:
        return None


def same_failures(contract: Contract, verdict: Verdict, expected: Answer, df: pl.DataFrame) -> None:
    rules = {(rule.column, rule.name): rule for rule in contract.rules}
    found = {(each.column, each.rule): each for each in verdict.results}
    assert {rule for rule in found if rule[1] not in expected.warned} == set(expected.failed)
    assert {name for _, name in found} >= expected.warned
    assert verdict.rows == df.height
    assert verdict.passed + len(verdict.results) == len(contract.rules) + len(contract.residual)
    for identity, failure in expected.failed.items():
        result, rule = found[identity], rules.get(identity)
        if rule is not None and (rule.kind is RuleKind.ROW or rule.severity.takes_out):
            assert result.failed_rows == failure.rows, identity
        if failure.is_broken is not None and rule is not None and rule.kind is RuleKind.ROW:
            assert result.failed_rows == failure.is_broken.sum(), identity


def same_rows_stay(
    case: Case,
    contract: Contract,
    verdict: Verdict,
    residual: tuple[ResidualOutcome, ...],
    expected: Answer,
    df: pl.DataFrame,
) -> None:
    """Check that the rows which are left out are those that pandera complains about."""
    leaving = {(each.column, each.rule): each for each in verdict.taken_out}
    if not leaving or any(each.problem for each in verdict.results):
        return
    nothing = pl.repeat(False, df.height, eager=True)
    broken = {identity: expected.failed[identity].is_broken for identity in leaving}
    labels = {identity: f"{identity[0] or 'table'}: {identity[1]}" for identity in leaving}
    out, apart = nothing, nothing
    for identity, result in leaving.items():
        out |= broken[identity]
        apart |= broken[identity] if result.severity is Severity.QUARANTINE else nothing

    marked = contract.sieve.marked(df.lazy(), residual)
    kept, rejected = contract.sieve.kept(marked).collect(), contract.sieve.quarantined(marked).collect()

    assert kept.equals(df.filter(~out))
    assert rejected.drop(REJECTED_BY).equals(df.filter(apart))
    reasons = [{labels[rule] for rule in leaving if broken[rule][row]} for row in apart.arg_true()]
    assert [set(names) for names in rejected[REJECTED_BY]] == reasons
    if case.chance(0.3):
        again = answer(case.theirs, kept)
        local = {rule for rule in leaving if case.says.get(rule[1], Says.EACH_ROW) is Says.EACH_ROW}
        assert not local & set(again.failed)


def judges_groups_as_each_alone(seed: int) -> None:
    case = Case(seed)
    df = case.df.with_columns(part=pl.Series([case.pick(*"abc") for _ in range(case.df.height)], dtype=pl.String))
    contract = compile_contract(case.model, df.schema)
    if contract.problems:
        return
    alone = {
        part: contract.judge(measure(contract, rows)) for (part,), rows in df.partition_by("part", as_dict=True).items()
    }
    for engine in ("streaming", "in-memory"):
        try:
            grouped = df.lazy().group_by("part").agg(contract.aggregates()).collect(engine=engine)
        except pl.exceptions.PolarsError:
            assert any(each.problem for verdict in alone.values() for each in verdict.results)
            continue
        assert {row["part"]: contract.judge(row) for row in grouped.to_dicts()} == alone


def sees_the_problems_of_a_schema(seed: int) -> None:
    case = Case(seed, coerced_share=0)
    df = case.deformed()
    problems = compile_contract(case.model, df.schema).problems
    expected = schema_problems(case.theirs, df)
    assert bool(problems) == bool(expected)
    assert expected <= {problem.column for problem in problems}
