"""Source: what is written for a schema is a model of that schema."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deltaworks.validation import declare, model_source

PLAIN = [
    *(pl.Boolean(), pl.Int8(), pl.Int16(), pl.Int32(), pl.Int64(), pl.Float32(), pl.Float64()),
    *(pl.String(), pl.Binary(), pl.Date(), pl.Datetime("us"), pl.Datetime("us", "UTC")),
    *(pl.Decimal(38, 0), pl.Decimal(10, 2), pl.Decimal(5, 5)),
]
"""What Delta keeps, but for lists and structs."""
NOT_KEPT = [
    *(pl.UInt8(), pl.UInt16(), pl.UInt32(), pl.UInt64(), pl.Time(), pl.Duration("ms"), pl.Null(), pl.Categorical()),
    *(pl.Datetime("ns"), pl.Datetime("ms", "Europe/Paris"), pl.Enum(["a", 'b"']), pl.Array(pl.Int64(), 3)),
]
"""What a function may return before its author is told to cast it."""
NESTED = [
    pl.List(pl.Int64()),
    pl.List(pl.List(pl.Decimal(7, 3))),
    pl.Struct({"a": pl.Int64(), 'it\'s "b"': pl.List(pl.Struct({"at": pl.Datetime("us", "UTC"), "c": pl.Date()}))}),
    pl.List(pl.Struct({"x": pl.Array(pl.Float32(), 2)})),
]


def read(source: str, name: str) -> Any:
    """Run a source as the module of an author who evaluates annotations at once, and of one who does so late."""
    declared: list[Any] = []
    for heading in ("", "from __future__ import annotations\n"):
        module = ModuleType("pasted")
        sys.modules["pasted"] = module  # where pandera looks for the names in late annotations
        try:
            exec(compile(heading + source, "pasted", "exec", dont_inherit=True), vars(module))
            declared.append(declare(getattr(module, name)))
        finally:
            del sys.modules["pasted"]
    at_once, late = declared
    assert at_once.columns == late.columns
    return late


@pytest.mark.parametrize("dtype", [*PLAIN, *NOT_KEPT, *NESTED], ids=str)
def test_a_dtype_comes_back(dtype: pl.DataType) -> None:
    model = read(model_source("t", {"x": dtype, "y": dtype}, {"y"}), "T")

    assert model.schema() == pl.Schema({"x": dtype, "y": dtype})
    assert [(column.name, column.nullable) for column in model.columns] == [("x", True), ("y", False)]


DTYPES = st.recursive(
    st.sampled_from(PLAIN),
    lambda inner: st.one_of(
        inner.map(pl.List), st.dictionaries(st.text(max_size=3), inner, min_size=1, max_size=3).map(pl.Struct)
    ),
    max_leaves=5,
)


@given(st.dictionaries(st.text(min_size=1, max_size=6), DTYPES, max_size=5))
def test_any_columns_that_delta_keeps_come_back(columns: dict[str, pl.DataType]) -> None:
    assert read(model_source("any", columns), "Any").schema() == pl.Schema(columns)


def test_names_that_mean_something_in_a_class_become_aliases() -> None:
    names = ["a b", "a_b", "column_a_b", "int", "pl", "class", "validate", "_hidden", "Config", "2nd", "größe", "fine"]

    source = model_source("t", dict.fromkeys(names, pl.Int64()))

    assert list(read(source, "T").schema()) == names
    assert "    fine: int = pa.Field(nullable=True)\n" in source
    assert '    column_a_b_2: int = pa.Field(alias="a b", nullable=True)\n' in source


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("raw/daily_carrier", "RawDailyCarrier"),
        ("2013-flights.v2", "Table2013FlightsV2"),
        ("none", "TableNone"),
        ("annotated", "TableAnnotated"),
    ],
)
def test_a_class_is_named_after_its_asset(key: str, name: str) -> None:
    assert f"class {name}(pa.DataFrameModel):\n" in model_source(key, {"at": pl.Datetime("us", "UTC")})


def test_the_whole_source_reads_like_one_by_hand() -> None:
    columns = {"day": pl.Date(), "at": pl.Datetime("us", "UTC"), "delay": pl.Float64(), "tags": pl.List(pl.String())}

    assert model_source("raw/flights", columns, {"day"}) == (
        "from typing import Annotated\n\n"
        "import pandera.polars as pa\n"
        "import polars as pl\n\n\n"
        "class RawFlights(pa.DataFrameModel):\n"
        '    """What raw/flights holds."""\n\n'
        "    day: pl.Date\n"
        '    at: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(nullable=True)\n'
        "    delay: float = pa.Field(nullable=True)\n"
        "    tags: Annotated[pl.List, pl.String] = pa.Field(nullable=True)\n"
    )


def test_only_what_is_used_is_imported() -> None:
    assert model_source("t", {"n": pl.Int64()}).startswith("import pandera.polars as pa\n\n\nclass T(")


def test_what_pandera_cannot_declare_is_refused() -> None:
    with pytest.raises(ValueError, match=r"column 'm' has dtype List\(Map\(.*which pandera cannot declare"):
        model_source("t", {"m": pl.List(pl.Map(pl.String(), pl.Int64()))})
