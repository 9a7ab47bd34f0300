"""What a compiled contract finds in data, and what it says about it."""

import json
import pickle
from datetime import date
from typing import ClassVar

import pandera.polars as pa
import polars as pl
import pytest

from deltaworks.validation import RuleKind, RuleResult, Severity, Verdict, compile_contract
from tests.validation.judging import judge, judge_by, sentences


class Flight(pa.DataFrameModel):
    flight_date: pl.Date
    carrier: str = pa.Field(str_matches=r"^[A-Z0-9]{2}$")
    number: int = pa.Field(unique=True)
    dep_delay: float = pa.Field(nullable=True, ge=-120)


def flights(**changed: list[object]) -> pl.DataFrame:
    day = date(2013, 1, 1)
    columns = {"flight_date": [day] * 4, "carrier": ["AA", "B6", "AA", "UA"], "number": [1, 2, 3, 4]}
    delays = {"dep_delay": [0.0, None, -3.5, 90.0]}
    return pl.DataFrame(columns | delays | changed, schema=SCHEMA)


SCHEMA = pl.Schema({"flight_date": pl.Date(), "carrier": pl.String(), "number": pl.Int64(), "dep_delay": pl.Float64()})


# verdicts


def test_rows_that_keep_every_rule_pass():
    verdict = judge(Flight, flights())

    assert verdict == Verdict(rows=4, results=(), passed=6)
    assert verdict.ok


def test_without_a_model_only_rows_are_counted():
    assert judge(None, flights()) == Verdict(rows=4, results=(), passed=0)


def test_each_kind_of_rule_has_its_sentence():
    df = flights(
        flight_date=[None, *[date(2013, 1, 1)] * 3],
        carrier=["AA", "b6", "AA\n", "UA"],
        number=[7, 7, 7, 9],
        dep_delay=[-999.0, -121.0, -120.0, None],
    )

    assert sentences(Flight, df) == [
        "flight_date: not_null failed for 1 row (samples: null)",
        "carrier: str_matches('^[A-Z0-9]{2}$') failed for 2 rows (samples: 'b6', 'AA\\n')",
        "number: unique failed for 2 rows (samples: 7)",
        "dep_delay: ge(-120) failed for 2 rows (samples: -999.0, -121.0)",
    ]


def test_as_many_samples_as_wanted_are_shown():
    df = flights(dep_delay=[-500.0, -400.0, -300.0, -200.0])
    contract = compile_contract(Flight, df.schema)

    (result,) = contract.samples(df.lazy(), judge(Flight, df).results, n=2)

    assert str(result) == "dep_delay: ge(-120) failed for 4 rows (samples: -500.0, -400.0, ...)"


def test_all_samples_are_said_to_be_all():
    df = flights(dep_delay=[-500.0, -400.0, 0.0, 0.0])
    contract = compile_contract(Flight, df.schema)

    (result,) = contract.samples(df, judge(Flight, df).results, n=2)

    assert str(result) == "dep_delay: ge(-120) failed for 2 rows (samples: -500.0, -400.0)"


def test_a_record_of_a_result_holds_no_values_of_rows():
    df = flights(carrier=["secret"] * 4)
    (result,) = compile_contract(Flight, df.schema).samples(df, judge(Flight, df).results)

    record = result.to_json()

    assert "secret" in str(result)
    assert "secret" not in json.dumps(record)
    assert record == {
        "rule": "str_matches('^[A-Z0-9]{2}$')",
        "severity": "fail",
        "failed_rows": 4,
        "column": "carrier",
    }


def test_results_travel_between_processes():
    df = flights(number=[1, 1, 2, 3])
    verdict = judge(Flight, df)

    assert pickle.loads(pickle.dumps(verdict)) == verdict


def test_long_values_are_cut():
    df = flights(carrier=["x" * 1000, "AA", "AA", "AA"])

    (sentence,) = sentences(Flight, df)

    assert len(sentence) < 160


# what pandera means by null, NaN and equal


class Measure(pa.DataFrameModel):
    strict: float
    loose: float = pa.Field(nullable=True, ge=0)
    key: float = pa.Field(nullable=True, unique=True)


def measures(**changed: list[float | None]) -> pl.DataFrame:
    good: dict[str, list[float | None]] = {"strict": [1.0, 2.0], "loose": [1.0, None], "key": [1.0, 2.0]}
    return pl.DataFrame(good | changed, schema=dict.fromkeys(good, pl.Float64()))


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"strict": [1.0, float("nan")]}, "strict: not_null failed for 1 row (samples: nan)"),
        ({"loose": [float("nan"), None]}, None),
        ({"key": [None, None]}, "key: unique failed for 1 row (samples: null)"),
        ({"key": [float("nan"), float("nan")]}, "key: unique failed for 1 row (samples: nan)"),
        ({"key": [0.0, -0.0]}, "key: unique failed for 1 row (samples: 0.0)"),
    ],
)
def test_nulls_nans_and_zeros_are_those_of_pandera(changed, sentence):
    df = measures(**changed)

    assert sentences(Measure, df) == ([sentence] if sentence else [])
    if sentence is None:
        Measure.validate(df)
    else:
        with pytest.raises(pa.errors.SchemaErrors):
            Measure.validate(df, lazy=True)


# checks of authors


class Daily(pa.DataFrameModel):
    carrier: str
    flights: int = pa.Field(gt=0)
    late: int

    @pa.check("late")
    @classmethod
    def small(cls, data: pa.PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(pl.col(data.key) < 100)

    @pa.check("late", error="late on average")
    @classmethod
    def mean_is_small(cls, data: pa.PolarsData) -> pl.Expr:
        return pl.col(data.key).mean() < 10

    @pa.dataframe_check
    @classmethod
    def no_more_late_than_flown(cls, data: pa.PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(pl.col("late") <= pl.col("flights"))

    @pa.dataframe_check
    @classmethod
    def enough_rows(cls, data: pa.PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(pl.len() >= 2)

    class Config:
        unique: ClassVar = ["carrier", "flights"]


DAYS = {"carrier": pl.String(), "flights": pl.Int64(), "late": pl.Int64()}


def test_checks_of_authors_join_the_one_pass():
    contract = compile_contract(Daily, pl.Schema(DAYS))

    assert contract.residual == ()
    assert [(rule.name, rule.kind) for rule in contract.rules if rule.name != "not_null"] == [
        ("gt(0)", RuleKind.ROW),
        ("small", RuleKind.ROW),
        ("late on average", RuleKind.AGGREGATE),
        ("unique(carrier, flights)", RuleKind.UNIQUE),
        ("no_more_late_than_flown", RuleKind.ROW),
        ("enough_rows", RuleKind.AGGREGATE),
    ]


def test_checks_of_authors_have_sentences():
    df = pl.DataFrame({"carrier": ["AA", "AA", "B6"], "flights": [1, 1, 200], "late": [3, 0, 100]}, schema=DAYS)

    assert set(sentences(Daily, df)) == {
        "late: small failed for 1 row (samples: 100)",
        "late: late on average failed",
        "table: unique(carrier, flights) failed for 1 row (samples: {carrier: 'AA', flights: 1})",
        "table: no_more_late_than_flown failed for 1 row (samples: {late: 3, flights: 1})",
    }


def test_a_partition_without_rows_is_judged_too():
    contract = compile_contract(Daily, pl.Schema(DAYS))

    verdict = contract.judge_no_rows()

    assert verdict.rows == 0
    assert [str(result) for result in verdict.failed] == ["table: enough_rows failed"]


def test_what_an_author_calls_twice_by_one_name_is_numbered():
    class Twice(pa.DataFrameModel):
        number: int = pa.Field(gt=0)

        @pa.check("number", error="gt(0)")
        @classmethod
        def above(cls, data: pa.PolarsData) -> pl.LazyFrame:
            return data.lazyframe.select(pl.col(data.key) > 10)

    df = pl.DataFrame({"number": [5]})

    assert sentences(Twice, df) == ["number: gt(0) #2 failed for 1 row (samples: 5)"]


def test_an_author_s_function_is_called_for_each_compilation_because_it_may_look_at_the_clock():
    limits = iter([10, 1])

    class Moving(pa.DataFrameModel):
        number: int

        @pa.check("number")
        @classmethod
        def below_the_limit(cls, data: pa.PolarsData) -> pl.LazyFrame:
            return data.lazyframe.select(pl.col(data.key) < next(limits))

    df = pl.DataFrame({"number": [5]})

    assert judge_by(compile_contract(Moving, df.schema), df).ok
    assert not judge_by(compile_contract(Moving, df.schema), df).ok


def test_a_contract_of_builtin_rules_is_compiled_once():
    assert compile_contract(Flight, SCHEMA) is compile_contract(Flight, pl.Schema(SCHEMA))


# severities


class Lenient(pa.DataFrameModel):
    all_warn: int = pa.Field(ge=0, le=10, metadata={"on_fail": "warn"})
    one_warns: float = pa.Field(ge=0, le=10, unique=True, metadata={"on_fail": {"ge": "warn", "not_null": "warn"}})
    one_fails: int = pa.Field(ge=0, le=10, raise_warning=True, metadata={"on_fail": {"less_than_or_equal_to": "fail"}})
    others_warn: int = pa.Field(ge=0, unique=True, metadata={"on_fail": {"*": "warn", "unique": "fail"}})

    @pa.check("all_warn", name="not 5")
    @classmethod
    def unlucky(cls, data: pa.PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(pl.col(data.key) != 5)

    @pa.dataframe_check
    @classmethod
    def small(cls, data: pa.PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(pl.len() < 3)

    @pa.dataframe_check
    @classmethod
    def tiny(cls, data: pa.PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(pl.len() < 2)

    class Config:
        unique: ClassVar = ["all_warn", "one_fails"]
        metadata: ClassVar = {"on_fail": {"tiny": "warn", "unique": "warn"}}


def test_the_author_says_which_rules_only_warn():
    schema = {"all_warn": pl.Int64(), "one_warns": pl.Float64(), "one_fails": pl.Int64(), "others_warn": pl.Int64()}
    rules = compile_contract(Lenient, pl.Schema(schema)).rules

    failing = {(rule.column, rule.name) for rule in rules if rule.severity is Severity.FAIL}

    assert failing == {
        ("one_warns", "le(10)"),
        ("one_warns", "unique"),
        ("one_fails", "not_null"),
        ("one_fails", "le(10)"),
        ("others_warn", "unique"),
        (None, "small"),
    }
    assert len(rules) == 17


def test_warnings_are_told_and_do_not_forbid_a_commit():
    class Warned(pa.DataFrameModel):
        number: int = pa.Field(ge=0, metadata={"on_fail": "warn"})

    verdict = judge(Warned, pl.DataFrame({"number": [-1, 2]}))

    assert verdict.ok
    assert verdict.failed == ()
    assert verdict.warned == (RuleResult("number", "ge(0)", Severity.WARN, failed_rows=1),)


# groups, patterns


def test_groups_are_judged_as_each_of_them_alone():
    df = pl.concat(
        [
            flights(),
            flights(flight_date=[date(2013, 1, 2)] * 4, number=[5, 5, 6, 6]),
            flights(flight_date=[date(2013, 1, 3)] * 4, dep_delay=[-200.0, None, 0.0, 0.0]),
        ]
    )
    contract = compile_contract(Flight, df.schema)

    rows = df.lazy().group_by("flight_date").agg(contract.aggregates()).collect(engine="streaming").to_dicts()

    verdicts = {row["flight_date"].day: contract.judge(row) for row in rows}
    assert {day: [str(result) for result in verdict.results] for day, verdict in verdicts.items()} == {
        1: [],
        2: ["number: unique failed for 2 rows"],
        3: ["dep_delay: ge(-120) failed for 1 row"],
    }


def test_a_pattern_speaks_for_the_columns_that_match_and_have_no_declaration():
    class Wide(pa.DataFrameModel):
        hour_0: int
        hours: int = pa.Field(alias=r"hour_\d+", regex=True, ge=0)

    df = pl.DataFrame({"hour_0": [-5], "hour_1": [1], "hour_2": [-2]})

    assert sentences(Wide, df) == ["hour_2: ge(0) failed for 1 row (samples: -2)"]


class Hours(pa.DataFrameModel):
    hours: int = pa.Field(alias=r"hour_\d+", regex=True)

    @pa.check(r"hour_\d+")
    @classmethod
    def below_the_day(cls, data: pa.PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(pl.col(data.key) < pl.col("day"))


def test_a_check_of_a_pattern_sees_the_other_columns():
    class HoursOfDay(Hours):
        day: int

    df = pl.DataFrame({"day": [9, 9], "hour_1": [1, 9]})

    assert sentences(HoursOfDay, df) == ["hour_1: below_the_day failed for 1 row (samples: 9)"]
    with pytest.raises(pa.errors.SchemaErrors, match="below_the_day"):
        HoursOfDay.validate(df, lazy=True)


def test_a_check_of_a_model_of_patterns_sees_no_other_column_as_pandera_has_it():
    df = pl.DataFrame({"day": [9], "hour_1": [1]})
    contract = compile_contract(Hours, df.schema)

    (check,) = contract.residual
    assert (check.column, check.name, check.broken) == ("hour_1", "below_the_day", True)
    assert not judge_by(contract, df).ok
    with pytest.raises(pa.errors.SchemaErrors, match="CHECK_ERROR"):
        Hours.validate(df, lazy=True)


@pytest.mark.parametrize("ignore_na", [True, False])
def test_texts_are_looked_for_among_few_as_among_many(ignore_na):
    few, many = ["a", "b"], ["a", "b", *map(str, range(20))]
    df = pl.DataFrame({"text": ["a", "c", None, "", "b"]})

    def failing(allowed: list[str]) -> list[int | None]:
        isin = pa.Check.isin(allowed, ignore_na=ignore_na)
        column = pa.Column(str, isin, nullable=True)
        schema = pa.DataFrameSchema({"text": column})
        model = type("Texts", (pa.DataFrameModel,), {"to_schema": classmethod(lambda _: schema)})
        return [result.failed_rows for result in judge(model, df).results]

    assert failing(few) == failing(many) == [2 if ignore_na else 3]
