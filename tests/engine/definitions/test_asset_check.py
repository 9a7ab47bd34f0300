"""What an asset check says about itself, and what it may not say: refused with file and line."""

from __future__ import annotations

import datetime as dt
import types
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pandera.polars as pa
import polars as pl
import pytest

import deltaworks as dw
from deltaworks import LazyFrame
from deltaworks.engine.planning.graph import build_graph
from deltaworks.engine.workspace.loading import load_file
from deltaworks.errors import DefinitionError, InvalidDefinition

NOW = dt.datetime(2024, 6, 1, tzinfo=dt.UTC)
days = dw.DailyPartitions("2024-01-01", "2024-01-04")


class Row(pa.DataFrameModel):
    day: pl.Date
    n: int


@dw.asset(partitions=days, partition_by="day")
def numbers(partition: dw.Partition) -> LazyFrame[Row]:
    return pl.LazyFrame({"n": [1]}).select(day=pl.lit(partition.start), n="n")


@dw.asset(partitions=days, partition_by="day")
def others(numbers: LazyFrame[Row]) -> LazyFrame[Row]:
    return numbers


@dw.asset
def whole() -> LazyFrame[Row]:
    return pl.LazyFrame(schema={"day": pl.Date, "n": pl.Int64})


@dw.view
def seen(numbers: LazyFrame[Row]) -> LazyFrame[Row]:
    return numbers


def test_a_check_is_a_callable_that_knows_its_asset() -> None:
    @dw.asset_check(numbers, blocking=True)
    def positive(result: LazyFrame[Row]) -> bool:
        """All are positive."""
        return bool(result.select((pl.col("n") > 0).all()).collect().item())

    assert positive(pl.LazyFrame({"n": [1]})) is True
    assert (str(positive.key), positive.blocking, positive.when) == ("numbers:positive", True, "before")
    assert positive.description == "All are positive."
    assert positive.where.file == __file__


@pytest.mark.parametrize("argument", ["result", "numbers", "anything"])
def test_the_result_is_told_by_its_name_or_by_its_model(argument: str) -> None:
    namespace: dict[str, Any] = {"dw": dw, "numbers_": numbers, "LazyFrame": LazyFrame, "Row": Row}
    exec(f"def check({argument}: LazyFrame[Row]) -> bool: return True", namespace)

    check = dw.asset_check(numbers)(namespace["check"])

    assert check.result == argument


def refused(make: Callable[[], object]) -> str:
    with pytest.raises(InvalidDefinition) as caught:
        make()
    where = caught.value.where
    assert where is not None
    assert where.file == __file__
    assert str(caught.value).startswith(f"{where}: ")
    return caught.value.reason


def test_after_the_commit_nothing_can_be_blocked() -> None:
    def make() -> object:
        @dw.asset_check(numbers, blocking=True, when="after")
        def late(result: LazyFrame[Row]) -> bool:
            return True

        return late

    assert refused(make) == (
        "asset check 'numbers:late': blocking=True needs when='before': once the commit is visible, nothing can be "
        "kept from it; leave one of them out"
    )


def late_committed() -> object:
    @dw.asset_check(numbers, when="after")
    def check(result: LazyFrame[Row], before: dw.Committed[Row]) -> bool:
        return True

    return check


def no_such_time() -> object:
    @dw.asset_check(numbers, when="during")  # type: ignore[arg-type]
    def check(result: LazyFrame[Row]) -> bool:
        return True

    return check


def bad_name() -> object:
    @dw.asset_check(numbers, name="not half empty")
    def check(result: LazyFrame[Row]) -> bool:
        return True

    return check


def no_asset() -> object:
    @dw.asset_check(7)  # type: ignore[arg-type]
    def check(result: LazyFrame[Row]) -> bool:
        return True

    return check


def looks_at_nothing() -> object:
    @dw.asset_check(numbers)
    def check(whole: pl.LazyFrame) -> bool:
        return True

    return check


def reads_itself() -> object:
    @dw.asset_check(numbers)
    def check(result: LazyFrame[Row], all_days: Annotated[pl.LazyFrame, dw.Input(asset="numbers")]) -> bool:
        return True

    return check


def answers_nothing() -> object:
    @dw.asset_check(numbers)  # type: ignore[arg-type]
    def check(result: LazyFrame[Row]) -> None:
        return None

    return check


def says_no_answer() -> object:
    @dw.asset_check(numbers)
    def check(result: LazyFrame[Row]):  # type: ignore[no-untyped-def]
        return True

    return check


def asks_for_a_number() -> object:
    @dw.asset_check(numbers)
    def check(result: LazyFrame[Row], most: int) -> bool:
        return True

    return check


def is_a_generator() -> object:
    @dw.asset_check(numbers)  # type: ignore[arg-type]
    def check(result: LazyFrame[Row]) -> bool:
        yield True

    return check


def no_model() -> object:
    return dw.checks.row_count_change(numbers, max_change=0)


def no_trailing() -> object:
    return dw.checks.null_rate_drift(numbers, "n", trailing=0)


def no_age() -> object:
    return dw.checks.freshness(numbers, "day", 3600)  # type: ignore[arg-type]


def in_itself() -> object:
    return dw.checks.referential(numbers, "n", "numbers")


def nothing_accepted() -> object:
    return dw.checks.accepted_values(numbers, "n", [])


def one_accepted() -> object:
    return dw.checks.accepted_values(numbers, "n", 7)  # type: ignore[arg-type]


def no_column() -> object:
    return dw.checks.freshness(numbers, 7, dt.timedelta(days=1))  # type: ignore[arg-type]


def no_columns() -> object:
    return dw.checks.null_rate_drift(numbers, [])


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (late_committed, "argument 'before' is Committed, but when='after' the commit has replaced that"),
        (no_such_time, "when must be 'before' or 'after', not 'during'"),
        (bad_name, "asset check of 'numbers': name='not half empty' must start with a letter or a digit"),
        (no_asset, "asset check: asset must be an asset or its key, not 7"),
        (looks_at_nothing, "it does not look at the asset; give it an argument 'result'"),
        (reads_itself, "argument 'all_days' reads the asset itself; name the argument 'result'"),
        (answers_nothing, "the return annotation must be CheckResult or bool, not"),
        (says_no_answer, "the return annotation must be CheckResult or bool; there is none"),
        (asks_for_a_number, "asset check 'numbers:check': argument 'most' is an int"),
        (is_a_generator, "the function must return a CheckResult, so it is neither async nor a generator"),
        (no_model, "max_change must be a number above 0, not 0"),
        (no_trailing, "trailing must be a whole number above 0, not 0"),
        (no_age, "max_age must be a timedelta, not 3600"),
        (in_itself, "in_asset must be another asset than numbers"),
        (nothing_accepted, "values must be a collection of one or more, not []"),
        (one_accepted, "values must be a collection of one or more, not 7"),
        (no_column, "column must be the name of a column, not 7"),
        (no_columns, "columns must be one or more names, not []"),
    ],
)
def test_what_makes_no_sense_is_refused_where_it_stands(make: Callable[[], object], told: str) -> None:
    assert told in refused(make)


def test_only_checks_are_given_what_is_committed() -> None:
    def make() -> object:
        @dw.asset
        def table(before: dw.Committed[Row]) -> LazyFrame[Row]:
            return before

        return table

    assert "argument 'before' is Committed, which only asset checks are given" in refused(make)


def check_of(asset: object, **others: object) -> dw.AssetCheck:
    @dw.asset_check(asset, **others)  # type: ignore[arg-type]
    def check(result: LazyFrame[Row]) -> bool:
        return True

    return check


@pytest.mark.parametrize(
    ("asset", "told"),
    [
        ("number", "it judges 'number', but no asset has that name. Did you mean 'numbers'?"),
        (seen, "it judges seen, but no run makes that (it is computed when it is read)"),
    ],
)
def test_a_check_judges_what_runs_make(asset: object, told: str) -> None:
    assert told in refused(lambda: build_graph(dw.Definitions([numbers, seen], checks=[check_of(asset)]), NOW))


def test_what_a_graph_finds_wrong_with_a_check_has_its_place_too() -> None:
    @dw.asset_check(whole)
    def dated(result: LazyFrame[Row], partition: dw.Partition) -> bool:
        return True

    @dw.asset_check(whole)
    def earlier(result: LazyFrame[Row], before: dw.Previous[Row]) -> bool:
        return True

    @dw.asset_check(whole)
    def unclear(others: LazyFrame[Row]) -> bool:
        return True

    assets = [numbers, others, whole]
    graphs = [
        lambda each=each: build_graph(dw.Definitions(assets, checks=[each]), NOW) for each in (dated, earlier, unclear)
    ]

    told = [refused(graph) for graph in graphs]

    assert "argument 'partition' is a Partition, but whole is not partitioned" in told[0]
    assert "asset check 'whole:earlier': argument 'before': Previous needs partitions of one time" in told[1]
    assert "argument 'others' has the model of whole, so it is taken for the result, but that is the name" in told[2]


def test_an_argument_that_names_no_asset_is_refused() -> None:
    @dw.asset_check(numbers)
    def check(result: LazyFrame[Row], other: LazyFrame[Row]) -> bool:
        return True

    with pytest.raises(
        DefinitionError, match=r"'numbers:check' reads 'other', but no asset has that name. Did you mean"
    ):
        build_graph(dw.Definitions([numbers, others], checks=[check]), NOW)


class Limit(dw.Resource):
    most: int


def test_a_resource_that_is_missing_is_named_with_the_check() -> None:
    @dw.asset_check(numbers)
    def check(result: LazyFrame[Row], limit: Limit) -> bool:
        return True

    told = refused(lambda: build_graph(dw.Definitions([numbers], checks=[check]), NOW))

    assert told.startswith("asset check 'numbers:check' asks for a Limit as 'limit', but there is none")


def test_two_checks_of_an_asset_have_two_names() -> None:
    one, two = check_of(numbers), check_of(numbers)

    told = refused(lambda: dw.Definitions([numbers], checks=[one, two]))

    assert told.startswith(f"asset check 'numbers:check' is defined twice; the other definition is at {one.where}")
    assert len(dw.Definitions([numbers, others], checks=[one, check_of("others"), one]).checks) == 2


def test_a_module_s_checks_are_found_also_in_lists() -> None:
    module = types.ModuleType("shop")
    vars(module).update(numbers=numbers, one=check_of(numbers), more=[dw.checks.row_count_change(numbers)])

    found = dw.Definitions.from_module(module)

    assert [str(check.key) for check in found.checks] == ["numbers:check", "numbers:row_count_change"]


def test_what_is_among_the_checks_is_one() -> None:
    def plain(result: LazyFrame[Row]) -> bool:
        return True

    assert "among the checks is none; decorate its function with @asset_check" in refused(
        lambda: dw.Definitions([numbers], checks=[plain])  # type: ignore[list-item]
    )


@pytest.mark.parametrize(
    "lost",
    [
        "dw.checks.row_count_change(numbers)",
        "@dw.asset_check(numbers, name='b')\ndef a(result: pl.LazyFrame) -> bool:\n    return True",
    ],
)
def test_a_check_that_nobody_would_run_is_refused(lost: str, tmp_path: Path) -> None:
    file = tmp_path / "lost_checks.py"
    file.write_text(
        f"""import deltaworks as dw
import polars as pl

@dw.asset
def numbers() -> pl.LazyFrame:
    return pl.LazyFrame()

@dw.asset_check(numbers, name='a')
def a(result: pl.LazyFrame) -> bool:
    return True

{lost}
"""
    )

    with pytest.raises(
        InvalidDefinition, match="is not held by any name of the module, or a later one hides it"
    ) as caught:
        load_file(file)

    assert caught.value.where is not None
    assert caught.value.where.file == str(file)
