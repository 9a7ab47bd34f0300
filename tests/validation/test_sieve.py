"""Rows that break rules which leave them out: what stays and what is kept apart is what there was."""

from __future__ import annotations

import random

import pandera.polars as pa
import polars as pl
import pytest

from deltaworks.validation import REJECTED_BY, Contract, Severity, Verdict, compile_contract
from tests.validation.judging import judge_by


def model(**fields: object) -> type[pa.DataFrameModel]:
    """A model of columns a and b, with their fields and the model's metadata."""
    config = type("Config", (), {"metadata": fields.pop("metadata", None)})
    annotations = {"a": int, "b": pl.String}
    given = {"a": pa.Field(nullable=True), "b": pa.Field(nullable=True)} | fields
    return type("Model", (pa.DataFrameModel,), {"__annotations__": annotations, "Config": config, **given})


def sift(contract: Contract, df: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, Verdict]:
    """What stays, what is quarantined, and the verdict on what stays."""
    before = judge_by(contract, df)
    marked = contract.sieve.marked(df.lazy(), contract.judge_residual(df))
    kept, rejected = contract.sieve.kept(marked).collect(), contract.sieve.quarantined(marked).collect()
    return kept, rejected, contract.judge_left(before, judge_by(contract, kept))


FRAME = pl.DataFrame({"a": [1, -5, None, 7, 7], "b": ["x", "y", "z", None, "x"]})


def test_a_row_that_breaks_several_rules_is_rejected_once_with_all_their_names() -> None:
    contract = compile_contract(
        model(
            a=pa.Field(nullable=True, ge=0, metadata={"on_fail": "quarantine"}),
            b=pa.Field(nullable=True, isin=["x", "z"], metadata={"on_fail": {"isin": "drop"}}),
        ),
        FRAME.schema,
    )

    kept, rejected, verdict = sift(contract, FRAME)

    assert kept.equals(pl.DataFrame({"a": [1, None, 7, 7], "b": ["x", "z", None, "x"]}))
    assert rejected.rows() == [(-5, "y", ["a: ge(0)", "b: isin('x', 'z')"])]
    assert verdict.rows == 4
    assert [(each.rule, each.failed_rows, each.severity) for each in verdict.taken_out] == [
        ("ge(0)", 1, Severity.QUARANTINE),
        ("isin('x', 'z')", 1, Severity.DROP),
    ]


def test_every_row_of_a_key_that_is_there_twice_is_left_out() -> None:
    contract = compile_contract(
        model(a=pa.Field(nullable=True, unique=True, metadata={"on_fail": {"unique": "quarantine"}})), FRAME.schema
    )

    kept, rejected, verdict = sift(contract, FRAME)

    assert kept["a"].to_list() == [1, -5, None]
    assert rejected["a"].to_list() == [7, 7]
    assert verdict.taken_out[0].failed_rows == 2


def test_a_check_that_calls_python_for_every_value_can_quarantine() -> None:
    class Odd(pa.DataFrameModel):
        a: int = pa.Field(nullable=True, metadata={"on_fail": {"odd": "quarantine"}})
        b: str = pa.Field(nullable=True)

        @pa.check("a", element_wise=True)
        def odd(cls, value: int) -> bool:
            return value % 2 == 1

    contract = compile_contract(Odd, pl.DataFrame(schema=FRAME.schema).schema)

    kept, rejected, _ = sift(contract, FRAME.with_columns(a=pl.Series([1, 2, None, 4, 5])))

    assert contract.residual
    assert kept["a"].to_list() == [1, None, 5]
    assert rejected["a"].to_list() == [2, 4]


def test_a_rule_over_all_rows_cannot_leave_any_out() -> None:
    class Few(pa.DataFrameModel):
        a: int = pa.Field(nullable=True, metadata={"on_fail": "drop"})

        @pa.check("a")
        def few(cls, data: pa.PolarsData) -> pl.LazyFrame:
            return data.lazyframe.select(pl.col(data.key).max() < 3)

    (problem,) = compile_contract(Few, FRAME.schema).problems

    assert problem.message == (
        "rule 'few' of column 'a' says nothing of single rows, so none can be left out by 'drop'; its on_fail can be "
        "'fail' or 'warn'."
    )


def test_a_rule_that_looks_at_other_rows_fails_if_it_is_broken_again() -> None:
    class Near(pa.DataFrameModel):
        a: int = pa.Field(metadata={"on_fail": "drop"})

        @pa.check("a")
        def near(cls, data: pa.PolarsData) -> pl.LazyFrame:
            return data.lazyframe.select(pl.col(data.key) < 2 * pl.col(data.key).mean())

    df = pl.DataFrame({"a": [1, 1, 1, 4, 1000]})
    contract = compile_contract(Near, df.schema)

    kept, _, verdict = sift(contract, df)

    assert kept["a"].to_list() == [1, 1, 1, 4]
    assert [str(each) for each in verdict.failed] == [
        "a: near failed for 1 row, once others were left out: it looks at other rows than its own"
    ]


def test_a_column_with_the_name_that_rejects_need_is_refused() -> None:
    class Taken(pa.DataFrameModel):
        a: int = pa.Field(ge=0, metadata={"on_fail": "drop"})

    schema = pl.Schema({"a": pl.Int64(), REJECTED_BY: pl.String()})

    assert [problem.column for problem in compile_contract(Taken, schema).problems] == [REJECTED_BY]


@pytest.mark.parametrize("seed", range(60))
def test_what_stays_and_what_is_quarantined_is_what_there_was(seed: int) -> None:
    rng = random.Random(seed)
    df = pl.DataFrame(
        {
            "a": [rng.choice([None, *range(-4, 9)]) for _ in range(rng.choice([0, 1, 5, 40]))],
        },
        schema={"a": pl.Int64},
    ).with_columns(b=pl.col("a").cast(pl.String))
    severities = [rng.choice(["quarantine", "fail", "warn"]) for _ in range(4)]
    severities[rng.randrange(4)] = "quarantine"
    names = dict(zip(("ge", "le", "not_null", "unique"), severities, strict=True))
    contract = compile_contract(
        model(a=pa.Field(ge=0, le=rng.randint(2, 6), unique=True, metadata={"on_fail": names})),
        df.schema,
    )

    kept, rejected, verdict = sift(contract, df)

    assert sorted(pl.concat([kept, rejected.drop(REJECTED_BY)]).rows(), key=repr) == sorted(df.rows(), key=repr)
    assert rejected.height == len([row for row in rejected[REJECTED_BY] if len(row)])
    assert verdict.rows == kept.height
    left = judge_by(contract, kept)
    assert not left.taken_out
    assert {each.rule for each in verdict.failed} == {each.rule for each in left.failed}


def test_budgets_count_rows_once_however_many_rules_they_break() -> None:
    metadata = {"on_fail": {}, "max_rows": 1}
    contract = compile_contract(
        model(
            a=pa.Field(nullable=True, ge=0, metadata={"on_fail": "drop"}),
            b=pa.Field(nullable=True, isin=["x", "z"], metadata={"on_fail": "quarantine"}),
            metadata=metadata,
        ),
        FRAME.schema,
    )

    def overdrawn(df: pl.DataFrame) -> list[str]:
        return [str(each) for each in contract.sieve.overdrawn(contract.sieve.marked(df.lazy()))]

    assert overdrawn(FRAME) == []
    assert overdrawn(pl.concat([FRAME, FRAME])) == [
        "table: rules of the model failed for 2 rows, but at most 1 may be left out (max_rows)"
    ]
