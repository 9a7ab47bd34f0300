"""What a model declares, and what is refused before there is any data."""

import inspect
from typing import Annotated, ClassVar, Optional

import pandera.polars as pa
import polars as pl
import pytest
from pandera.api.dataframe.model_components import dataframe_parser
from pandera.typing.polars import LazyFrame

from deltaworks.errors import InvalidContract, Place
from deltaworks.validation import SchemaProblem, compile_contract, declare, is_model


class Flight(pa.DataFrameModel):
    flight_date: pl.Date
    carrier: str = pa.Field(alias="Carrier")
    dep_delay: float = pa.Field(nullable=True, ge=-120)
    gate: Optional[str]  # noqa: UP045 - as pandera's users write a column that may be absent
    hours: int = pa.Field(alias=r"hour_\d+", regex=True)
    seen_at: Annotated[pl.Datetime, "ms", "UTC"] = pa.Field(unique=True)
    stops: pl.List(pl.String) = pa.Field(coerce=True)

    class Config:
        strict = True


# what is declared


def test_a_model_is_a_class_of_pandera_s_polars_models():
    assert is_model(Flight)
    assert not is_model(LazyFrame[Flight])
    assert not is_model(pl.LazyFrame)
    assert not is_model("Flight")


def test_a_model_declares_columns_patterns_and_strictness():
    declared = declare(Flight)

    assert declared.name == "Flight"
    assert [(column.name, column.nullable, column.required) for column in declared.columns] == [
        ("flight_date", False, True),
        ("Carrier", False, True),
        ("dep_delay", True, True),
        ("gate", False, False),
        ("seen_at", False, True),
        ("stops", False, True),
    ]
    assert declared.patterns == (r"hour_\d+",)
    assert declared.strict
    assert not declared.coerce
    assert [column.name for column in declared.columns if column.unique] == ["seen_at"]
    assert [column.name for column in declared.columns if column.coerce] == ["stops"]


def test_the_schema_of_a_model_holds_its_required_columns_in_order():
    schema = declare(Flight).schema()

    assert list(schema.items()) == [
        ("flight_date", pl.Date()),
        ("Carrier", pl.String()),
        ("dep_delay", pl.Float64()),
        ("seen_at", pl.Datetime("ms", "UTC")),
        ("stops", pl.List(pl.String())),
    ]
    assert all(isinstance(dtype, pl.DataType) for dtype in schema.values())


def test_a_model_knows_where_it_is_written():
    line = inspect.getsourcelines(Flight)[1]

    assert declare(Flight).place == Place(__file__, line)


def test_a_model_without_source_has_no_place():
    made = type("Made", (pa.DataFrameModel,), {"__annotations__": {"number": int}, "__module__": "nowhere"})

    assert declare(made).place is None


def test_a_model_that_extends_another_declares_the_columns_of_both():
    class Extended(Flight):
        more: bool

    assert list(declare(Extended).schema()) == [*declare(Flight).schema(), "more"]


def test_a_model_is_read_once():
    assert declare(Flight) is declare(Flight)


# what is refused


def refusal(model: type) -> str:
    with pytest.raises(InvalidContract) as caught:
        declare(model)
    assert caught.value.model == model.__name__
    assert caught.value.where == Place(__file__, inspect.getsourcelines(model)[1])
    return str(caught.value)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"drop_invalid_rows": True}, "drop_invalid_rows hides wrong data"),
        ({"strict": "filter"}, "strict='filter' removes columns"),
        ({"add_missing_columns": True}, "add_missing_columns invents columns"),
        ({"unique": ["number", "nowhere"]}, "Config.unique names 'nowhere'"),
        ({"metadata": {"on_fail": {"nowhere": "warn"}}}, "on_fail of the model names 'nowhere', but"),
        ({"metadata": {"on_fail": "skip"}}, "on_fail of the model says 'skip'; it can be one of"),
        ({"metadata": {"max_rows": -1}}, "max_rows of the model is -1; it must be a whole number from 0 on."),
        ({"metadata": {"max_fraction": 2}}, "max_fraction of the model is 2; it must be between 0 and 1."),
    ],
)  # fmt: skip
def test_options_that_cannot_be_enforced_are_refused(option, words):
    class Refused(pa.DataFrameModel):
        number: int

        Config = type("Config", (), option)

    assert f"model Refused: {words}" in refusal(Refused)


def test_parsers_are_refused():
    class Parsed(pa.DataFrameModel):
        number: int

        @dataframe_parser
        @classmethod
        def double(cls, df: pl.LazyFrame) -> pl.LazyFrame:
            return df

    assert "pandera cannot build it: user-defined parsers are not supported" in refusal(Parsed)


def test_a_default_is_refused_because_it_replaces_nulls():
    class Filled(pa.DataFrameModel):
        number: int = pa.Field(default=0)

    assert "the default of column 'number' replaces nulls" in refusal(Filled)


def test_what_is_refused_is_refused_in_nested_models_too():
    class Inner(pa.DataFrameModel):
        number: int

        class Config:
            drop_invalid_rows = True

    class Outer(pa.DataFrameModel):
        inner: Inner

    assert "drop_invalid_rows" in refusal(Outer)


def test_a_dtype_has_to_be_complete():
    class Vague(pa.DataFrameModel):
        values: pl.List

    assert "column 'values' has no complete dtype, but List. Write e.g. pl.List(pl.Int64)." in refusal(Vague)


def test_an_array_of_several_dimensions_is_refused_because_pandera_misreads_its_shape():
    class Shaped(pa.DataFrameModel):
        value: pl.Array(pl.Float64, (2, 3))

    assert "column 'value' is an array of several dimensions" in refusal(Shaped)


def test_a_pattern_has_to_be_a_regular_expression():
    class Wide(pa.DataFrameModel):
        hours: int = pa.Field(alias="hour_(", regex=True)

    assert "'hour_(' is not a regular expression" in refusal(Wide)


@pytest.mark.parametrize(
    ("on_fail", "words"),
    [
        ({"gee": "warn"}, "names 'gee', but its rules are: ge, greater_than_or_equal_to, not_null, nullable. "),
        ({"gee": "warn"}, "Did you mean 'ge'?"),
        ({"unique": "warn"}, "names 'unique', but its rules are:"),
        ({"dtype": "warn"}, "names 'dtype', but its rules are:"),
        ("ignore", "says 'ignore'; it can be one of 'fail', 'warn', 'drop', 'quarantine'."),
        ({"ge": 1}, "says 1; it can be one of 'fail', 'warn', 'drop', 'quarantine'."),
        (["warn"], "says ['warn']; it can be one of 'fail', 'warn', 'drop', 'quarantine'."),
        ({"ge": {"severity": "skip"}}, "says 'skip'; it can be one of 'fail', 'warn', 'drop', 'quarantine'."),
        ({"ge": {"max_rows": 1}}, "says None; it can be one of 'fail', 'warn', 'drop', 'quarantine'."),
        ({"ge": {"severity": "drop", "rows": 1}}, "has 'rows'; it can have severity, max_rows and max_fraction."),
        ({"ge": {"severity": "warn", "max_rows": 1}}, "has a budget, but severity 'warn' leaves no rows out."),
    ],
)
def test_on_fail_names_rules_of_its_column_and_severities_that_exist(on_fail, words):
    class Refused(pa.DataFrameModel):
        number: int = pa.Field(ge=0, metadata={"on_fail": on_fail})

    assert words in refusal(Refused)
    assert "on_fail of column 'number'" in refusal(Refused)


def test_other_metadata_is_the_author_s_own():
    class Documented(pa.DataFrameModel):
        number: int = pa.Field(metadata={"owner": "me"})

        class Config:
            metadata: ClassVar = {"owner": "us"}

    assert list(declare(Documented).schema()) == ["number"]


# how a schema differs

FITTING = {
    "flight_date": pl.Date(),
    "Carrier": pl.String(),
    "dep_delay": pl.Float64(),
    "hour_0": pl.Int64(),
    "seen_at": pl.Datetime("ms", "UTC"),
    "stops": pl.List(pl.String()),
}


def problems(model: type, schema: dict[str, pl.DataType]) -> list[str]:
    return [problem.message for problem in compile_contract(model, pl.Schema(schema)).problems]


def without(name: str) -> dict[str, pl.DataType]:
    return {other: dtype for other, dtype in FITTING.items() if other != name}


@pytest.mark.parametrize(
    ("schema", "messages"),
    [
        (FITTING, []),
        (dict(reversed(FITTING.items())), []),
        (FITTING | {"gate": pl.String()}, []),
        (FITTING | {"gate": pl.Int64()}, ["column 'gate' is Int64, but its model declares String."]),
        (without("Carrier"), ["column 'Carrier' is missing; Flight declares it as String."]),
        (without("hour_0"), ["no column matches 'hour_\\\\d+', which Flight declares as Int64."]),
        (FITTING | {"hour_1": pl.Int8()}, ["column 'hour_1' is Int8, but its model declares Int64."]),
        (FITTING | {"hour_x": pl.Int64()}, ["column 'hour_x' is not declared, and Flight is strict."]),
        (
            without("dep_delay") | {"seen_at": pl.Datetime("us", "UTC"), "a": pl.Date(), "b": pl.Date()},
            [
                "column 'dep_delay' is missing; Flight declares it as Float64.",
                "column 'seen_at' is Datetime(time_unit='us', time_zone='UTC'), but its model declares "
                "Datetime(time_unit='ms', time_zone='UTC').",
                "column 'a' is not declared, and Flight is strict.",
                "column 'b' is not declared, and Flight is strict.",
            ],
        ),
    ],
)
def test_every_difference_between_a_schema_and_a_model_is_told(schema, messages):
    assert problems(Flight, schema) == messages


def test_a_problem_holds_what_was_expected_and_what_was_found():
    contract = compile_contract(Flight, pl.Schema(FITTING | {"Carrier": pl.Int8()}))

    message = "column 'Carrier' is Int8, but its model declares String."
    assert contract.problems == (SchemaProblem("Carrier", expected="String", found="Int8", message=message),)
    assert contract.rules == ()


def test_an_ordered_model_wants_its_columns_in_order():
    class Ordered(pa.DataFrameModel):
        a: int
        b: int

        class Config:
            ordered = True

    integer = pl.Int64()
    assert problems(Ordered, {"a": integer, "more": integer, "b": integer}) == []
    assert problems(Ordered, {"b": integer, "a": integer}) == [
        "column 'b' stands where Ordered, which is ordered, has 'a'."
    ]


@pytest.mark.filterwarnings("ignore:.*support is not guaranteed")
@pytest.mark.parametrize("dtype", [pl.Int128, pl.Float16, pl.Array(pl.Float64, 3), pl.Decimal(10, 2), pl.Enum(["a"])])
def test_a_dtype_is_equal_to_itself(dtype):
    model = type("Same", (pa.DataFrameModel,), {"__annotations__": {"value": dtype}})

    assert problems(model, {"value": dtype}) == []


def test_one_dtype_for_all_columns_is_the_dtype_of_each():
    class Uniform(pa.DataFrameModel):
        a: int
        b: int

        class Config:
            dtype = pl.Float64

    assert declare(Uniform).schema() == pl.Schema({"a": pl.Float64, "b": pl.Float64})
