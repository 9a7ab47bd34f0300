"""Partitions by several dimensions: keys, boxes, runs and what a call is asked for."""

from __future__ import annotations

import datetime as dt
import pickle
from collections.abc import Sequence
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import deltaworks as dw
from deltaworks.engine.definitions.partitions.partition import Partition
from deltaworks.engine.definitions.partitions.protocols import Unpartitioned
from deltaworks.engine.planning.graph import build_graph
from deltaworks.errors import InvalidDefinition
from deltaworks.io.partition_keys import key_problem
from deltaworks.io.partition_values import joined

quick = settings(deadline=None, max_examples=60)
NOW = dt.datetime(2024, 6, 1, tzinfo=dt.UTC)
DAYS = dw.DailyPartitions("2013-11-01", "2013-11-05")
REGIONS = dw.StaticPartitions(["us", "eu", "a,b=c/%é"])
BOTH = dw.MultiPartitions({"day": DAYS, "region": REGIONS})
KEYS = st.text(min_size=1, max_size=6).filter(lambda key: key_problem(key) is None)


def test_the_last_dimension_is_the_fastest() -> None:
    keys = BOTH.keys(pl.int_range(BOTH.size, eager=True))

    assert BOTH.size == 12
    assert keys.to_list()[:4] == [
        "day=2013-11-01,region=us",
        "day=2013-11-01,region=eu",
        "day=2013-11-01,region=a%2Cb%3Dc%2F%25%C3%A9",
        "day=2013-11-02,region=us",
    ]
    assert [BOTH.coordinates(ordinal) for ordinal in (0, 2, 3, 11)] == [(0, 0), (0, 2), (1, 0), (3, 2)]
    assert (BOTH.names, BOTH.dimensions, BOTH.strides) == (("day", "region"), (DAYS, REGIONS), (3, 1))


@quick
@given(st.lists(st.lists(KEYS, min_size=1, max_size=4, unique=True), min_size=2, max_size=4))
def test_keys_and_ordinals_lead_to_each_other_in_both_spellings(lists: list[list[str]]) -> None:
    multi = dw.MultiPartitions({f"d{place}": dw.StaticPartitions(keys) for place, keys in enumerate(lists)})
    ordinals = pl.int_range(multi.size, eager=True)

    keys = multi.keys(ordinals)
    plain = [
        joined([each.key(value) for each, value in zip(multi.dimensions, multi.coordinates(ordinal), strict=True)])
        for ordinal in ordinals
    ]

    assert keys.to_list() == [multi.key(ordinal) for ordinal in ordinals]
    assert keys.n_unique() == multi.size
    for spelled in (keys, pl.Series(plain)):
        assert multi.ordinals(spelled).to_list() == ordinals.to_list()
        assert [multi.ordinal(key) for key in spelled] == ordinals.to_list()


@pytest.mark.parametrize(
    ("key", "ordinal"),
    [
        ("2013-11-02,eu", 4),
        ("day=2013-11-02,eu", 4),
        ("2013-11-02,a%2Cb%3Dc/%25é", 5),
        ("2013-11-02,region=a%2cb=c%2F%25%C3%A9", 5),
        ("date=2013-11-02,region=eu", None),
        ("region=eu,day=2013-11-02", None),
        ("2013-11-02", None),
        ("2013-11-02,", None),
        ("2013-11-02,eu,", None),
        ("2013-11-02,eu,us", None),
        ("2013-11-09,eu", None),
        ("2013-11-02,__HIVE_DEFAULT_PARTITION__", None),
        ("2013-11-02,%FF", None),
        ("", None),
    ],
)
def test_a_key_may_leave_out_names_but_not_change_them(key: str, ordinal: int | None) -> None:
    assert BOTH.ordinal(key) == ordinal
    assert BOTH.ordinals(pl.Series([key, None, "2013-11-01,us"])).to_list() == [ordinal, None, 0]


def test_a_million_partitions_are_normal() -> None:
    multi = dw.MultiPartitions(
        {
            "day": dw.DailyPartitions("1970-01-01", "2024-10-04"),
            "store": dw.StaticPartitions([f"Größe {number}" for number in range(50)]),
        }
    )

    keys = multi.keys(pl.int_range(multi.size, eager=True))
    ordinals = multi.ordinals(keys)

    assert multi.size == 1_000_000
    assert ordinals.equals(pl.int_range(multi.size, eager=True))


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("day=2013-11-02,region=us", "day=2013-11-03,region=eu", [3, 4, 6, 7]),
        ("2013-11-02,eu", "2013-11-03,eu", [4, 7]),
        ("2012-01-01,us", "2013-11-01,us", [0]),
        ("2013-11-03,us", "2013-11-02,us", []),
        ("2013-11-02", "2013-11-03", range(3, 9)),
        ("2013-11-04", "2014-11-04", range(9, 12)),
    ],
)
def test_a_range_is_a_box_or_all_of_some_days(first: str, last: str, expected: Sequence[int]) -> None:
    found = BOTH.between(first, last)

    assert found is not None
    assert list(found) == list(expected)
    assert found.size == BOTH.size


def test_a_range_of_keys_that_mean_nothing_here_is_none() -> None:
    static = dw.MultiPartitions({"region": REGIONS, "kind": dw.StaticPartitions(["a", "b"])})
    two_times = dw.MultiPartitions({"ordered": DAYS, "shipped": DAYS})

    assert BOTH.between("2013-11-02,us", "2013-11-02,asia") is None
    assert BOTH.between("2013-11-02,us", "2013-11-02") is None
    assert static.between("2013-11-01", "2013-11-02") is None
    assert two_times.between("2013-11-01", "2013-11-02") is None
    assert list(two_times.between("2013-11-01,2013-11-02", "2013-11-01,2013-11-03") or ()) == [1, 2]


def test_a_run_stays_within_the_last_dimension() -> None:
    nested = dw.MultiPartitions({"region": REGIONS, "day": DAYS})

    assert [BOTH.run_end(ordinal) for ordinal in (0, 1, 2, 3, 11)] == [2, 2, 2, 5, 11]
    assert [nested.run_end(ordinal) for ordinal in (0, 3, 4, 6)] == [3, 3, 7, 7]


@quick
@given(st.lists(st.integers(1, 4), min_size=2, max_size=4), st.data())
def test_consecutive_partitions_are_cut_into_boxes_that_keys_name(sizes: list[int], data: st.DataObject) -> None:
    lists = {f"d{place}": dw.StaticPartitions([*map(str, range(size))]) for place, size in enumerate(sizes)}
    multi = dw.MultiPartitions(lists)
    first = data.draw(st.integers(0, multi.size - 1))
    last = data.draw(st.integers(first, multi.size - 1))

    boxes = list(multi.boxes(first, last))

    assert [ordinal for low, high in boxes for ordinal in range(low, high + 1)] == list(range(first, last + 1))
    assert len(boxes) <= 2 * len(sizes) - 1
    for low, high in boxes:
        assert list(multi.between(multi.key(low), multi.key(high)) or ()) == list(range(low, high + 1))


def test_each_dimension_grows_with_its_own_clock() -> None:
    regions = dw.DynamicPartitions("regions")
    open_days = dw.MultiPartitions({"day": dw.DailyPartitions("2024-05-30"), "region": regions})

    @dw.asset(partitions=open_days, partition_by=["day", "region"])
    def sales() -> pl.LazyFrame: ...  # type: ignore[empty-body]

    standing = build_graph(dw.Definitions([sales]), NOW, {regions: ["us", "eu"]}).node("sales").partitions

    assert open_days.until(NOW).size == 0
    assert standing.keys(pl.int_range(standing.size, eager=True)).to_list() == [
        "day=2024-05-30,region=eu",
        "day=2024-05-30,region=us",
        "day=2024-05-31,region=eu",
        "day=2024-05-31,region=us",
    ]
    assert open_days.scheme == "multi day=daily UTC, region=dynamic regions" == standing.scheme


def test_a_definition_is_a_value() -> None:
    same = dw.MultiPartitions({"day": DAYS, "region": dw.StaticPartitions(["us", "eu", "a,b=c/%é"])})
    _ = same.keys(pl.Series([0]))

    assert same == BOTH
    assert hash(same) == hash(BOTH)
    assert pickle.loads(pickle.dumps(same)) == BOTH
    assert same != dw.MultiPartitions({"date": DAYS, "region": REGIONS})
    assert BOTH.until(NOW) == BOTH
    assert str(dw.MultiPartitions({"day": DAYS, "kind": dw.StaticPartitions(["a", "b"])})) == (
        f"every combination of day ({DAYS}) and kind (the keys a, b)"
    )


@pytest.mark.parametrize(
    ("dimensions", "reason"),
    [
        ([DAYS, REGIONS], "dimensions are given by name"),
        ({}, "there must be two dimensions or more, not 0"),
        ({"day": DAYS}, "there must be two dimensions or more, not 1; a definition of one stands by itself"),
        ({"day": DAYS, "": REGIONS}, "a dimension's name is a word .* not ''"),
        ({"day": DAYS, "a,b": REGIONS}, "a dimension's name is a word .* not 'a,b'"),
        ({"day": DAYS, "a=b": REGIONS}, "a dimension's name is a word .* not 'a=b'"),
        ({"day": DAYS, 7: REGIONS}, "a dimension's name is a word .* not 7"),
        ({"day": DAYS, "Day": REGIONS}, "dimensions 'day' and 'Day' differ only in case"),
        ({"day": DAYS, "both": BOTH}, "dimension 'both' must be a definition of one dimension"),
        ({"day": DAYS, "all": Unpartitioned()}, "dimension 'all' must be a definition of one dimension"),
        ({"day": DAYS, "x": ["us"]}, r"dimension 'x' must be a definition of one dimension, .* not \['us'\]"),
        (
            {"day": dw.DailyPartitions("1900-01-01", "2100-01-01"), "n": dw.StaticPartitions([*map(str, range(700))])},
            "73,049 x 700 are 51,134,300 partitions, but at most 50,000,000 are supported; cut less finely",
        ),
    ],
)
def test_what_makes_no_dimensions_is_refused(dimensions: Any, reason: str) -> None:
    with pytest.raises(InvalidDefinition, match=f"^MultiPartitions: {reason}"):
        dw.MultiPartitions(dimensions)


def test_keys_that_make_a_definition_too_large_are_refused_where_it_is_used() -> None:
    numbers, others = dw.DynamicPartitions("numbers"), dw.DynamicPartitions("others")
    keys = [str(number) for number in range(7100)]

    @dw.asset(partitions=dw.MultiPartitions({"a": numbers, "b": others}), partition_by=["a", "b"])
    def pairs() -> pl.LazyFrame: ...  # type: ignore[empty-body]

    with pytest.raises(InvalidDefinition, match="7,100 x 7,100 are 50,410,000 partitions") as caught:
        build_graph(dw.Definitions([pairs]), NOW, {numbers: keys, others: keys})

    assert caught.value.where == pairs.where


def rows() -> pl.DataFrame:
    """One row for each day and region, and one without either."""
    places = [BOTH.coordinates(ordinal) for ordinal in range(BOTH.size)]
    days = [dt.date.fromisoformat(DAYS.key(day)) for day, _ in places]
    regions = [REGIONS.key(region) for _, region in places]
    return pl.DataFrame({"flight_date": [*days, None], "region": [*regions, None]})


@pytest.mark.parametrize(("first", "last"), [(4, 4), (3, 5), (4, 5), (0, 1)])
def test_a_call_claims_its_own_partitions_by_each_dimension(first: int, last: int) -> None:
    partition = Partition(BOTH, first, last, ("flight_date", "region"))

    inside = rows().filter(partition.contains("flight_date") & partition.contains("region"))
    by_name = rows().filter(
        partition.dimension("day").contains("flight_date"), partition.dimension("region").contains(pl.col("region"))
    )

    assert inside.equals(rows()[first : last + 1])
    assert by_name.equals(inside)
    assert partition.dimension("region").keys == inside["region"].to_list()
    assert partition.dimension("day").key == BOTH.dimensions[0].key(first // 3)
    assert partition.dimension("day").columns == ("flight_date",)
    assert (partition.start, partition.end) == (DAYS.start_of(first // 3), DAYS.end_of(first // 3))


def test_a_range_call_over_days_has_the_whole_range_as_its_time() -> None:
    nested = dw.MultiPartitions({"region": REGIONS, "day": DAYS})
    partition = Partition(nested, 5, 7, ("region", "flight_date"))

    assert (partition.start, partition.end) == (dt.date(2013, 11, 2), dt.date(2013, 11, 5))
    assert partition.dimension("region").key == "eu"
    assert partition.keys == [f"region=eu,day=2013-11-0{day}" for day in (2, 3, 4)]


def test_what_a_call_cannot_tell_is_said_with_the_way_out() -> None:
    partition = Partition(BOTH, 0, 0, ("flight_date", "region"))
    twice = Partition(dw.MultiPartitions({"ordered": DAYS, "shipped": DAYS}), 0, 0, ("ordered", "shipped"))

    with pytest.raises(ValueError, match=r"'arrival' is no dimension .* use partition.dimension\('day'\), partition\."):
        partition.contains("arrival")
    with pytest.raises(ValueError, match="'flight_date' is no dimension"):
        partition.dimension("flight_date")
    with pytest.raises(ValueError, match=r"not partitions of one time; say which by partition\.dimension\(\.\.\.\)"):
        _ = twice.start
    assert twice.dimension("shipped").start == dt.date(2013, 11, 1)
    assert rows().filter(partition.contains(pl.col("flight_date").alias("day"))).height == 3
