"""Pandera's own validation, asked for what a contract says too."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pandera.polars as pa
import polars as pl
import pytest
from pandera.backends.polars.base import PolarsSchemaBackend
from pandera.constants import CHECK_OUTPUT_KEY
from pandera.errors import FailureCaseMetadata, SchemaError, SchemaErrors, SchemaWarning

OF_SCHEMAS = {"COLUMN_NOT_IN_DATAFRAME", "WRONG_DATATYPE", "COLUMN_NOT_IN_SCHEMA", "INVALID_COLUMN_NAME"} | {
    "COLUMN_NOT_ORDERED"
}


@dataclass(frozen=True, slots=True)
class Failure:
    """A rule that did not hold."""

    rows: int | None
    """How many break it, if it says so of single rows."""
    is_broken: pl.Series | None
    """Which."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What pandera says of a frame."""

    df: pl.DataFrame | None
    """The frame as it was cast; none: it could not be."""
    failed: dict[tuple[str | None, str], Failure]
    warned: set[str]
    """The names of checks."""


@contextmanager
def without_reports() -> Iterator[None]:
    """Keep pandera from writing its report of failures.

    It takes a fifth of the time, and raises where a check answered ``False`` beside another that failed. Its verdict
    is in the errors that the report is made of.
    """
    with pytest.MonkeyPatch.context() as patch:
        empty = FailureCaseMetadata(failure_cases=pl.DataFrame(), message={}, error_counts={})
        patch.setattr(PolarsSchemaBackend, "failure_cases_metadata", lambda *_: empty)
        yield


def answer(schema: pa.DataFrameSchema, df: pl.DataFrame) -> Answer:
    """Validate a frame whose columns fit."""
    found: list[SchemaError] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            validated = schema.validate(df, lazy=True)
        except SchemaErrors as errors:
            found = errors.schema_errors
            validated = errors.data
    if any(error.reason_code.name == "DATATYPE_COERCION" for error in found):
        return Answer(None, {}, set())
    warned = {
        match[1]
        for warning in caught
        if issubclass(warning.category, SchemaWarning)
        and (match := re.search(r"<Check ([\w ]+)", str(warning.message)))
    }
    return Answer(validated, {identity(error, schema): failure(error, df) for error in found}, warned)


def failure(error: SchemaError, df: pl.DataFrame) -> Failure:
    cases, output = error.failure_cases, error.check_output
    rows = cases.height if isinstance(cases, pl.DataFrame) else None
    if not isinstance(output, pl.DataFrame) or output.height != df.height or rows is None:
        return Failure(rows, None)
    return Failure(rows, output[CHECK_OUTPUT_KEY].not_())


def identity(error: SchemaError, schema: pa.DataFrameSchema) -> tuple[str | None, str]:
    if error.check == "multiple_fields_uniqueness":
        return None, f"unique({', '.join(schema.unique)})"
    own_rules = {"not_nullable": "not_null", "field_uniqueness": "unique"}
    rule = own_rules[error.check] if isinstance(error.check, str) else error.check.name
    return None if isinstance(error.schema, pa.DataFrameSchema) else error.column_name, rule


def schema_problems(schema: pa.DataFrameSchema, df: pl.DataFrame) -> set[str]:
    """Return the columns that pandera complains about, of which it names only the first that is not declared."""
    try:
        schema.validate(df.clear().lazy(), lazy=True)
    except SchemaErrors as errors:
        found = errors.schema_errors
    except SchemaError as error:
        found = [error]
    else:
        return set()
    reasons = {error.reason_code.name for error in found}
    assert reasons <= OF_SCHEMAS, reasons
    return {
        error.schema.name
        if error.reason_code.name == "INVALID_COLUMN_NAME"
        else error.column_name
        if error.reason_code.name == "WRONG_DATATYPE"
        else str(error.failure_cases)
        for error in found
    }
