"""Frames for tests: typed, seeded, and true to the rules of their model."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Annotated, Any

import pandera.polars as pa
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from deltaworks.errors import RequestError
from deltaworks.validation import minimal_rows, random_rows
from tests.validation.judging import judge


class Flight(pa.DataFrameModel):
    """Every kind of rule that pandera has words for."""

    number: int = pa.Field(unique=True, gt=10, lt=10_000)
    carrier: str = pa.Field(str_matches=r"^[A-Z0-9]{2}$")
    origin: str = pa.Field(isin=["EWR", "JFK", "LGA"], notin=["EWR"])
    gate: str = pa.Field(str_startswith="G", str_endswith="!", str_length={"min_value": 4, "max_value": 6})
    code: str = pa.Field(str_length={"exact_value": 3})
    note: str = pa.Field(str_contains=r"late|early", nullable=True)
    delay: float = pa.Field(in_range={"min_value": -1.0, "max_value": 1.0, "include_min": False})
    fixed: int = pa.Field(eq=7)
    left: int = pa.Field(ne=0, le=5)
    small: pl.UInt8
    day: pl.Date = pa.Field(ge=dt.date(2013, 1, 1), lt=dt.date(2013, 1, 3))
    at: Annotated[pl.Datetime, "us", "UTC"]
    price: Annotated[pl.Decimal, 8, 2] = pa.Field(ge=Decimal("1.50"))
    is_on_time: bool
    legs: Annotated[pl.List, pl.Int32]
    plane: Annotated[pl.Struct, {"seats": pl.Int64, "name": pl.String}]
    raw: pl.Binary


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_minimal_rows_keep_every_rule(rows: int) -> None:
    df = minimal_rows(Flight, rows)

    assert df.height == rows
    assert judge(Flight, df).ok
    assert_frame_equal(df, minimal_rows(Flight, rows))


@pytest.mark.parametrize("seed", range(5))
def test_random_rows_keep_every_rule_and_are_the_same_for_the_same_seed(seed: int) -> None:
    df = random_rows(Flight, 30, seed=seed)

    assert (df.height, df.schema) == (30, minimal_rows(Flight).schema)
    assert judge(Flight, df).ok
    assert_frame_equal(df, random_rows(Flight, 30, seed=seed))
    assert not df.equals(random_rows(Flight, 30, seed=seed + 1))


def test_plain_values_are_plain_and_columns_may_be_given() -> None:
    class Plain(pa.DataFrameModel):
        n: int
        text: str
        share: float
        day: pl.Date

    assert minimal_rows(Plain).rows() == [(0, "a", 0.0, dt.date(2024, 1, 1))]
    df = random_rows(Plain, 3, n=[5, 6, 7], text="x")
    assert (df["n"].to_list(), df["text"].to_list()) == ([5, 6, 7], ["x"] * 3)


def test_keys_of_several_columns_are_distinct() -> None:
    class Daily(pa.DataFrameModel):
        day: pl.Date
        carrier: str = pa.Field(isin=["UA", "DL"])

        class Config:
            unique = ("day", "carrier")

    assert judge(Daily, minimal_rows(Daily, 4)).ok
    assert judge(Daily, random_rows(Daily, 50, carrier="UA")).ok


def test_rules_of_the_author_are_kept_by_drawing_again() -> None:
    class Trip(pa.DataFrameModel):
        left_at: int = pa.Field(in_range={"min_value": 0, "max_value": 9})
        arrived_at: int = pa.Field(in_range={"min_value": 0, "max_value": 9})

        @pa.dataframe_check
        def arrives_later(cls, data: pa.PolarsData) -> pl.LazyFrame:
            return data.lazyframe.select(pl.col("arrived_at") > pl.col("left_at"))

    df = random_rows(Trip, 20, seed=1)
    fixed = random_rows(Trip, 3, left_at=[0, 4, 8])

    assert (df["arrived_at"] > df["left_at"]).all()
    assert fixed["left_at"].to_list() == [0, 4, 8]
    assert judge(Trip, minimal_rows(Trip, 2)).ok


@pytest.mark.parametrize(
    ("field", "given", "told"),
    [
        (
            pa.Field(gt=5, lt=6),
            {},
            "Model Odd: no 2 rows are found by drawing that keep its rules: .*n.*Give the columns",
        ),
        (pa.Field(unique=True, isin=[1]), {}, "no 2 rows are found .* unique"),
        (pa.Field(), {"n": [1]}, "column 'n' is given 1 values for 2 rows"),
        (pa.Field(), {"n": "text"}, "Model Odd: column 'n' is Int64"),
    ],
)
def test_what_cannot_be_is_said(field: Any, given: dict[str, Any], told: str) -> None:
    class Odd(pa.DataFrameModel):
        n: int = field

    with pytest.raises(RequestError, match=told):
        random_rows(Odd, 2, **given)
    with pytest.raises(RequestError, match=told):
        minimal_rows(Odd, 2, **given)


def test_a_dtype_that_nobody_knows_values_of_is_said() -> None:
    class Timed(pa.DataFrameModel):
        at: pl.Object

    with pytest.raises(RequestError, match="nothing is known about values of column 'at', Object; give it"):
        minimal_rows(Timed)
