"""What a record tells of the partitions that were read, against the sets themselves."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

import polars as pl
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import deltaworks as dw
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.planning.graph import Edge, Needs, build_graph
from deltaworks.engine.planning.members import ALL, compare_members, members_of, members_vary

FIRST = dt.date(2024, 1, 29)
REGIONS = ("asia", "eu", "us")
spans = st.tuples(st.integers(0, 11), st.integers(1, 6))
offsets = st.tuples(st.integers(-3, 2), st.integers(0, 3)).map(lambda pair: (pair[0], pair[0] + pair[1]))
holidays = st.sets(st.integers(0, 16), max_size=2)


def days(span: tuple[int, int], without: set[int]) -> Any:
    start, end = (FIRST + dt.timedelta(days=each) for each in (span[0], sum(span)))
    return dw.DailyPartitions(start, end, exclusions=[FIRST + dt.timedelta(days=each) for each in sorted(without)])


def edge(upstream: Any, downstream: Any, mapping: Any, allow_missing: bool) -> Edge:
    @dw.asset(partitions=upstream, partition_by=_columns(upstream))
    def source() -> pl.LazyFrame: ...  # type: ignore[empty-body]

    @dw.asset(partitions=downstream, partition_by=_columns(downstream))
    def read(
        source: Annotated[pl.LazyFrame, dw.Input(mapping=mapping, allow_missing=allow_missing)],
    ) -> pl.LazyFrame: ...  # type: ignore[empty-body]

    graph = build_graph(dw.Definitions([source, read]), dt.datetime(2025, 1, 1, tzinfo=dt.UTC))
    return graph.node("read").upstream[0]


def _columns(partitions: Any) -> Any:
    return partitions.names if isinstance(partitions, dw.MultiPartitions) else "key"


def read_by(found: Edge, upstream: Any, ordinal: int, there: set[str]) -> tuple[set[str], bool]:
    """The keys that a partition reads, and whether that is all that it maps to."""
    mapped = {upstream.key(each) for each in found.correspondence.upstream_of(ordinal, ordinal)}
    return mapped & there, mapped <= there


def check(then: Any, now: Any, downstream: Any, mapping: Any, allow_missing: bool, there: set[str]) -> None:
    """Record what every partition reads with one definition of the upstream, and compare with another one."""
    before, after = (edge(each, downstream, mapping, allow_missing) for each in (then, now))
    assume(then.size and now.size and members_vary(before) and members_vary(after))
    recorded: list[str | None] = [None]
    made: list[int] = []
    for ordinal in range(downstream.size):
        mapped = before.correspondence.upstream_of(ordinal, ordinal)
        absent = {each for each in mapped if then.key(each) not in there}
        can_be_made = before.may_read_nothing or (
            len(mapped) > len(absent) and not (before.needs is Needs.EACH and absent)
        )
        recorded += [members_of(before, ordinal, mapped, absent)] if can_be_made else []
        made.append(len(recorded) - 1 if can_be_made else 0)

    existing = PartitionSet.of([each for each in range(now.size) if now.key(each) in there], now.size)
    found = compare_members(after, now, existing, recorded, pl.Series(made, dtype=pl.UInt32))

    for ordinal in range(downstream.size):
        (was, _), (is_now, is_complete) = (
            read_by(of, each, ordinal, there) for of, each in ((before, then), (after, now))
        )
        differs = bool(found and found.differs[ordinal])
        can_be_made = (is_complete or after.needs is not Needs.EACH) and (is_now or after.may_read_nothing)
        if not made[ordinal] or not can_be_made:
            assert not differs
        elif after.needs is Needs.EACH or len(was) != len(is_now) or was == is_now:
            assert differs == (was != is_now), (ordinal, was, is_now, recorded[made[ordinal]])
        if found and found.is_same[ordinal]:
            assert len(was) == len(is_now)


@settings(deadline=None)
@given(spans, spans, spans, offsets, holidays, st.booleans(), st.sets(st.integers(0, 17), max_size=4))
def test_a_window_that_a_definition_cuts_is_told_from_others(
    then: Any, now: Any, downstream: Any, window: Any, without: Any, allow_missing: bool, gone: set[int]
) -> None:
    there = {(FIRST + dt.timedelta(days=each)).isoformat() for each in set(range(18)) - gone}
    mapping = dw.TimeWindowMapping(*window)

    without = set() if allow_missing else without  # at a border, an excluded day may be taken for one that is cut
    check(days(then, without), days(now, without), days(downstream, set()), mapping, allow_missing, there)


@settings(deadline=None)
@given(spans, spans, st.integers(-1, 1), st.booleans(), st.sets(st.integers(0, 17), max_size=4))
def test_so_is_the_time_of_a_longer_partition(
    then: Any, now: Any, offset: int, allow_missing: bool, gone: set[int]
) -> None:
    there = {(FIRST + dt.timedelta(days=each)).isoformat() for each in set(range(18)) - gone}
    mapping = dw.TimeWindowMapping(min(offset, 0), max(offset, 0))
    for downstream in (dw.MonthlyPartitions("2024-01-01", "2024-04-01"), dw.WeeklyPartitions(FIRST, "2024-02-20")):
        check(days(then, set()), days(now, set()), downstream, mapping, allow_missing, there)


@settings(deadline=None)
@given(
    *[st.tuples(spans, st.sets(st.sampled_from(REGIONS)).map({"us"}.union))] * 2,
    st.sampled_from([None, dw.LastPartitionMapping(), dw.TimeWindowMapping(-1, 0)]),
    st.booleans(),
    st.sets(st.integers(0, 53), max_size=6),
)
def test_so_is_one_value_of_a_dimension_that_is_read_as_a_whole(
    then: Any, now: Any, by_day: Any, allow_missing: bool, gone: set[int]
) -> None:
    every = [(day, region) for day in range(18) for region in REGIONS]
    there = {
        f"day={FIRST + dt.timedelta(days=day)},region={region}"
        for place, (day, region) in enumerate(every)
        if place not in gone
    }
    cubes = [
        dw.MultiPartitions({"day": days(span, set()), "region": dw.StaticPartitions(sorted(regions))})
        for span, regions in (then, now)
    ]
    if by_day is None or isinstance(by_day, dw.LastPartitionMapping):
        downstream: Any = dw.StaticPartitions(["us", "eu"])
        mapping = dw.MultiMapping({"region": dw.IdentityMapping()} | ({"day": by_day} if by_day else {}))
    else:
        downstream, mapping = days((2, 6), set()), dw.MultiMapping({"day": by_day})

    check(cubes[0], cubes[1], downstream, mapping, allow_missing, there)


def test_most_of_a_batch_has_the_same_to_tell() -> None:
    year = edge(
        dw.DailyPartitions("2024-01-01", "2025-01-01"), dw.MonthlyPartitions("2024-01-01", "2025-01-01"), None, False
    )
    week = edge(days((0, 6), set()), days((0, 6), set()), dw.TimeWindowMapping(-2, 0), False)
    same = edge(days((0, 6), set()), days((0, 6), set()), None, False)
    patchy = edge(days((0, 6), set()), days((0, 6), set()), None, True)

    told = [
        [members_of(each, place, each.correspondence.upstream_of(place, place), {3}) for place in range(6)]
        for each in (year, week, patchy)
    ]

    assert not members_vary(same)
    assert told[0] == ["30/31", *[ALL] * 5]
    assert told[1] == ["1/1/4", "2/2/2", ALL, "2/3", "2/3", "2/3"]
    assert told[2] == [ALL, ALL, ALL, "0/1", ALL, ALL]
