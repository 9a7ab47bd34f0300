"""A table that asks for what this engine does not do is refused, never read or written wrongly."""

import json

import polars as pl
import pytest
from deltalake import DeltaTable, Schema, write_deltalake

from deltaworks.errors import TableMismatch
from deltaworks.io.create import verify_table
from deltaworks.io.dtypes import to_delta_schema
from deltaworks.io.protocol import Protocol, reader_demand, upgrade, writer_demand
from deltaworks.io.scan import scan_table

NO_COLUMNS = '{"type":"struct","fields":[]}'
DF = pl.DataFrame({"p": ["a"], "v": [1]})


def features(*names: str) -> Protocol:
    return Protocol(3, 7, frozenset(names), frozenset(names))


@pytest.mark.parametrize(
    "protocol",
    [Protocol(1, 1, frozenset(), frozenset()), Protocol(1, 2, frozenset(), frozenset()), features("timestampNtz")],
)
def test_what_delta_rs_creates_for_us_is_read_and_written(protocol):
    assert reader_demand(protocol, {}) is None
    assert writer_demand(protocol, {}, NO_COLUMNS) is None


@pytest.mark.parametrize(
    ("protocol", "configuration", "demand"),
    [
        (Protocol(4, 7, frozenset(), frozenset()), {}, "asks for reader version 4"),
        (features("variantType", "typeWidening"), {}, "asks its readers for typeWidening, variantType"),
        (Protocol(2, 5, frozenset(), frozenset()), {"delta.columnMapping.mode": "name"}, "maps its columns"),
    ],
)
def test_what_cannot_be_read_is_named(protocol, configuration, demand):
    assert str(reader_demand(protocol, configuration)).startswith(demand)


LOCAL = pl.Datetime("us")


@pytest.mark.parametrize(
    ("protocol", "features"),
    [
        (Protocol(1, 1, frozenset(), frozenset()), ["timestampNtz"]),
        (Protocol(1, 2, frozenset(), frozenset()), ["appendOnly", "invariants", "timestampNtz"]),
        (Protocol(1, 7, frozenset(), frozenset({"appendOnly"})), ["appendOnly", "timestampNtz"]),
    ],
)
@pytest.mark.parametrize("dtype", [LOCAL, pl.List(LOCAL), pl.Struct({"at": LOCAL})])
def test_an_instant_without_a_zone_asks_for_a_feature_and_what_held_before_holds_on(protocol, features, dtype):
    schema = json.dumps(to_delta_schema({"at": dtype}))

    assert upgrade(protocol, schema) == {
        "minReaderVersion": 3,
        "minWriterVersion": 7,
        "readerFeatures": ["timestampNtz"],
        "writerFeatures": features,
    }


@pytest.mark.parametrize(
    ("protocol", "schema"),
    [
        (features("timestampNtz"), {"at": LOCAL}),
        (Protocol(1, 2, frozenset(), frozenset()), {"timestamp_ntz": pl.String(), "at": pl.Datetime("us", "UTC")}),
    ],
)
def test_no_feature_is_asked_for_that_is_there_or_not_needed(protocol, schema):
    assert upgrade(protocol, json.dumps(to_delta_schema(schema))) is None


@pytest.mark.parametrize("version", [3, 4, 5, 6, 8])
def test_writer_versions_that_bring_duties_are_refused(version):
    assert (
        writer_demand(Protocol(1, version, frozenset(), frozenset()), {}, NO_COLUMNS)
        == f"asks for writer version {version}"
    )


@pytest.mark.parametrize(
    ("properties", "demand"),
    [
        ({"delta.enableChangeDataFeed": "true"}, "asks"),
        ({"delta.appendOnly": "true"}, "is append-only"),
    ],
)
def test_real_tables_with_duties_for_their_writers_are_read_and_not_written(lake, properties, demand):
    write_deltalake(lake.uri(), DF, partition_by=["p"], configuration=properties)
    table = lake.open()

    assert scan_table(table).collect().rows() == [("a", 1)]
    with pytest.raises(TableMismatch, match=f"it {demand}.*Nothing was written"):
        verify_table(table, DF.schema, ["p"])


def test_a_constraint_is_a_duty(lake):
    lake.make(DF)
    DeltaTable(lake.uri()).alter.add_constraint({"positive": "v > 0"})
    table = lake.open()

    with pytest.raises(TableMismatch, match=r"it asks .*, which this engine does not do\. Nothing was written"):
        verify_table(table, DF.schema, ["p"])


def test_columns_that_must_not_be_null_are_a_duty(lake):
    fields = (
        '{"name":"p","type":"string","nullable":true,"metadata":{}},'
        '{"name":"v","type":"long","nullable":false,"metadata":{}},'
        '{"name":"l","type":{"type":"array","elementType":"long","containsNull":false},"nullable":true,"metadata":{}}'
    )
    DeltaTable.create(lake.uri(), Schema.from_json(f'{{"type":"struct","fields":[{fields}]}}'), partition_by=["p"])
    table = lake.open()

    with pytest.raises(TableMismatch, match="it demands that 'v', the elements of a list be not null"):
        verify_table(table, table.schema(), ["p"])


def test_a_table_with_renamed_columns_is_not_read_as_nulls(lake):
    table = lake.make(DF)
    assert table.metadata is not None
    table.metadata.configuration["delta.columnMapping.mode"] = "id"

    with pytest.raises(TableMismatch, match=r"maps its columns to other names in its files, .*cannot be read"):
        scan_table(table)
