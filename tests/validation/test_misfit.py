"""Rules that no rows of a schema can keep are found without any; what only real rows show is left to them."""

from __future__ import annotations

from typing import Any

import pandera.polars as pa
import polars as pl
import pytest

from deltaworks.validation import compile_contract, row_of_nulls, unfit_check, unfit_rules

SCHEMA = pl.Schema({"number": pl.Int64(), "text": pl.String()})


class Unfit(pa.DataFrameModel):
    number: int
    text: str

    @pa.check("number")
    def of_another_dtype(cls, data: pa.PolarsData) -> Any:
        return data.lazyframe.collect().select(pl.col("text").dt.year() > 3).lazy()

    @pa.check("number")
    def of_another_dtype_in_a_branch(cls, data: pa.PolarsData) -> Any:
        return data.lazyframe.select(pl.when(pl.col("number") > 3).then(pl.col("text").dt.year() > 3).otherwise(True))

    @pa.check("number")
    def of_another_name(cls, data: pa.PolarsData) -> Any:
        return data.lazyframe.with_columns(is_kept=pl.col("numbr") > 0).select("is_kept")

    @pa.dataframe_check
    def of_another_name_eagerly(cls, data: pa.PolarsData) -> Any:
        return bool(data.lazyframe.collect()["numbr"].sum() > 3)

    @pa.check("number")
    def no_answer(cls, _data: pa.PolarsData) -> Any:
        return None

    @pa.check("number")
    def numbers(cls, data: pa.PolarsData) -> Any:
        return data.lazyframe.select(pl.col("number") + 1)


class Fit(pa.DataFrameModel):
    number: int = pa.Field(ge=0, unique=True)
    text: str = pa.Field(str_matches="a")

    @pa.check("number", element_wise=True)
    def calls_python(cls, value: int) -> bool:
        return value.bit_count() > 1

    @pa.check("number")
    def needs_rows(cls, data: pa.PolarsData) -> Any:
        return bool(data.lazyframe.collect()["number"][0] > 3)

    @pa.check("number")
    def wants_rows(cls, data: pa.PolarsData) -> Any:
        return data.lazyframe.collect().height > 1

    @pa.check("text")
    def made_a_number(cls, data: pa.PolarsData) -> Any:
        return data.lazyframe.select(pl.col("text").fill_null("none").cast(pl.Int64) > 0)

    @pa.check("text")
    def mapped(cls, data: pa.PolarsData) -> Any:
        return data.lazyframe.select(pl.col("text").fill_null("none").replace_strict({"a": 1, "b": 2}) > 1)

    @pa.check("text")
    def columns_of_nothing(cls, data: pa.PolarsData) -> Any:
        texts = [row[0] for row in data.lazyframe.select("text").collect().iter_rows()]
        return pl.LazyFrame({"text": texts}).select(pl.col("text").str.len_chars() > 0)


def reasons(model: type) -> dict[str, str]:
    contract = compile_contract(model, SCHEMA)
    checks = {check.name: reason for check in contract.residual if (reason := unfit_check(check, SCHEMA)) is not None}
    return {rule.name: reason for rule, reason in unfit_rules(contract.rules, SCHEMA)} | checks


def test_what_no_rows_can_keep_has_a_reason() -> None:
    answers = "its function has to give back a LazyFrame of Booleans, or a bool ("
    no_year = "InvalidOperationError: `year` operation not supported for dtype `str`"

    assert reasons(Unfit) == {
        "of_another_dtype": no_year,
        "of_another_dtype_in_a_branch": no_year,
        "of_another_name": 'ColumnNotFoundError: unable to find column "numbr"; valid columns: ["number", "text"]',
        "of_another_name_eagerly": 'ColumnNotFoundError: "numbr" not found',
        "no_answer": f"{answers}AttributeError: 'NoneType' object has no attribute 'collect_schema')",
        "numbers": f"{answers}ComputeError: | on Int64 and Boolean is not supported)",
    }


def test_what_only_some_rows_break_has_none() -> None:
    assert reasons(Fit) == {}


def test_a_check_that_does_not_fit_the_columns_says_so() -> None:
    class Typo(pa.DataFrameModel):
        number: int = pa.Field(str_length=3)

    assert "does not fit the schema" in reasons(Typo)["str_length(3)"]


@pytest.mark.parametrize(
    "dtype",
    [
        pl.List(pl.Struct({"a": pl.List(pl.String)})),
        pl.Array(pl.Float64, 3),
        pl.Array(pl.Float64, (2, 3)),
        pl.Struct({"a": pl.Date, "b": pl.Struct({"c": pl.Time})}),
        pl.Decimal(10, 2),
        pl.Enum(["a"]),
        pl.Datetime("us", "UTC"),
        pl.Binary(),
        pl.Null(),
    ],
)
def test_a_row_without_values_has_the_columns_of_its_schema(dtype: pl.DataType) -> None:
    df = row_of_nulls(pl.Schema({"a": dtype, "b": pl.Int64()}))

    assert (df.height, df.schema) == (1, pl.Schema({"a": dtype, "b": pl.Int64()}))
