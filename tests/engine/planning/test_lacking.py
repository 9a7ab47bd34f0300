"""What a table does not include yet, against an oracle that follows every partition by itself through all records."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.execution.past import LakePast
from deltaworks.engine.planning.lacking import LONG_AGO, oldest_lacking
from deltaworks.io.log import commit_path
from deltaworks.io.store import Store
from tests.engine.planning.test_status_and_plan import Reading, _days, _days_of, graphs

BEGIN = dt.datetime(2013, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Event:
    """What one commit did to a partition."""

    version: int
    at: dt.datetime
    origin: str
    code: str = ""
    pins: dict[str, tuple[str, int]] = field(default_factory=dict)


@dataclass
class Oracle:
    """All that ever happened to every partition, in dictionaries."""

    numbers: dict[str, list[int]]
    readings: dict[str, list[Reading]]
    events: dict[str, dict[int, list[Event]]]
    table_ids: dict[str, str] = field(default_factory=dict)

    def lacking(self, name: str, number: int, version: int, floor: dt.datetime) -> Iterator[dt.datetime]:
        """Yield since when each commit that a partition did not include at a version could have been included."""
        events = self.events[name].get(number, [])
        then = next((each for each in reversed(events) if each.version <= version), None)
        is_chosen_now = bool(events) and events[-1].origin == "outside"
        if not self.readings[name] or is_chosen_now or (then is not None and then.origin == "outside"):
            yield from (max(each.at, floor) for each in events if each.version > version)
        elif then is None or then.origin == "gone":
            end = BEGIN + dt.timedelta(days=number) if number else LONG_AGO
            for reading in self.readings[name]:
                for each in reading.numbers(number, self.numbers[reading.upstream]):
                    yield from self.lacking(reading.upstream, each, -1, max(floor, end))
        else:
            for reading in self.readings[name]:
                pin = self._pin(then, reading.upstream)
                for each in reading.numbers(number, self.numbers[reading.upstream]) if pin is not None else ():
                    yield from self.lacking(reading.upstream, each, pin, floor)

    def _pin(self, then: Event, upstream: str) -> int | None:
        table_id = self.table_ids.get(upstream, "")
        if table_id in then.pins:
            return then.pins[table_id][1]
        is_replaced = any(name == upstream for name, _ in then.pins.values())
        return -1 if is_replaced or then.code == "override:new" else None


class Story:
    """A lake whose commits come at different times, and the oracle of it."""

    def __init__(self, draw: st.DataObject, lake_of: Callable[..., Any], table_of: Callable[..., Any]) -> None:
        self._draw = draw
        tables, readings = draw.draw(graphs())
        assets = []
        for name, bounds in tables.items():
            inputs = {f"{each.upstream}__{number}": each.mapping for number, each in enumerate(readings[name])}
            assets.append(table_of(name, None if bounds is None else _days(*bounds), **inputs))
        self.lake = lake_of(*assets)
        numbers = {name: [0] if each is None else list(range(each[0], sum(each))) for name, each in tables.items()}
        self.oracle = Oracle(numbers, readings, {name: {} for name in tables})

    def happen(self) -> None:
        at = BEGIN
        for _ in range(self._draw.draw(st.integers(0, 14), label="events")):
            at += dt.timedelta(hours=self._draw.draw(st.integers(1, 30)))
            self.lake.now_ms = int(at.timestamp() * 1000)
            name = self._draw.draw(st.sampled_from(sorted(self.oracle.numbers)))
            numbers = self._draw.draw(st.sets(st.sampled_from(self.oracle.numbers[name]), min_size=1))
            match self._draw.draw(st.sampled_from(["make", "make", "make", "make", "outside", "empty", "replace"])):
                case "make":
                    self._make(name, numbers, at)
                case "outside":
                    self._note(name, numbers, Event(self.lake.write_outside(name, *_days_of(numbers)), at, "outside"))
                case "empty" if self.lake.table(name).exists:
                    self._empty(name, numbers, at)
                case "replace":
                    self.lake.replace(name)
                    self.oracle.events[name] = {}
                    self.oracle.table_ids.pop(name, None)
                case _:
                    pass

    def write(self, folder: Store) -> None:
        for name, contents in self.lake.logs.items():
            for version, content in enumerate(contents):
                folder.put(commit_path(name, version), content)

    def _make(self, name: str, numbers: set[int], at: dt.datetime) -> None:
        pins: dict[str, int] = {}
        for each in self.oracle.readings[name]:
            version = self.lake.table(each.upstream).version
            if version > 0 and self._draw.draw(st.booleans(), label="read an old version"):
                pins[each.upstream] = self._draw.draw(st.integers(0, version))
        ids = self.oracle.table_ids
        read = {
            ids[each.upstream]: (each.upstream, pins.get(each.upstream, self.lake.table(each.upstream).version))
            for each in self.oracle.readings[name]
            if each.upstream in ids
        }
        code = self._draw.draw(st.sampled_from(["override:new", "override:old"]))
        version = self.lake.make(name, *_days_of(numbers), code=code, pins=pins)
        self._note(name, numbers, Event(version, at, "engine", code, read))

    def _empty(self, name: str, numbers: set[int], at: dt.datetime) -> None:
        events = self.oracle.events[name]
        there = {each for each in numbers if events.get(each) and events[each][-1].origin != "gone"}
        version = self.lake.empty(name, *_days_of(there or numbers))
        self._note(name, there, Event(version, at, "gone"))

    def _note(self, name: str, numbers: set[int], event: Event) -> None:
        table_id = self.lake.table(name).table_id
        assert table_id is not None
        self.oracle.table_ids[name] = table_id
        for number in numbers:
            self.oracle.events[name].setdefault(number, []).append(event)


@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_the_oldest_that_is_lacking_is_what_the_records_say(
    data: st.DataObject,
    lake_of: Callable[..., Any],
    table_of: Callable[..., Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    story = Story(data, lake_of, table_of)
    story.happen()
    store = Store(tmp_path_factory.mktemp("logs"), durable=False)
    story.write(store)
    oracle, graph, state = story.oracle, story.lake.graph, story.lake.state()
    past = LakePast(graph, store, story.lake.tables)

    for name, numbers in oracle.numbers.items():
        asked = data.draw(st.sets(st.sampled_from(numbers), min_size=1), label=f"of {name}")
        chosen = PartitionSet.of([numbers.index(each) for each in asked], len(numbers))
        found = oldest_lacking(graph, state, past, AssetKey(name), chosen)

        latest = story.lake.table(name).version
        lacking = [since for number in asked for since in oracle.lacking(name, number, latest, LONG_AGO)]
        assert (None if found is None else found.since) == min(lacking, default=None), name
        if found is not None:
            events = oracle.events[str(found.root)]
            touched = {oracle.numbers[str(found.root)][ordinal] for ordinal in found.partitions}
            assert touched
            assert all(found.version in {each.version for each in events[number]} for number in touched)
            assert found.way[0] == (AssetKey(name), latest)
            assert found.way[-1][0] == found.root
