"""Partition values: one key for one partition, whoever wrote it and however."""

# ruff: noqa: DTZ001 - timestamps without a zone are a dtype of their own

import datetime as dt
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deltaworks.io.partition_values import NULL_KEY, folder, joined, serialized, split_key, stored, typed

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def test_a_folder_has_the_values_percent_encoded():
    assert folder({"a b": "1/2 %=ü", "c": None}) == f"a b=1%2F2%20%25%3D%C3%BC/c={NULL_KEY}/"


@pytest.mark.parametrize(
    ("dtype", "value", "text"),
    [
        (pl.Boolean(), True, "true"),
        (pl.Int64(), -(2**60), "-1152921504606846976"),
        (pl.Float64(), 1.5, "1.5"),
        (pl.Decimal(10, 2), Decimal("1.50"), "1.50"),
        (pl.String(), "a b", "a b"),
        (pl.Date(), dt.date(1, 1, 1), "0001-01-01"),
        (pl.Datetime("us"), dt.datetime(2013, 1, 1), "2013-01-01 00:00:00.000000"),
        (pl.Datetime("us", "UTC"), dt.datetime(1, 1, 1, 2, tzinfo=dt.UTC), "0001-01-01 02:00:00.000000"),
    ],
)
def test_values_are_written_as_delta_does_and_read_back(dtype, value, text):
    assert serialized(value) == text
    assert typed(pl.Series([text, None]), dtype).to_list() == [value, None]


def test_instants_are_read_in_every_form_that_the_protocol_allows():
    texts = ["2013-01-01 00:00:00", "2013-01-01 00:00:00.5", "2013-01-01T00:00:00.000001Z"]

    read = typed(pl.Series(texts), pl.Datetime("us", "UTC"))

    assert read.dt.microsecond().to_list() == [0, 500_000, 1]


@unhurried
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=2, max_size=4), st.booleans())
def test_several_values_can_be_joined_and_split_with_names_or_without(parts, named):
    key = joined(parts)
    if named:
        key = ",".join(f"column{number}={part}" for number, part in enumerate(key.split(",")))

    assert split_key(key) == parts


def test_a_key_is_stored_as_its_column_asks_for():
    assert stored("2013-11-03T01:00-04:00", pl.Datetime("us", "UTC")) == "2013-11-03 05:00:00.000000"
    assert stored("2013-11-03T01:00-04:00", pl.String()) == "2013-11-03T01:00-04:00"
    with pytest.raises(ValueError, match="no offset"):
        stored("2013-11-03T01:00", pl.Datetime("us", "UTC"))
