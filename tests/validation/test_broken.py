"""Rows that break a rule are shown as they stand, the columns first that the rule is about."""

import datetime as dt
import json
from typing import Any

import pandera.polars as pa
import polars as pl
import pytest

from deltaworks.validation import BrokenRule, compile_contract
from tests.validation.judging import judge


class Reading(pa.DataFrameModel):
    note: str = pa.Field(nullable=True)
    number: int = pa.Field(unique=True)
    value: float = pa.Field(ge=0)
    limit: float
    day: pl.Date

    @pa.dataframe_check
    def below_limit(cls, data: pa.PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(pl.col("value") <= pl.col("limit"))

    @pa.dataframe_check
    def few(cls, data: pa.PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(pl.len() < 9)

    @pa.check("limit")
    def round(cls, data: pa.PolarsData) -> pl.LazyFrame:
        # group_by cannot be compiled, so pandera runs this one on the rows
        return data.lazyframe.with_columns(pl.col("limit") % 1 == 0).select("limit")


DAY = dt.date(2024, 1, 1)


def readings(**changed: list[Any]) -> pl.DataFrame:
    columns: dict[str, list[Any]] = {
        "note": ["a", "b", "c", "d"],
        "number": [1, 2, 3, 4],
        "value": [1.0, 2.0, 3.0, 4.0],
        "limit": [9.0] * 4,
        "day": [DAY] * 4,
    }
    schema = {"note": pl.String, "number": pl.Int64, "value": pl.Float64, "limit": pl.Float64, "day": pl.Date}
    return pl.DataFrame(columns | changed, schema=schema)


def broken(df: pl.DataFrame, n: int = 3, model: type = Reading) -> dict[str, BrokenRule]:
    found = compile_contract(model, df.schema).broken(df, judge(model, df).results, ["day"], n)
    return {each.result.rule: each for each in found}


def test_a_row_is_shown_with_the_offending_column_first_and_then_the_keys():
    (found,) = broken(readings(value=[1.0, -2.5, 3.0, 4.0])).values()

    assert (found.result.failed_rows, found.rows) == (1, 4)
    (row,) = found.samples
    assert list(row.items()) == [
        ("value", -2.5),
        ("day", "2024-01-01"),
        ("number", 2),
        ("note", "b"),
        ("limit", 9.0),
    ]


def test_of_many_rows_the_first_are_shown():
    found = broken(readings(value=[-1.0, 2.0, -3.0, -4.0]), n=2)["ge(0)"]

    assert [row["value"] for row in found.samples] == [-1.0, -3.0]


def test_rows_of_the_same_key_stand_together():
    found = broken(readings(number=[7, 8, 8, 7]))["unique"]

    assert [(row["number"], row["note"]) for row in found.samples] == [(7, "a"), (7, "d"), (8, "b")]


def test_a_rule_on_the_frame_shows_the_columns_that_it_reads_first():
    found = broken(readings(value=[1.0, 2.0, 3.0, 40.0]))["below_limit"]

    (row,) = found.samples
    assert list(row)[:3] == ["value", "limit", "day"]


def test_a_check_that_runs_apart_has_rows_too():
    found = broken(readings(limit=[9.0, 9.0, 8.5, 9.0]))["round"]

    assert [(row["limit"], row["note"]) for row in found.samples] == [(8.5, "c")]


def test_what_is_judged_over_all_rows_has_no_row_to_show():
    df = pl.concat([readings()] * 3).with_columns(number=pl.int_range(pl.len()))

    found = broken(df)["few"]

    assert (found.result.failed_rows, found.rows, found.samples) == (None, 12, ())


def test_a_rule_that_could_not_be_checked_says_so():
    class Numbered(pa.DataFrameModel):
        text: str

        @pa.check("text")
        def positive(cls, data: pa.PolarsData) -> pl.LazyFrame:
            return data.lazyframe.select(pl.col("text").cast(pl.Int64) > 0)

    df = pl.DataFrame({"text": ["1", "two"]})
    contract = compile_contract(Numbered, df.schema)
    results = contract.judge(contract.aggregates_apart(df.lazy())).results

    (found,) = contract.broken(df, results, [])

    assert found.samples == ()
    assert (found.to_json()["note"] or "").startswith("could not be checked: InvalidOperationError")


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (float("nan"), "nan"),
        (dt.datetime(2024, 1, 1, 12, tzinfo=dt.UTC), "2024-01-01T12:00:00+00:00"),
        ("x" * 100, "x" * 57 + "..."),
        ([1, None], "[1, null]"),
        (b"\x00", "b'\\x00'"),
        (None, None),
    ],
)
def test_values_are_such_as_json_can_hold(value: object, plain: object):
    class Positive(pa.DataFrameModel):
        n: int = pa.Field(ge=0)

    df = pl.DataFrame({"n": [-1], "other": [value]})

    (found,) = broken(df, model=Positive).values()

    assert found.samples == ({"n": -1, "other": plain},)
    assert json.loads(json.dumps(found.to_json()))["samples"] == [{"n": -1, "other": plain}]
