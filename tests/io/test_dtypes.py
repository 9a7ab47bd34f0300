"""Every dtype either comes back from a Delta table as it was, or is refused with the one to use."""

import json

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from polars.testing.parametric import series

from deltaworks.io.dtypes import delta_problem, from_delta_schema, schema_difference, to_delta_schema
from deltaworks.io.scan import scan_table

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
FLAT = [
    *(pl.Boolean(), pl.Int8(), pl.Int16(), pl.Int32(), pl.Int64(), pl.Float32(), pl.Float64()),
    *(pl.String(), pl.Binary(), pl.Date(), pl.Datetime("us"), pl.Datetime("us", "UTC")),
    *(pl.Decimal(38, 10), pl.Decimal(5, 0), pl.Decimal(18, 18)),
]
flat = st.sampled_from(FLAT)
nested = st.recursive(
    flat,
    lambda inner: (
        st.builds(pl.List, inner)
        | st.dictionaries(st.sampled_from(["a", "b c", "ü"]), inner, min_size=1).map(pl.Struct)
    ),
    max_leaves=4,
)


@unhurried
@given(st.dictionaries(st.text(min_size=1, max_size=5), nested, min_size=1))
def test_a_schema_comes_back_as_it_was(schema):
    assert [delta_problem(dtype) for dtype in schema.values()] == [None] * len(schema)
    assert from_delta_schema(json.dumps(to_delta_schema(schema))) == pl.Schema(schema)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_values_come_back_from_a_real_table(lake, data):
    dtypes = [*FLAT, data.draw(nested), data.draw(nested)]
    df = pl.DataFrame([data.draw(_column(f"c{n}", dtype)) for n, dtype in enumerate(dtypes)])
    table = lake.make(df, by=(), name=f"t{next(lake.numbers)}")

    ours, theirs = scan_table(table).collect(), pl.read_delta(lake.uri(table.name))

    assert table.schema() == df.schema
    assert_frame_equal(ours, df, check_exact=True)
    assert_frame_equal(theirs, df, check_exact=True)


def _column(name, dtype):
    return series(name=name, dtype=dtype, min_size=3, max_size=3, allow_null=True, allow_time_zones=False)


@pytest.mark.parametrize(
    ("dtype", "use"),
    [
        (pl.UInt8(), "Int16"),
        (pl.UInt16(), "Int32"),
        (pl.UInt32(), "Int64"),
        (pl.UInt64(), "Decimal(20, 0)"),
        (pl.Int128(), "Decimal(38, 0)"),
        (pl.UInt128(), "Decimal(38, 0)"),
        (pl.Float16(), "Float32"),
        (pl.Categorical(), "String"),
        (pl.Enum(["a"]), "String, with isin as a check"),
        (pl.Duration("us"), "Int64, with the unit in the column's name"),
        (pl.Time(), "Int64 (nanoseconds since midnight) or String"),
        (pl.Null(), "the dtype that the column will have"),
        (pl.Array(pl.Int64, 2), "List"),
        (pl.Map(pl.String, pl.Int64), "List of Struct"),
        (pl.Object(), "a dtype that Parquet knows"),
        (pl.Decimal(39, 1), "Decimal(38, scale)"),
        (pl.Datetime("ns"), "Datetime('us', None)"),
        (pl.Datetime("ms", "UTC"), "Datetime('us', 'UTC')"),
        (pl.Datetime("us", "Europe/Berlin"), "Datetime('us', 'UTC')"),
        (pl.List(pl.Struct({"x": pl.UInt8()})), "Int16"),
        (pl.Struct({"x": pl.List(pl.Time())}), "Int64 (nanoseconds since midnight) or String"),
    ],
    ids=str,
)
def test_what_delta_changes_is_refused_with_the_dtype_to_use(dtype, use):
    problem = delta_problem(dtype)

    assert problem is not None
    assert problem.endswith(f"use {use}")


def test_no_dtype_of_polars_is_forgotten():
    kinds = {getattr(pl, name) for name in dir(pl) if isinstance(getattr(pl, name), pl.datatypes.DataTypeClass)}
    abstract = {pl.DataType, pl.Unknown, pl.Extension, pl.BaseExtension, pl.Field} & kinds
    known = {type(dtype) for dtype in FLAT} | {pl.List, pl.Struct}

    for kind in kinds - abstract - known - {pl.Array, pl.Enum, pl.Map}:
        problem = delta_problem(kind())
        assert problem is not None, kind
        assert not problem.endswith("use another one"), kind


def test_a_struct_without_fields_is_refused():
    assert "struct without fields" in str(delta_problem(pl.Struct([])))


@pytest.mark.parametrize("delta_type", ["interval", {"type": "map", "keyType": "string", "valueType": "interval"}])
def test_a_type_without_a_polars_dtype_is_named(delta_type):
    with pytest.raises(ValueError, match="has no Polars dtype here"):
        from_delta_schema(json.dumps({"fields": [{"name": "x", "type": delta_type}]}))


def test_schemas_differ_by_columns_and_dtypes_and_not_by_order():
    expected = {"a": pl.Int64(), "b": pl.String()}

    assert schema_difference(expected, {"b": pl.String(), "a": pl.Int64()}) is None
    assert schema_difference(expected, {"a": pl.Int32(), "c": pl.Date()}) == (
        "column 'a' is Int32 instead of Int64; column 'b' (String) is missing; column 'c' (Date) is not expected"
    )
