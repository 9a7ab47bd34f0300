"""Checks that do not compile: pandera runs them on the rows."""

import pandera.polars as pa
import polars as pl

from deltaworks.validation import compile_contract
from tests.validation.judging import judge, sentences


def even(value: int) -> bool:
    return divmod(value, 2)[1] == 0


class Odd(pa.DataFrameModel):
    number: int

    @pa.check("number", element_wise=True)
    @classmethod
    def is_even(cls, value: int) -> bool:
        return even(value)

    @pa.check("number")
    @classmethod
    def few(cls, data: pa.PolarsData) -> bool:
        return data.lazyframe.collect().height < 4

    @pa.check("number")
    @classmethod
    def mapped(cls, data: pa.PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(pl.col(data.key).map_batches(lambda column: column > 0, return_dtype=pl.Boolean))

    @pa.check("number")
    @classmethod
    def below_limits(cls, data: pa.PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(pl.col(data.key) < pl.lit(pl.Series([5, 5, 5, 5])))

    @pa.dataframe_check
    @classmethod
    def nothing_is_null(cls, _data: pa.PolarsData) -> pl.Expr:
        return pl.all().is_not_null()

    @pa.dataframe_check(ignore_na=False)
    @classmethod
    def divides(cls, _data: pa.PolarsData) -> pl.LazyFrame:
        raise ZeroDivisionError("by nothing")


def test_what_does_not_compile_says_why():
    residual = compile_contract(Odd, pl.Schema({"number": pl.Int64()})).residual

    assert {check.name: check.reason for check in residual} == {
        "is_even": "calls Python for every value",
        "few": "uses LazyFrame.collect",
        "mapped": "calls a Python function",
        "below_limits": "cannot be evaluated without rows: zip node received non-equal length inputs",
        "nothing_is_null": "selects columns without naming them",
        "divides": "raised ZeroDivisionError when it was read: by nothing",
    }


def test_what_does_not_compile_is_run_by_pandera():
    df = pl.DataFrame({"number": [1, 2, 3, -4]})

    verdict = judge(Odd, df)

    assert {str(result) for result in verdict.results} == {
        "number: is_even failed for 2 rows (samples: 1, 3)",
        "number: few failed",
        "number: mapped failed for 1 row (samples: -4)",
        "table: divides could not be checked: ZeroDivisionError: by nothing",
    }
    assert verdict.passed == 3


def test_a_check_that_fits_no_data_of_the_schema_is_broken():
    class Broken(pa.DataFrameModel):
        size: pl.Enum = pa.Field(dtype_kwargs={"categories": ["small", "large"]}, ge="medium")
        number: int = pa.Field(str_length=3)

        @pa.dataframe_check
        @classmethod
        def typo(cls, data: pa.PolarsData) -> pl.LazyFrame:
            return data.lazyframe.select(pl.col("numbr") > 0)

    contract = compile_contract(Broken, pl.Schema({"size": pl.Enum(["small", "large"]), "number": pl.Int64()}))

    assert [check.name for check in contract.residual if check.broken] == ["ge('medium')", "str_length(3)", "typo"]
    assert 'unable to find column "numbr"' in contract.residual[-1].reason


def test_a_check_that_raises_fails_even_if_it_was_only_to_warn():
    class Warned(pa.DataFrameModel):
        number: int

        @pa.check("number", raise_warning=True)
        @classmethod
        def raises(cls, _data: pa.PolarsData) -> pl.LazyFrame:
            raise LookupError("nowhere")

    assert not judge(Warned, pl.DataFrame({"number": [1]})).ok


def test_a_rule_that_raises_on_the_rows_fails_by_itself():
    class Numbered(pa.DataFrameModel):
        text: str
        size: int = pa.Field(ge=0)

        @pa.check("text", raise_warning=True)
        def positive(cls, data: pa.PolarsData) -> pl.LazyFrame:
            return data.lazyframe.select(pl.col(data.key).cast(pl.Int64) > 0)

    raised, negative = sentences(Numbered, pl.DataFrame({"text": ["1", "two"], "size": [1, -1]}))

    assert raised.startswith("text: positive could not be checked: InvalidOperationError: conversion from `str`")
    assert negative == "size: ge(0) failed for 1 row (samples: -1)"


def test_structs_keep_the_model_that_is_their_dtype():
    class Point(pa.DataFrameModel):
        x: int = pa.Field(ge=0)

    class Shape(pa.DataFrameModel):
        origin: Point = pa.Field(nullable=True)

    schema = {"origin": pl.Struct({"x": pl.Int64})}

    assert judge(Shape, pl.DataFrame({"origin": [{"x": 1}, None]}, schema=schema)).ok
    assert sentences(Shape, pl.DataFrame({"origin": [{"x": -1}]}, schema=schema)) == ["origin: model Point failed"]
