"""Evolution: how a table's columns become others, in the commit that first needs them.

A column that may be null is added by the commit itself: files that lack it are read as null there. Source: Delta
protocol, "Change Metadata" and "Column Invariants".
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

import polars as pl

from deltaworks.io.description import Description, last_metadata
from deltaworks.io.dtypes import Json, schema_difference, to_delta_schema
from deltaworks.io.table import Table


def grown(
    there: Mapping[str, pl.DataType], wanted: Mapping[str, pl.DataType], addable: Collection[str]
) -> tuple[pl.Schema, str | None]:
    """Return columns with those after them that are to be added, and in what they differ from what is wanted even then.

    Args:
        there: the columns that there are.
        wanted: those that there are to be, in whatever order.
        addable: those of them that may be added.
    """
    names = {name.lower(): name for name in there}
    added = {name: dtype for name, dtype in wanted.items() if name in addable and name not in there}
    twin = next((name for name in added if name.lower() in names), None)
    if twin is not None:
        return pl.Schema(there), f"column {twin!r} is new, and Delta tells it from {names[twin.lower()]!r} by no case"
    schema = pl.Schema({**there, **added})
    return schema, schema_difference(wanted, schema)


def brought_under(schema: Mapping[str, pl.DataType], there: Mapping[str, pl.DataType]) -> list[pl.Expr]:
    """Return what makes rows with some columns (`there`) rows of a schema; what they lack is null."""
    return [
        (pl.col(name).cast(dtype) if name in there else pl.lit(None, dtype)).alias(name)
        for name, dtype in schema.items()
    ]


def addition(table: Table, wanted: Mapping[str, pl.DataType], description: Description) -> Json | None:
    """Return the metadata action that adds to a table the columns that it lacks, after its own; none: it lacks none.

    Raises:
        LogGap: no commit says what the table is.
    """
    there = table.schema()
    added = {name: dtype for name, dtype in wanted.items() if name not in there}
    return described_anew(table, {**there, **added}, description) if added else None


def described_anew(table: Table, schema: Mapping[str, pl.DataType], description: Description) -> Json:
    """Return the metadata action by which a table has these columns; what it says of one stays while its type does.

    Raises:
        LogGap: no commit says what the table is.
    """
    before = last_metadata(table)
    logged = {field["name"]: field for field in json.loads(before["schemaString"])["fields"]}
    wanted = to_delta_schema(schema)
    fields = [
        known if known is not None and known["type"] == field["type"] else field
        for field in wanted["fields"]
        for known in (logged.get(field["name"]),)
    ]
    return before | {"schemaString": json.dumps(description.commented(wanted | {"fields": fields}))}
