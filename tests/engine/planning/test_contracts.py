"""Contracts: what is found without data, and what is left alone."""

from __future__ import annotations

import datetime as dt
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import pandera.polars as pa
import polars as pl
import pytest

import deltaworks as dw
from deltaworks import DataFrame, LazyFrame
from deltaworks.engine.planning.contracts import Problem, ProblemKind
from deltaworks.errors import Place
from tests.engine.planning import flown
from tests.engine.planning.flown import DAYS, Daily, Flight, check, findings


def test_a_project_that_fits_has_no_problems() -> None:
    @dw.asset(partitions=DAYS, partition_by="day")
    def daily(flights: LazyFrame[Flight], partition: dw.Partition, log: dw.Logger) -> LazyFrame[Daily]:
        log.info("making %s", partition.key)
        assert partition.start == dt.date(2013, 1, 1)
        return flights.group_by("day").agg(pl.col("delay").mean())

    @dw.asset
    def year(daily: DataFrame[Daily]) -> pl.DataFrame:
        return daily.select(pl.len().cast(pl.Int64).alias("days"))

    assert check(daily, year) == ()


def reader(model: type) -> dw.Asset[..., Any]:
    def daily(flights: Any) -> Any:
        return flights

    daily.__annotations__ = {"flights": LazyFrame[model], "return": pl.LazyFrame}
    return dw.asset(daily)


class Missing(pa.DataFrameModel):
    tail: str


class OptionalTail(pa.DataFrameModel):
    tail: str | None


class Other(pa.DataFrameModel):
    day: str


class OptionalOther(pa.DataFrameModel):
    day: str | None


class Strict(pa.DataFrameModel):
    delay: float


class Sometimes(pa.DataFrameModel):
    seats: int


@pytest.mark.parametrize(
    ("model", "difference"),
    [
        (Missing, "reads column 'tail' of flights as String, but model Flight ({place}) does not have it"),
        (Other, "reads column 'day' of flights as String, but model Flight ({place}) has it as Date"),
        (OptionalOther, "reads column 'day' of flights as String, but model Flight ({place}) has it as Date"),
        (Strict, "reads column 'delay' of flights as Float64, but model Flight ({place}) lets it be null"),
        (Sometimes, "reads column 'seats' of flights as Int64, but model Flight ({place}) does not always have it"),
    ],
)
def test_a_reader_that_asks_for_more_than_there_is_is_told_both_places(model: type, difference: str) -> None:
    daily = reader(model)

    (problem,) = check(daily)

    place = Place(flown.__file__, inspect.getsourcelines(Flight)[1])
    assert problem == Problem(
        ProblemKind.CONTRACT,
        "daily",
        f"daily ({daily.where}) {difference.format(place=place)}",
        daily.where.file,
        daily.where.line,
        place,
    )


@pytest.mark.parametrize("model", [Flight, Daily, OptionalTail])
def test_a_reader_may_ask_for_less(model: type) -> None:
    assert check(reader(model)) == ()


def test_columns_that_a_pattern_offers_can_be_read() -> None:
    class Wide(pa.DataFrameModel):
        price: float = pa.Field(alias="price_.*", regex=True)

    class Narrow(pa.DataFrameModel):
        price_eur: float

    class Wrong(pa.DataFrameModel):
        price_eur: int

    @dw.asset
    def prices() -> LazyFrame[Wide]: ...
    @dw.asset
    def fits(prices: LazyFrame[Narrow]) -> pl.LazyFrame:
        return prices.select("price_eur")  # which columns there are is not known, so it is not called

    @dw.asset
    def does_not(prices: LazyFrame[Wrong]) -> pl.LazyFrame:
        return prices

    (problem,) = check(prices, fits, does_not)
    assert (problem.asset, problem.kind) == ("does_not", "contract")


def line_of(asset: dw.Asset[..., Any], text: str) -> int:
    lines, first = inspect.getsourcelines(asset.function)
    return first + next(number for number, line in enumerate(lines) if text in line)


def test_an_error_while_the_plan_is_built_is_placed_on_its_line() -> None:
    @dw.asset
    def daily(flights: LazyFrame[Flight]) -> pl.LazyFrame:
        early = flights.filter(pl.col("delay") < 0)
        return early.collect_schema() and early.select("delay").collect().lazy().collect().select("late").lazy()

    (problem,) = check(daily)

    assert (problem.kind, problem.asset) == ("function", "daily")
    assert "ColumnNotFoundError" in problem.message
    assert (problem.file, problem.line) == (__file__, line_of(daily, 'select("late")'))


def _helper(lf: pl.LazyFrame) -> pl.DataFrame:
    return lf.select("nowhere").collect()


def test_an_error_in_a_helper_is_placed_there() -> None:
    @dw.asset
    def daily(flights: LazyFrame[Flight]) -> pl.LazyFrame:
        return _helper(flights).lazy()

    (problem,) = check(daily)

    assert (problem.file, problem.line) == (__file__, inspect.getsourcelines(_helper)[1] + 1)


@pytest.mark.parametrize(
    ("expression", "name"),
    [
        (pl.col("late"), "ColumnNotFoundError"),
        (pl.col("carrier") + 1, "Error"),
        (pl.col("delay").str.len_chars(), "Error"),
    ],
)
def test_an_error_of_the_plan_is_placed_on_the_function(expression: pl.Expr, name: str) -> None:
    @dw.asset
    def daily(flights: LazyFrame[Flight]) -> pl.LazyFrame:
        return flights.select(expression)

    (problem,) = check(daily)

    assert (problem.kind, problem.line) == ("function", daily.where.line)
    assert problem.message.startswith("the function of daily fails on the columns of its upstreams: ")
    assert name in problem.message
    assert "\n" not in problem.message


@pytest.mark.parametrize(
    "step",
    [
        lambda lf: lf.filter(pl.col("delay") > 3),
        lambda lf: lf.remove(pl.col("delay") > 3),
        lambda lf: lf.join(lf, on="day"),
        lambda lf: lf.join_where(lf, pl.col("delay") > pl.col("delay_right")),
        lambda lf: lf.unique(),
        lambda lf: lf.drop_nulls(),
        lambda lf: lf.drop_nans(),
        lambda lf: lf.collect().filter(pl.col("delay") > 3).lazy(),
    ],
)
def test_an_expression_that_does_not_fit_is_found_where_no_rows_come(
    step: Callable[[pl.LazyFrame], pl.LazyFrame],
) -> None:
    @dw.asset
    def daily(flights: LazyFrame[Flight]) -> pl.LazyFrame:
        return step(flights).select(year=pl.col("carrier").dt.year().cast(pl.Int64))

    @dw.asset
    def fits(flights: LazyFrame[Flight]) -> pl.LazyFrame:
        return step(flights).select(year=pl.col("day").dt.year().cast(pl.Int64))

    (problem,) = check(daily, fits)

    assert (problem.asset, problem.kind, problem.line) == ("daily", "function", daily.where.line)
    assert "InvalidOperationError" in problem.message


@pytest.mark.parametrize(
    "expression",
    [
        pl.when(pl.col("delay") > 0).then(pl.col("carrier").dt.year()),
        pl.when(pl.col("delay") > 0).then(pl.when(pl.col("delay") > 9).then(pl.col("day").str.len_chars())),
        pl.when(pl.col("carrier").dt.year() > 0).then(1),
        pl.when(pl.col("delay") > 0).then(1).otherwise(pl.col("delay").str.len_chars()),
        pl.col("carrier").dt.year().over("day"),
        pl.concat_list("delay").list.eval(pl.element().str.len_chars()).list.first(),
        pl.when(pl.col("delay") > 0).then(pl.col("day").cat.len_chars()),
        pl.when(pl.col("delay") > 0).then(pl.col("carrier").dt.date()),
    ],
)
@pytest.mark.parametrize("step", [lambda lf: lf, lambda lf: lf.filter(pl.col("delay") > 3)], ids=["all", "some"])
def test_a_branch_that_does_not_fit_is_found(
    expression: pl.Expr, step: Callable[[pl.LazyFrame], pl.LazyFrame], capfd: pytest.CaptureFixture[str]
) -> None:
    @dw.asset
    def daily(flights: LazyFrame[Flight]) -> pl.LazyFrame:
        return step(flights).select(value=expression.cast(pl.String))

    (problem,) = check(daily)

    capfd.readouterr()  # where Polars panics, it says so by itself
    assert (problem.asset, problem.kind, problem.line) == ("daily", "function", daily.where.line)
    assert problem.message.startswith("the function of daily fails on the columns of its upstreams: ")
    assert problem.upstream == Place(flown.__file__, inspect.getsourcelines(Flight)[1])


@pytest.mark.parametrize(
    "expression",
    [
        pl.col("carrier").fill_null("none").cast(pl.Int64),
        pl.col("carrier").fill_null("none").replace_strict({"AA": 1}),
        pl.col("carrier").fill_null("none").str.to_date("%Y"),
        pl.when(pl.col("delay").is_null()).then(pl.col("carrier").fill_null("none").str.to_integer()),
        pl.col("carrier").map_elements(str.swapcase).str.len_chars(),
    ],
)
def test_what_fails_for_want_of_real_values_is_no_problem(expression: pl.Expr) -> None:
    @dw.asset
    def daily(flights: LazyFrame[Flight]) -> pl.LazyFrame:
        return flights.select(value=expression.cast(pl.String))

    assert check(daily) == ()


def test_a_rule_that_no_rows_can_keep_is_told_with_the_place_of_its_model() -> None:
    class Wrong(pa.DataFrameModel):
        day: pl.Date
        carrier: str

        @pa.check("carrier")
        def late(cls, data: pa.PolarsData) -> pl.LazyFrame:
            return data.lazyframe.collect().select(pl.col("carrier").dt.year() > 3).lazy()

        @pa.dataframe_check
        def named(cls, data: pa.PolarsData) -> pl.LazyFrame:
            return data.lazyframe.select(pl.col("carier") != "")

        @pa.dataframe_check
        def few(cls, data: pa.PolarsData) -> bool:
            return 0 < len(data.lazyframe.collect().rows()) < 9

    @dw.asset(partitions=DAYS, partition_by="day")
    def source() -> LazyFrame[Wrong]:
        raise AssertionError("a source is never called")

    place = f"({__file__}:{inspect.getsourcelines(Wrong)[1]})"
    late, named = check(source)

    assert late.message == (
        f"the model of source: rule 'late' of column 'carrier' {place} can be kept by no rows: "
        "InvalidOperationError: `year` operation not supported for dtype `str`"
    )
    assert named.message.startswith(f"the model of source: rule 'named' of the model {place} can be kept by no rows: ")
    assert {(each.kind, each.file, each.line) for each in (late, named)} == {("contract", __file__, source.where.line)}


def test_what_nothing_needs_is_not_computed() -> None:
    @dw.asset
    def daily(flights: LazyFrame[Flight]) -> pl.LazyFrame:
        return flights.filter(pl.col("delay") > 3).with_columns(year=pl.col("carrier").dt.year()).select("day")

    assert check(daily) == ()


def test_a_frame_of_the_authors_keeps_its_rows() -> None:
    carriers = pl.LazyFrame({"carrier": ["AA", "UA"]})

    @dw.asset
    def daily(flights: LazyFrame[Flight]) -> pl.LazyFrame:
        left = carriers.filter(pl.col("carrier") != "AA").select(pl.len()).collect()
        return flights.select(pl.all() if left.equals(pl.DataFrame({"len": [1]}, {"len": pl.UInt32})) else "nowhere")

    assert check(daily) == ()
    assert carriers.filter(pl.col("carrier") != "AA").collect().height == 1


@pytest.mark.parametrize("result", [None, 1, [pl.LazyFrame()], pl.col("x")])
def test_a_function_returns_a_frame(result: object) -> None:
    @dw.asset
    def daily(flights: LazyFrame[Flight]) -> pl.LazyFrame:
        return result

    (problem,) = check(daily)

    assert (problem.kind, problem.message) == (
        "function",
        f"the function of daily returned {type(result).__name__}, expected a Polars frame",
    )


def test_a_result_fits_its_model() -> None:
    @dw.asset(partitions=DAYS, partition_by="day")
    def daily(flights: LazyFrame[Flight]) -> LazyFrame[Daily]:
        return flights.select("carrier", delay=pl.col("delay").cast(pl.Int64))

    problems = check(daily)

    assert [(problem.kind, problem.message) for problem in problems] == [
        ("schema", "the result of daily: column 'day' is missing; Daily declares it as Date."),
        ("schema", "the result of daily: column 'delay' is Int64, but its model declares Float64."),
    ]
    assert {problem.line for problem in problems} == {daily.where.line}


def test_what_a_model_casts_is_cast_before_it_is_compared() -> None:
    class Cast(pa.DataFrameModel):
        day: pl.Date
        delay: int = pa.Field(coerce=True, nullable=True)

    @dw.asset
    def daily(flights: LazyFrame[Flight]) -> LazyFrame[Cast]:
        return flights.select("day", "delay")

    assert check(daily) == ()


@pytest.mark.parametrize(
    ("columns", "message"),
    [(["delay"], "partition column 'day' is missing"), (["day", "delay"], "partition column 'day' has dtype Float64")],
)
def test_without_a_model_the_partition_column_is_still_needed(columns: list[str], message: str) -> None:
    @dw.asset(partitions=DAYS, partition_by="day")
    def daily(flights: LazyFrame[Flight]) -> pl.LazyFrame:
        return flights.select(pl.col("delay").alias(column) for column in columns)

    (problem,) = check(daily)

    assert problem.kind == "schema"
    assert message in problem.message


def test_a_dtype_that_delta_does_not_keep_is_named_with_the_one_to_use() -> None:
    @dw.asset
    def daily(flights: LazyFrame[Flight]) -> pl.LazyFrame:
        return flights.group_by("carrier").agg(pl.len(), nothing=pl.lit(None))

    kinds = {(problem.kind, problem.message) for problem in check(daily)}

    assert (
        "dtype",
        "the result of daily: column 'len' has dtype UInt32: Delta does not give it back as it was; use Int64",
    ) in kinds
    assert len(kinds) == 2


def test_what_a_function_returns_is_what_its_readers_read() -> None:
    @dw.asset
    def renamed(flights: LazyFrame[Flight]) -> pl.LazyFrame:
        return flights.rename({"delay": "minutes"})

    @dw.asset
    def good(renamed: pl.LazyFrame) -> pl.LazyFrame:
        return renamed.select("minutes")

    @dw.asset
    def bad(renamed: Annotated[pl.LazyFrame, dw.Input(asset="renamed")]) -> pl.LazyFrame:
        return renamed.select("delay")

    assert [problem.asset for problem in check(renamed, good, bad)] == ["bad"]


def test_readers_of_what_is_not_known_are_left_alone() -> None:
    @dw.asset
    def source() -> pl.LazyFrame: ...
    @dw.asset
    def reader(source: pl.LazyFrame) -> pl.LazyFrame:
        return source.select("whatever")

    assert check(source, reader) == ()


def test_what_no_model_says_is_compared_with_what_readers_ask_for_two_levels_down() -> None:
    class Renamed(pa.DataFrameModel):
        minutes: int
        tail: str

    @dw.asset
    def renamed(flights: LazyFrame[Flight]) -> pl.LazyFrame:
        return flights.rename({"delay": "minutes"})

    @dw.asset
    def again(renamed: pl.LazyFrame) -> pl.LazyFrame:
        return renamed.select("minutes")

    @dw.asset
    def modelled(again: LazyFrame[Renamed]) -> pl.LazyFrame:
        return again

    problems = check(renamed, again, modelled)

    reads = f"modelled ({modelled.where}) reads column"
    returns = f"what again ({again.where}) returns"
    assert [problem.message for problem in problems] == [
        f"{reads} 'minutes' of again as Int64, but {returns} has it as Float64",
        f"{reads} 'tail' of again as String, but {returns} does not have it",
    ]
    assert {(problem.kind, problem.upstream) for problem in problems} == {("contract", again.where)}


def test_columns_beyond_a_model_are_there_for_readers() -> None:
    @dw.asset
    def wide(flights: LazyFrame[Flight]) -> LazyFrame[Daily]:
        return flights.with_columns(late=pl.col("delay") > 0)

    @dw.asset
    def reads_more(wide: LazyFrame[Daily]) -> pl.LazyFrame:
        return wide.filter("late")

    assert check(wide, reads_more) == ()


def test_a_failing_function_of_two_upstreams_is_told_where_both_say_their_columns() -> None:
    @dw.asset
    def counts(flights: LazyFrame[Flight]) -> pl.LazyFrame:
        return flights.group_by("carrier").agg(pl.col("delay").sum())

    @dw.asset
    def joined(flights: LazyFrame[Flight], counts: pl.LazyFrame) -> pl.LazyFrame:
        return flights.join(counts, left_on="day", right_on="carrier")

    (problem,) = check(counts, joined)

    flight = Place(flown.__file__, inspect.getsourcelines(Flight)[1])
    assert problem.message.endswith(f"; it reads flights ({flight}), counts ({counts.where})")
    assert problem.upstream is None


class DropsByMean(pa.DataFrameModel):
    delay: float = pa.Field(nullable=True, metadata={"on_fail": {"not_too_late": "drop"}})

    @pa.check("delay")
    def not_too_late(cls, data: Any) -> pl.LazyFrame:
        return data.lazyframe.select(pl.col(data.key).mean() < 60)


@pytest.mark.parametrize("is_rehearsed", [True, False])
def test_what_a_model_cannot_have_is_told_once_even_where_the_function_is_not_called(is_rehearsed: bool) -> None:
    @dw.asset
    def rehearsed(flights: LazyFrame[Flight]) -> LazyFrame[DropsByMean]:
        return flights.select("delay")

    @dw.asset
    def source() -> LazyFrame[DropsByMean]:
        raise AssertionError

    asset = rehearsed if is_rehearsed else source
    (problem,) = check(asset)

    assert (problem.kind, problem.line) == ("contract", asset.where.line)
    assert problem.message == (
        f"the model of {asset.key}: rule 'not_too_late' of column 'delay' says nothing of single rows, so none can be "
        "left out by 'drop'; its on_fail can be 'fail' or 'warn'."
    )


def test_a_pattern_whose_rule_cannot_be_had_is_told_too() -> None:
    class Prices(pa.DataFrameModel):
        price: float = pa.Field(alias="^price_.*$", regex=True, metadata={"on_fail": {"mean_is_low": "quarantine"}})

        @pa.check("^price_.*$")
        def mean_is_low(cls, data: Any) -> pl.LazyFrame:
            return data.lazyframe.select(pl.col(data.key).mean() < 60)

    @dw.asset
    def prices() -> LazyFrame[Prices]: ...

    (problem,) = check(prices)
    assert "rule 'mean_is_low' of column 'price_.*' says nothing of single rows" in problem.message


def test_what_was_proved_and_what_was_left() -> None:
    @dw.asset
    def daily(flights: LazyFrame[Flight]) -> LazyFrame[Daily]:
        return flights.select("day", "delay")

    @dw.asset
    def wrong(flights: LazyFrame[Flight]) -> LazyFrame[Daily]:
        return flights.select("nowhere")

    @dw.asset
    def collects(daily: LazyFrame[Daily]) -> pl.LazyFrame:
        return daily.filter(pl.col("delay") > len(daily.collect().rows()))

    @dw.asset
    def after(collects: pl.LazyFrame) -> pl.LazyFrame:
        return collects

    found = findings(daily, wrong, collects, after)

    assert {str(key): schema for key, schema in found.results.items()} == {
        "daily": pl.Schema({"day": pl.Date, "delay": pl.Float64})
    }
    assert {str(key): reason for key, reason in found.left.items()} == {
        "flights": "has no upstream",
        "collects": "takes values out of rows",
        "after": "reads collects, whose columns are not known",
    }
