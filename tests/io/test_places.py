"""Places: one text for one partition, whoever wrote it and however."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deltaworks.io.partition_values import NULL_KEY, instant
from deltaworks.io.places import Places

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5)
values = st.dictionaries(texts, st.none() | texts, min_size=2)
HOURS = Places.of(["hour"], {"hour": pl.Datetime("us", "UTC"), "n": pl.Int64()})
THREE = Places.of(["day", "at", "region"], {"day": pl.Date(), "at": pl.Datetime("us", "UTC"), "region": pl.String()})


def test_the_place_in_one_column_is_its_value() -> None:
    assert Places(("day",)).of_values({"day": "2013-01-01"}) == "2013-01-01"
    assert Places(("day",)).of_values({"day": None}) == Places(("day",)).of_values({"day": ""}) == NULL_KEY
    assert Places(("day",)).of_key("a,b=c%2F") == "a,b=c%2F"
    assert Places().of_values({}) == Places().of_key("") == ""


@unhurried
@given(values, st.data())
def test_the_place_does_not_depend_on_the_order_in_which_a_writer_names_the_columns(
    several: dict[str, str | None], data: st.DataObject
) -> None:
    places = Places(tuple(data.draw(st.permutations(sorted(several)))))

    assert places.of_values(several) == places.of_values(dict(reversed(several.items())))


@unhurried
@given(values, st.data())
def test_different_partitions_have_different_places(one: dict[str, str | None], data: st.DataObject) -> None:
    other = {column: data.draw(st.sampled_from([value, None, "x", "x,y"])) for column, value in one.items()}
    places = Places(tuple(one))

    assert (places.of_values(one) == places.of_values(other)) == (one == other)


@unhurried
@given(st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}Z", fullmatch=True))
def test_what_is_spelled_as_a_place_is_the_place_that_reading_it_gives(text: str) -> None:
    utc = instant(text)

    assert HOURS.of_key(text) == (text if utc is None else f"{utc.isoformat(timespec='minutes')}Z")


@pytest.mark.parametrize(
    "text", ["2013-11-03 05:00:00.000000", "2013-11-03T05:00:00Z", "2013-11-03T05:00:00.000000Z", "2013-11-03 05:00:00"]
)
def test_an_instant_has_one_place_however_it_is_written(text: str) -> None:
    assert HOURS.of_values({"hour": text}) == HOURS.of_key("2013-11-03T01:00-04:00") == "2013-11-03T05:00Z"
    assert HOURS.of_key(HOURS.of_key("2013-11-03T01:00-04:00")) == "2013-11-03T05:00Z"
    assert HOURS.of_values({"hour": "2013-11-03 05:00:01.5"}) == "2013-11-03T05:00:01.500000Z"


def test_a_key_of_several_dimensions_lies_where_its_values_do() -> None:
    values = {"region": "a,b", "day": "2013-11-03", "at": "2013-11-03 05:00:00.000000"}
    keys = ["date=2013-11-03,hour=2013-11-03T01:00-04:00,where=a%2Cb", "2013-11-03,2013-11-03T05:00Z,a%2Cb"]

    assert {THREE.of_key(key) for key in keys} == {THREE.of_values(values)}
