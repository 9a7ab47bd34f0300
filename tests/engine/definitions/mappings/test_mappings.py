"""Mappings: what they join, by brute force over keys, and what they refuse."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import deltaworks as dw
from deltaworks.engine.definitions.mappings.correspond import correspond, infer_mapping
from deltaworks.engine.definitions.mappings.correspondence import Fixed, Window
from deltaworks.engine.definitions.mappings.declared import (
    AllPartitionsMapping,
    FunctionMapping,
    IdentityMapping,
    LastPartitionMapping,
    MultiMapping,
    PartitionMapping,
    SpecificPartitionsMapping,
    StaticMapping,
    TimeWindowMapping,
    as_mapping,
)
from deltaworks.engine.definitions.partitions.key_partitions import DynamicPartitions, StaticPartitions
from deltaworks.engine.definitions.partitions.multi_partitions import MultiPartitions
from deltaworks.engine.definitions.partitions.protocols import Partitions, Unpartitioned
from deltaworks.errors import InvalidDefinition
from tests.engine.definitions.mappings.relations import by_key, check

quick = settings(deadline=None, max_examples=50)
LETTERS = "abcdefg"
EARLY = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)


def days(first: int, size: int) -> dw.DailyPartitions:
    start = dt.date(2013, 1, 1) + dt.timedelta(days=first)
    if size == 0:
        return dw.DailyPartitions(start).until(EARLY)
    return dw.DailyPartitions(start, start + dt.timedelta(days=size))


def dynamic(*keys: str) -> DynamicPartitions:
    return DynamicPartitions("letters").with_keys(keys)


def multi(**dimensions: Any) -> MultiPartitions:
    return MultiPartitions(dimensions)


def joined(mapping: PartitionMapping, down: Partitions, up: Partitions, **options: bool) -> dict[str, list[str]]:
    """Return the upstream keys of each downstream key that has any."""
    found = correspond(mapping, down, up, **options)
    pairs = ((d, [up.key(u) for u in found.upstream_of(d, d)]) for d in range(down.size))
    return {down.key(d): keys for d, keys in pairs if keys}


lists_of_keys = st.lists(st.sampled_from(LETTERS), min_size=1, unique=True)
static = st.builds(StaticPartitions, lists_of_keys)
letters = st.one_of(static, st.builds(lambda keys: dynamic(*keys), st.lists(st.sampled_from(LETTERS))))
january = st.builds(days, st.integers(0, 9), st.integers(1, 9))


def day_of(key: str) -> dt.date:
    return dt.date.fromisoformat(key)


def parts(key: str) -> dict[str, str]:
    return dict(part.split("=") for part in key.split(","))


@quick
@given(letters, letters, st.data())
def test_keys_are_joined_by_key_in_whatever_order(down: Partitions, up: Partitions, data: st.DataObject) -> None:
    shared = set(map(down.key, range(down.size))) & set(map(up.key, range(up.size)))
    if not shared and isinstance(down, StaticPartitions) and isinstance(up, StaticPartitions):
        with pytest.raises(InvalidDefinition, match="have none in common"):
            correspond(IdentityMapping(), down, up)
        return

    check(by_key(correspond(IdentityMapping(), down, up), down, up, lambda d, u: d == u), data)


@quick
@given(january, january, st.integers(-15, 15), st.integers(0, 7), st.data())
def test_a_window_of_days_is_counted_from_the_day(
    down: Partitions, up: Partitions, first: int, more: int, data: st.DataObject
) -> None:
    found = correspond(TimeWindowMapping(first, first + more), down, up)

    def joins(d: str, u: str) -> bool:
        return first <= (day_of(u) - day_of(d)).days <= first + more

    check(by_key(found, down, up, joins), data)


@quick
@given(letters, letters, st.data())
def test_some_upstream_partitions_go_into_all(down: Partitions, up: Partitions, data: st.DataObject) -> None:
    keys = [up.key(u) for u in range(up.size)]
    some = set(data.draw(st.lists(st.sampled_from(keys), min_size=1))) if keys else set[str]()
    for mapping, expected in (
        (AllPartitionsMapping(), set(keys)),
        (LastPartitionMapping(), set(keys[-1:])),
        *([(SpecificPartitionsMapping(some), some)] if some else []),
    ):
        check(by_key(correspond(mapping, down, up), down, up, lambda d, u, of=expected: u in of), data)


@quick
@given(letters, letters, st.data())
def test_a_table_of_keys_and_a_function_say_the_same(down: Partitions, up: Partitions, data: st.DataObject) -> None:
    downs, ups = ([each.key(ordinal) for ordinal in range(each.size)] for each in (down, up))
    table: dict[str, list[str]] = {}
    if downs and ups:
        values = st.lists(st.sampled_from(downs), min_size=1, max_size=4)
        table = data.draw(st.dictionaries(st.sampled_from(ups), values))

    def upstream_keys(key: str) -> Iterable[str]:
        return [upstream for upstream, goes_into in table.items() if key in goes_into]

    mappings: list[PartitionMapping] = [FunctionMapping(upstream_keys)]
    for mapping in [*mappings, *([StaticMapping(table)] if table else [])]:
        check(by_key(correspond(mapping, down, up), down, up, lambda d, u: d in table.get(u, ())), data)


@quick
@given(january, january, letters, static, st.integers(-3, 1), st.integers(0, 2), st.data())
def test_dimensions_are_joined_one_by_one(
    here: Partitions,
    there: Partitions,
    region: Partitions,
    other: Partitions,
    first: int,
    more: int,
    data: st.DataObject,
) -> None:
    window, last = TimeWindowMapping(first, first + more), other.key(other.size - 1)

    def in_window(d: str, u: str) -> bool:
        return first <= (day_of(u) - day_of(d)).days <= first + more

    both = multi(day=there, region=region)
    three = multi(other=other, day=there, region=region)
    cases: list[tuple[PartitionMapping, Partitions, Partitions, Callable[[dict[str, str], dict[str, str]], bool]]] = [
        (
            window,
            multi(region=region, day=here),
            both,
            lambda d, u: in_window(d["day"], u["day"]) and d["region"] == u["region"],
        ),
        (window, here, both, lambda d, u: in_window(d[""], u["day"])),
        (window, multi(region=region, day=here), there, lambda d, u: in_window(d["day"], u[""])),
        (
            MultiMapping({"day": ("date", window)}),
            multi(date=here, area=region),
            both,
            lambda d, u: in_window(d["date"], u["day"]),
        ),
        (
            MultiMapping({"other": LastPartitionMapping(), "day": window}),
            multi(day=here, region=region),
            three,
            lambda d, u: in_window(d["day"], u["day"]) and d["region"] == u["region"] and u["other"] == last,
        ),
        (
            MultiMapping({"region": ("day", lambda day: [])}),
            multi(day=here, region=region),
            both,
            lambda d, u: False,
        ),
        (
            MultiMapping({"region": ("region", IdentityMapping()), "day": AllPartitionsMapping()}),
            both,
            both,
            lambda d, u: d["region"] == u["region"],
        ),
        (IdentityMapping(), multi(region=region, day=here), both, lambda d, u: d == u),
    ]
    mapping, down, up, joins = data.draw(st.sampled_from(cases))

    def keys_join(d: str, u: str) -> bool:
        return joins(parts(d) if "=" in d else {"": d}, parts(u) if "=" in u else {"": u})

    check(by_key(correspond(mapping, down, up), down, up, keys_join), data)


NEW_YORK = dw.DailyPartitions("2013-01-01", "2013-02-01", "America/New_York")
DAYS, MORE_DAYS = days(0, 31), days(5, 50)
REGIONS, AREAS = StaticPartitions(["us", "eu"]), StaticPartitions(["eu", "asia"])
ITEMS = StaticPartitions(["bread", "milk"])
BY_DAY = multi(day=DAYS, region=REGIONS)


@pytest.mark.parametrize(
    ("down", "up", "expected"),
    [
        (DAYS, DAYS, IdentityMapping()),
        (DAYS, MORE_DAYS, IdentityMapping()),
        (DAYS, NEW_YORK, TimeWindowMapping()),
        (Unpartitioned(), Unpartitioned(), AllPartitionsMapping()),
        (Unpartitioned(), BY_DAY, AllPartitionsMapping()),
        (DAYS, Unpartitioned(), AllPartitionsMapping()),
        (REGIONS, AREAS, IdentityMapping()),
        (REGIONS, ITEMS, AllPartitionsMapping()),
        (dynamic("a"), dynamic(), IdentityMapping()),
        (dynamic("a"), REGIONS, AllPartitionsMapping()),
        (DAYS, REGIONS, AllPartitionsMapping()),
        (DAYS, BY_DAY, MultiMapping({"day": IdentityMapping()})),
        (BY_DAY, DAYS, MultiMapping({"day": IdentityMapping()})),
        (BY_DAY, NEW_YORK, MultiMapping({"day": TimeWindowMapping()})),
        (BY_DAY, AREAS, MultiMapping({"region": IdentityMapping()})),
        (BY_DAY, ITEMS, AllPartitionsMapping()),
        (DAYS, multi(ordered=DAYS, shipped=MORE_DAYS), AllPartitionsMapping()),
        (DAYS, multi(ordered=NEW_YORK, shipped=MORE_DAYS), MultiMapping({"shipped": IdentityMapping()})),
        (BY_DAY, BY_DAY, MultiMapping({"day": IdentityMapping(), "region": IdentityMapping()})),
        (
            BY_DAY,
            multi(region=AREAS, day=NEW_YORK, item=ITEMS),
            MultiMapping({"region": IdentityMapping(), "day": TimeWindowMapping()}),
        ),
        (BY_DAY, multi(day=ITEMS, other=DAYS), AllPartitionsMapping()),
    ],
    ids=str,
)
def test_what_cuts_by_the_same_thing_is_joined_by_it_and_else_as_a_whole(
    down: Partitions, up: Partitions, expected: PartitionMapping
) -> None:
    assert infer_mapping(down, up) == expected
    correspond(expected, down, up)


@pytest.mark.parametrize(
    ("mapping", "down", "up", "needs_each"),
    [
        (AllPartitionsMapping(), DAYS, Unpartitioned(), True),
        (AllPartitionsMapping(), Unpartitioned(), DAYS, False),
        (IdentityMapping(), DAYS, MORE_DAYS, True),
        (LastPartitionMapping(), DAYS, REGIONS, True),
        (SpecificPartitionsMapping(["us"]), DAYS, REGIONS, True),
        (MultiMapping({"day": IdentityMapping()}), BY_DAY, DAYS, True),
        (MultiMapping({"day": IdentityMapping()}), DAYS, BY_DAY, False),
        (MultiMapping({"region": SpecificPartitionsMapping(["us"])}), DAYS, BY_DAY, True),
        (TimeWindowMapping(-1), BY_DAY, BY_DAY, True),
    ],
    ids=str,
)
def test_what_is_read_as_a_whole_needs_no_partition_in_particular(
    mapping: PartitionMapping, down: Partitions, up: Partitions, needs_each: bool
) -> None:
    assert correspond(mapping, down, up).needs_each == needs_each


def test_equal_definitions_are_the_same_without_a_look_at_their_keys() -> None:
    assert correspond(IdentityMapping(), BY_DAY, BY_DAY) == Window(0, 0, 62, 62)
    assert correspond(IdentityMapping(), BY_DAY, multi(day=days(1, 30), region=REGIONS)) == Window(-2, -2, 62, 60)
    assert correspond(TimeWindowMapping(-1, -1), BY_DAY, BY_DAY) == Window(-2, -2, 62, 62)


def test_what_is_the_same_for_all_dimensions_joins_all() -> None:
    only_us = MultiMapping({"day": LastPartitionMapping(), "region": SpecificPartitionsMapping(["us"])})

    found = correspond(only_us, REGIONS, BY_DAY)

    assert isinstance(found, Fixed)
    assert joined(only_us, REGIONS, BY_DAY) == {"us": ["day=2013-01-31,region=us"], "eu": ["day=2013-01-31,region=us"]}


def test_two_definitions_and_a_mapping_are_resolved_once() -> None:
    called: list[str] = []

    def same(key: str) -> list[str]:
        called.append(key)
        return [key]

    first = correspond(FunctionMapping(same), StaticPartitions(["a", "b"]), StaticPartitions(["b", "a"]))

    assert correspond(as_mapping(same), StaticPartitions(["a", "b"]), StaticPartitions(["b", "a"])) is first
    assert called == ["a", "b"]


def awaited(mapping: PartitionMapping, down: Partitions, up: Partitions, **options: bool) -> dict[str, str]:
    """Return the key that each downstream key waits for."""
    found = correspond(mapping, down, up, **options).awaited
    return {} if found is None else {down.key(place): key for place, key in enumerate(found) if key is not None}


def test_a_key_that_a_lake_may_get_is_waited_for() -> None:
    both = {"us": ["old"], "eu": ["old", "new"]}
    old = DynamicPartitions("ages").with_keys(["old"])
    for mapping in (FunctionMapping(both.__getitem__), StaticMapping({"old": ["us", "eu"], "new": "eu"})):
        assert joined(mapping, REGIONS, old) == {"us": ["old"], "eu": ["old"]}
        assert awaited(mapping, REGIONS, old) == {"eu": "new"}
        assert awaited(mapping, REGIONS, old, allow_missing=True) == {}
    specific = SpecificPartitionsMapping(["old", "new"])
    assert joined(specific, REGIONS, old) == {"us": ["old"], "eu": ["old"]}
    assert awaited(specific, REGIONS, old) == {"us": "new", "eu": "new"}
    assert awaited(specific, REGIONS, old, allow_missing=True) == {}
    reverse = StaticMapping({"us": ["old", "new"]})
    assert (joined(reverse, old, REGIONS), awaited(reverse, old, REGIONS)) == ({"old": ["us"]}, {})


def test_a_combination_waits_where_one_of_its_dimensions_does() -> None:
    ages, two = DynamicPartitions("ages").with_keys(["old"]), days(0, 2)
    up, down = multi(day=two, age=ages), multi(region=REGIONS, day=two)
    by_region = MultiMapping({"age": ("region", StaticMapping({"old": ["us", "eu"], "new": "eu"}))})
    specific = MultiMapping({"age": SpecificPartitionsMapping(["old", "new"])})

    assert awaited(by_region, down, up) == {f"region=eu,day=2013-01-0{day}": "age=new" for day in (1, 2)}
    assert awaited(specific, two, up) == {f"2013-01-0{day}": "age=new" for day in (1, 2)}
    assert awaited(specific, REGIONS, up) == {"us": "age=new", "eu": "age=new"}
    assert joined(by_region, down, up)["region=eu,day=2013-01-02"] == ["day=2013-01-02,age=old"]


def test_a_key_that_lies_ahead_is_waited_for_where_the_definition_grows() -> None:
    def today_and_tomorrow(key: str) -> list[str]:
        return [key, (day_of(key) + dt.timedelta(days=1)).isoformat()]

    two, mapping = days(0, 2), FunctionMapping(today_and_tomorrow)

    with pytest.raises(InvalidDefinition, match=r"today_and_tomorrow\('2013-01-02'\) names '2013-01-03'"):
        correspond(mapping, two, two)
    assert awaited(mapping, two, two, grows=True) == {"2013-01-02": "2013-01-03"}
    assert joined(mapping, two, two, grows=True)["2013-01-02"] == ["2013-01-02"]
    assert joined(mapping, two, two, allow_missing=True)["2013-01-02"] == ["2013-01-02"]


@pytest.mark.parametrize(
    ("mapping", "down", "up", "problem"),
    [
        (
            IdentityMapping(),
            Unpartitioned(),
            DAYS,
            "IdentityMapping joins partitions of the same key, but here it is to make the whole table from days",
        ),
        (IdentityMapping(), DAYS, NEW_YORK, "(daily America/New_York); TimeWindowMapping() joins what overlaps"),
        (IdentityMapping(), REGIONS, DAYS, "it is to make the keys us, eu from days 2013-01-01 to 2013-01-31"),
        (IdentityMapping(), REGIONS, ITEMS, "the keys us, eu and the keys bread, milk have none in common"),
        (IdentityMapping(), DAYS, BY_DAY, "MultiMapping says which dimension is mapped from which"),
        (IdentityMapping(), BY_DAY, multi(day=DAYS, area=REGIONS), "has day, region, the upstream day, area;"),
        (
            TimeWindowMapping(),
            DAYS,
            Unpartitioned(),
            "it is to make days 2013-01-01 to 2013-01-31 from the whole table",
        ),
        (TimeWindowMapping(-1), REGIONS, REGIONS, "TimeWindowMapping joins partitions of time, but here"),
        (TimeWindowMapping(-1), BY_DAY, REGIONS, "but the upstream's partitions are the keys us, eu"),
        (TimeWindowMapping(-1), DAYS, multi(a=REGIONS, b=ITEMS), "the upstream's dimensions a, b have none of time"),
        (TimeWindowMapping(-1), multi(a=DAYS, b=DAYS), DAYS, "dimensions a, b have several of time; MultiMapping says"),
        (
            SpecificPartitionsMapping(["uk"]),
            DAYS,
            REGIONS,
            "names 'uk', but the upstream's partitions are the keys us, eu",
        ),
        (SpecificPartitionsMapping(["uss"]), DAYS, REGIONS, "Did you mean 'us'?"),
        (SpecificPartitionsMapping(["a"]), DAYS, Unpartitioned(), "by their keys, but the whole table has none"),
        (StaticMapping({"uk": "us"}), REGIONS, REGIONS, "StaticMapping names 'uk', but the upstream's partitions are"),
        (
            StaticMapping({"us": "uk"}),
            REGIONS,
            REGIONS,
            "StaticMapping names 'uk', but the downstream's partitions are",
        ),
        (MultiMapping({"day": IdentityMapping()}), DAYS, DAYS, "MultiMapping joins partitions of several dimensions"),
        (MultiMapping({"day": IdentityMapping()}), BY_DAY, Unpartitioned(), "MultiMapping joins partitions of several"),
        (MultiMapping({"dai": IdentityMapping()}), DAYS, BY_DAY, "are day, region. Did you mean 'day'?"),
        (MultiMapping({"day": ("dei", TimeWindowMapping())}), BY_DAY, BY_DAY, "'day' is mapped from 'dei', but the"),
        (MultiMapping({"x": TimeWindowMapping()}), BY_DAY, DAYS, "as in {'x': ('day', ...)}"),
        (MultiMapping({}), BY_DAY, DAYS, "so it has one mapping, not 0"),
        (
            MultiMapping({"day": IdentityMapping(), "region": ("day", FunctionMapping(lambda day: ["us"]))}),
            BY_DAY,
            BY_DAY,
            "'day' and 'region' are both mapped from one downstream dimension",
        ),
        (MultiMapping({"region": TimeWindowMapping()}), BY_DAY, BY_DAY, "dimension 'region': TimeWindowMapping joins"),
        (FunctionMapping(lambda key: [key + "0"]), REGIONS, REGIONS, "<lambda>('us') names 'us0', but the upstream's"),
        (FunctionMapping(lambda key: key), REGIONS, REGIONS, "must return upstream keys, such as ['a', 'b'], not 'us'"),
        (FunctionMapping(lambda key: [1]), REGIONS, REGIONS, "must return upstream keys, such as ['a', 'b'], not [1]"),
        (
            FunctionMapping(lambda key: None),
            REGIONS,
            REGIONS,
            "must return upstream keys, such as ['a', 'b'], not None",
        ),
        (FunctionMapping(lambda key: {}[key]), REGIONS, REGIONS, "<lambda>('us') raised KeyError: 'us'"),
        (FunctionMapping(lambda key: (1 / 0 for _ in key)), REGIONS, REGIONS, "raised ZeroDivisionError"),
        (FunctionMapping(lambda key: []), Unpartitioned(), REGIONS, "<lambda> joins partitions by their keys, but the"),
    ],
)
def test_a_mapping_that_cannot_join_two_definitions_is_refused(
    mapping: PartitionMapping, down: Partitions, up: Partitions, problem: str
) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        correspond(mapping, down, up)

    assert problem in str(refused.value)


async def later(key: str) -> list[str]:
    return [key]


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: TimeWindowMapping(start_offset=1), "start_offset 1 lies after end_offset 0"),
        (lambda: TimeWindowMapping(-1.5), "start_offset must be a whole number of partitions, such as -6, not -1.5"),
        (lambda: TimeWindowMapping(0, True), "end_offset must be a whole number of partitions"),
        (lambda: SpecificPartitionsMapping([]), "the keys must be a list such as ['2013-01-01'], not []"),
        (lambda: SpecificPartitionsMapping("us"), "the keys must be a list such as ['2013-01-01'], not 'us'"),
        (lambda: SpecificPartitionsMapping([1]), "the keys must be a list such as ['2013-01-01'], not [1]"),
        (lambda: StaticMapping({}), "must be like {'upstream key': 'downstream key', 'another': ['a', 'b']}, not {}"),
        (lambda: StaticMapping(["us"]), "must be like {'upstream key'"),
        (lambda: StaticMapping({"us": []}), "'us': [] is not"),
        (lambda: StaticMapping({"us": [1]}), "'us': [1] is not"),
        (lambda: MultiMapping(["day"]), "by upstream dimension, like {'day': TimeWindowMapping(-1)}, not ['day']"),
        (lambda: MultiMapping({"day": 1}), "dimension 'day': mapping must be a value such as TimeWindowMapping(...)"),
        (lambda: MultiMapping({"day": (1, IdentityMapping())}), "('downstream dimension', mapping), not 'day': (1,"),
        (lambda: MultiMapping({"day": ("a", "b", "c")}), "mapping), not 'day': ('a', 'b', 'c')"),
        (lambda: MultiMapping({"day": MultiMapping({})}), "dimension 'day' has no dimensions itself"),
        (lambda: as_mapping(IdentityMapping), "or a function from a key to upstream keys, not <class"),
        (lambda: as_mapping(later), "or a function from a key to upstream keys, not <function later"),
    ],
)
def test_a_mapping_that_means_nothing_is_refused_where_it_is_written(make: Callable[[], object], problem: str) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        make()

    assert problem in str(refused.value)


def test_mappings_are_values_whatever_the_order_of_their_keys() -> None:
    assert SpecificPartitionsMapping(["a", "b"]) == SpecificPartitionsMapping(["b", "a", "b"])
    one = StaticMapping({"a": ["y", "x"], "b": "x"})
    other = StaticMapping({"b": ["x"], "a": ["x", "y"]})
    assert (one, hash(one), repr(one)) == (other, hash(other), repr(other))
    assert MultiMapping({"a": IdentityMapping(), "b": ("c", TimeWindowMapping())}) == MultiMapping(
        {"b": ("c", TimeWindowMapping()), "a": IdentityMapping()}
    )
