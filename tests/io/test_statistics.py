"""Statistics are right for every file, and no reader loses a row by them."""

# ruff: noqa: DTZ001 - timestamps without a zone are a dtype of their own

import datetime as dt
import json
import math

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from polars.testing.parametric import dataframes

from deltaworks.io.statistics import statistics, statistics_json

UTC = dt.UTC
BOUNDED = [pl.Int8(), pl.Int64(), pl.Float32(), pl.Float64(), pl.String(), pl.Date(), pl.Datetime("us")]


def measure(df: pl.DataFrame) -> dict:
    measured = df.select(statistics(df.schema)).row(0, named=True)
    return json.loads(statistics_json(measured, df.height))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(dataframes(allowed_dtypes=BOUNDED, allow_null=True, allow_time_zones=False, min_cols=1, max_size=10))
def test_bounds_are_those_of_the_rows_or_absent(df):
    found = measure(df)

    assert found["numRecords"] == df.height
    for name in df.columns:
        values = df[name].drop_nulls().to_list()
        assert found["nullCount"][name] == df.height - len(values)
        if any(isinstance(value, float) and math.isnan(value) for value in values):
            assert name not in {**found["minValues"], **found["maxValues"]}
            continue
        for bounds, extreme in ((found["minValues"], min), (found["maxValues"], max)):
            if name in bounds:
                assert _parsed(bounds[name], extreme(values)) == extreme(values)
            else:
                assert not values or math.inf in map(abs, _floats(values)) or len(str(extreme(values))) > 32


def _parsed(written, like):
    match like:
        case dt.datetime():
            return dt.datetime.fromisoformat(written)
        case dt.date():
            return dt.date.fromisoformat(written)
        case _:
            return written


def _floats(values):
    return [value for value in values if isinstance(value, float)]


def test_each_kind_of_column_is_written_as_the_protocol_says():
    df = pl.DataFrame(
        {
            "year_one": [dt.datetime(1, 1, 1)],
            "utc": [dt.datetime(2013, 1, 1, 1, 2, 3, 4, tzinfo=UTC)],
            "day": [dt.date(2013, 1, 1)],
            "none": pl.Series([None], dtype=pl.Int64),
            "long": ["x" * 33],
            "list": [[1]],
        }
    )

    found = measure(df)

    assert found["minValues"] == found["maxValues"]
    assert found["minValues"] == {
        "year_one": "0001-01-01T00:00:00.000000",
        "utc": "2013-01-01T01:02:03.000004Z",
        "day": "2013-01-01",
    }
    assert found["nullCount"] == {"year_one": 0, "utc": 0, "day": 0, "none": 1, "long": 0}


def test_a_column_with_nan_has_no_bounds_and_infinity_is_none():
    df = pl.DataFrame({"nan": [1.0, math.nan], "inf": [1.0, math.inf], "all": [-math.inf, math.inf]})

    found = measure(df)

    assert (found["minValues"], found["maxValues"]) == ({"inf": 1.0}, {})
    assert found["nullCount"] == {"nan": 0, "inf": 0, "all": 0}


def test_a_date_that_python_cannot_hold_has_no_bound():
    df = pl.DataFrame({"d": pl.Series([0, 10_000_000], dtype=pl.Int32).cast(pl.Date)})

    found = measure(df)

    assert (found["minValues"], found["maxValues"]) == ({"d": "1970-01-01"}, {})


def test_they_are_the_same_when_grouped():
    df = pl.DataFrame({"p": ["a", "a", "b"], "f": [1.0, math.nan, 2.0]})

    grouped = df.group_by("p", maintain_order=True).agg(statistics({"f": pl.Float64()}))

    for row, part in zip(grouped.iter_rows(named=True), df.partition_by("p"), strict=True):
        assert json.loads(statistics_json(row, part.height)) == measure(part.drop("p"))


INSTANTS = [dt.datetime(1, 1, 1), dt.datetime(2013, 1, 1, 0, 0, 0, 1), dt.datetime(2014, 1, 1, 0, 0, 0, 999_999), None]
ROWS = pl.DataFrame(
    {
        "p": ["a", "a", "b", "b", "c", "d"],
        "f": [1.0, math.nan, 5.0, None, math.inf, -math.inf],
        "s": ["x" * 40, "a", "zz", None, "é" * 20, ""],
        "t": pl.Series([*INSTANTS, dt.datetime(9999, 12, 31), None], dtype=pl.Datetime("us")),
        "d": [dt.date(1, 1, 1), dt.date(2000, 1, 1), None, None, dt.date(9999, 1, 1), dt.date(2013, 1, 1)],
        "n": pl.Series([None] * 6, dtype=pl.Int64),
        "i": [2**63 - 1, -(2**63), 2**53 + 1, 0, None, 1],
    }
).with_columns(u=pl.col("t").dt.replace_time_zone("UTC"))
LATE = dt.datetime(2014, 1, 1, 0, 0, 0, 999_998)


@pytest.mark.parametrize(
    "predicate",
    [
        *(pl.col("f") > 4, pl.col("f") < 0, pl.col("f") == 1, pl.col("f").is_nan(), pl.col("f").is_null()),
        *(pl.col("s") > "x", pl.col("s") == "x" * 40, pl.col("s") == "", pl.col("s") > "y" * 40),
        *(pl.col("t") < dt.datetime(2, 1, 1), pl.col("t") > LATE, pl.col("t") == INSTANTS[1], pl.col("t").is_null()),
        *(pl.col("u") > LATE.replace(tzinfo=UTC), pl.col("u") < dt.datetime(2, 1, 1, tzinfo=UTC)),
        *(pl.col("d") < dt.date(2, 1, 1), pl.col("d") == dt.date(9999, 1, 1), pl.col("n").is_null()),
        *(pl.col("i") == 2**63 - 1, pl.col("i") == 2**53 + 1, pl.col("i") < 0, pl.col("n") == 1),
    ],
    ids=str,
)
def test_a_reader_that_prunes_by_them_finds_every_row(lake, predicate):
    lake.make(ROWS)

    found = pl.scan_delta(lake.uri()).filter(predicate).select(ROWS.columns).collect()

    assert sorted(map(repr, found.rows())) == sorted(map(repr, ROWS.filter(predicate).rows()))
