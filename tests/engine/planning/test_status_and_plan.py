"""Status and plan against an oracle that says what the design says, partition by partition, in plain Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

import deltaworks as dw
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.mappings.declared import AllPartitionsMapping, IdentityMapping, TimeWindowMapping
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.planning.causes import status_ranges
from deltaworks.engine.planning.plan import DEFAULT_ONLY, Only, Plan, plan
from deltaworks.engine.planning.request import Request
from deltaworks.engine.planning.status import Status
from deltaworks.errors import RequestError

thorough = settings(deadline=None, max_examples=60)


@dataclass(frozen=True)
class Reading:
    """One input of an asset: which numbers of the upstream a number is made from."""

    upstream: str
    mapping: Any

    def numbers(self, number: int, upstream: list[int]) -> list[int]:
        match self.mapping:
            case TimeWindowMapping(start, end):
                return [each for each in upstream if start <= each - number <= end]
            case IdentityMapping():
                return [each for each in upstream if each == number]
            case _:
                return upstream

    def lacks(self, number: int, upstream: list[int], there: set[int]) -> bool:
        """Tell whether something is missing: all of it, where whatever exists is read; else any of it, or every key."""
        if isinstance(self.mapping, AllPartitionsMapping) and upstream != [0]:
            return not there
        mapped = set(self.numbers(number, upstream))
        return not mapped or bool(mapped - there)


@dataclass
class Cell:
    """What the log says of a partition."""

    version: int
    origin: str
    code: str = ""
    pins: dict[str, tuple[str, int]] = field(default_factory=dict)


@dataclass
class Oracle:
    """Everything about a lake, in dictionaries."""

    numbers: dict[str, list[int]]
    readings: dict[str, list[Reading]]
    cells: dict[str, dict[int, Cell]]
    table_ids: dict[str, str]
    failures: dict[tuple[str, int], tuple[str | None, int]] = field(default_factory=dict)
    """The table id and version that the last failed attempt at each partition started from."""

    def status(self, name: str, number: int) -> str:
        cell = self.cells[name].get(number)
        if cell is None or cell.origin == "gone":
            return "missing"
        if cell.origin == "outside":
            return "external"
        is_stale = cell.code != "override:new" or any(
            self._is_cause(cell, each, number) for each in self.readings[name]
        )
        return "stale" if is_stale else "fresh"

    def _is_cause(self, cell: Cell, reading: Reading, number: int) -> bool:
        table_id = self.table_ids.get(reading.upstream, "")
        if table_id not in cell.pins and any(name == reading.upstream for name, _ in cell.pins.values()):
            return True
        _, pin = cell.pins.get(table_id, ("", -1))
        for each in reading.numbers(number, self.numbers[reading.upstream]):
            changed = self.cells[reading.upstream].get(each)
            if changed is not None and changed.version > pin:
                return True
            if self.status(reading.upstream, each) == "stale":
                return True
        return False

    def has_failed(self, name: str, number: int) -> bool:
        if (name, number) not in self.failures:
            return False
        table_id, version = self.failures[name, number]
        cell = self.cells[name].get(number)
        is_unchanged = cell is None or cell.version <= version
        return is_unchanged and table_id in (None, self.table_ids.get(name))

    def plan(
        self, asked: dict[str, set[int]], only: frozenset[Only]
    ) -> tuple[dict[str, set[int]], dict[str, set[int]]]:
        """Return what is planned and what is left out."""
        planned: dict[str, set[int]] = {}
        left_out: dict[str, set[int]] = {}
        for name, numbers in asked.items():
            planned[name], left_out[name] = set(), set()
            for number in numbers:
                if self._is_wanted(name, number, only) or self._is_moved(name, number, planned):
                    lacks = any(self._lacks(each, number, planned) for each in self.readings[name])
                    (left_out if lacks else planned)[name].add(number)
        return planned, left_out

    def _is_wanted(self, name: str, number: int, only: frozenset[Only]) -> bool:
        status = self.status(name, number)
        has_failed = Only.FAILED in only and self.has_failed(name, number) and status != "external"
        return Only.ALL in only or has_failed or status in {str(each) for each in only}

    def _is_moved(self, name: str, number: int, planned: dict[str, set[int]]) -> bool:
        return self.status(name, number) in ("fresh", "stale") and any(
            planned.get(each.upstream, set()) & set(each.numbers(number, self.numbers[each.upstream]))
            for each in self.readings[name]
        )

    def _lacks(self, reading: Reading, number: int, planned: dict[str, set[int]]) -> bool:
        upstream = self.numbers[reading.upstream]
        there = {each for each in upstream if self.status(reading.upstream, each) != "missing"}
        there |= planned.get(reading.upstream, set())
        return reading.lacks(number, upstream, there)


@st.composite
def graphs(draw: st.DrawFn) -> tuple[dict[str, tuple[int, int] | None], dict[str, list[Reading]]]:
    """Draw up to four tables, each of some days of January or whole, that read earlier ones."""
    tables: dict[str, tuple[int, int] | None] = {}
    readings: dict[str, list[Reading]] = {}
    for name in ("a", "b", "c", "d")[: draw(st.integers(2, 4))]:
        tables[name] = draw(st.one_of(st.none(), st.tuples(st.integers(1, 3), st.integers(1, 5))))
        readings[name] = []
        for upstream in draw(st.lists(st.sampled_from(sorted(tables)[:-1]), max_size=3)) if len(tables) > 1 else ():
            mappings: list[Any] = [AllPartitionsMapping()]
            if tables[name] and tables[upstream]:
                first, width = draw(st.integers(-3, 2)), draw(st.integers(0, 2))
                mappings += [IdentityMapping(), TimeWindowMapping(first, first + width)]
            readings[name].append(Reading(upstream, draw(st.sampled_from(mappings))))
    return tables, readings


class Story:
    """A lake and the oracle of it, to which the same things happen."""

    def __init__(self, draw: st.DataObject, lake_of: Callable[..., Any], table_of: Callable[..., Any]) -> None:
        self._draw = draw
        tables, readings = draw.draw(graphs())
        assets = []
        for name, bounds in tables.items():
            inputs = {f"{each.upstream}__{number}": each.mapping for number, each in enumerate(readings[name])}
            assets.append(table_of(name, None if bounds is None else _days(*bounds), **inputs))
        self.lake = lake_of(*assets)
        numbers = {name: [0] if each is None else list(range(each[0], sum(each))) for name, each in tables.items()}
        order = [str(key) for key in self.lake.graph.nodes]
        self.oracle = Oracle({name: numbers[name] for name in order}, readings, {name: {} for name in tables}, {})

    def happen(self, most: int = 12) -> None:
        for _ in range(self._draw.draw(st.integers(0, most), label="events")):
            name = self._draw.draw(st.sampled_from(sorted(self.oracle.numbers)))
            numbers = self._draw.draw(st.sets(st.sampled_from(self.oracle.numbers[name]), min_size=1))
            kind = self._draw.draw(st.sampled_from(["make", "make", "make", "outside", "empty", "fail", "replace"]))
            match kind:
                case "make":
                    self.make(name, numbers, is_old=self._draw.draw(st.booleans()), pins=self._pins(name))
                case "outside":
                    self._note(name, numbers, self.lake.write_outside(name, *_days_of(numbers)), "outside")
                case "empty" if self.lake.table(name).exists:
                    self._empty(name, numbers)
                case "fail":
                    self.lake.fail(name, *_days_of(numbers))
                    for number in numbers:
                        table = self.lake.table(name)
                        self.oracle.failures[name, number] = table.table_id, table.version
                case "replace":
                    self.lake.replace(name)
                    self.oracle.cells[name] = {}
                    self.oracle.table_ids.pop(name, None)
                case _:
                    pass

    def make(self, name: str, numbers: set[int], *, is_old: bool = False, pins: dict[str, int] | None = None) -> None:
        pins = pins or {}
        read = {
            self.oracle.table_ids[each.upstream]: (
                each.upstream,
                pins.get(each.upstream, self.lake.table(each.upstream).version),
            )
            for each in self.oracle.readings[name]
            if each.upstream in self.oracle.table_ids
        }
        code = "override:old" if is_old else "override:new"
        version = self.lake.make(name, *_days_of(numbers), code=code, pins=pins)
        self._note(name, numbers, version, "engine", code, read)

    def request(self) -> dict[str, set[int]]:
        asked: dict[str, set[int]] = {}
        for name, numbers in self.oracle.numbers.items():
            if self._draw.draw(st.booleans(), label=f"ask for {name}"):
                asked[name] = self._draw.draw(st.sets(st.sampled_from(numbers)))
        return asked

    def plan(self, asked: dict[str, set[int]], only: frozenset[Only]) -> Plan:
        partitions = {AssetKey(name): self.ordinals(name, numbers) for name, numbers in asked.items()}
        return plan(self.lake.graph, self.lake.status(), Request(partitions), only)

    def ordinals(self, name: str, numbers: set[int]) -> PartitionSet:
        every = self.oracle.numbers[name]
        return PartitionSet.of((every.index(each) for each in numbers), len(every))

    def numbers(self, name: AssetKey, partitions: PartitionSet) -> set[int]:
        return {self.oracle.numbers[str(name)][ordinal] for ordinal in partitions}

    def carry_out(self, decided: Plan) -> None:
        for key, partitions in decided.planned.items():
            self.make(str(key), self.numbers(key, partitions))

    def statuses(self) -> dict[tuple[str, int], str]:
        return {
            (name, number): self.oracle.status(name, number)
            for name, numbers in self.oracle.numbers.items()
            for number in numbers
        }

    def _pins(self, name: str) -> dict[str, int]:
        """Draw versions that were read: usually the latest, at times an older one."""
        pins: dict[str, int] = {}
        for each in self.oracle.readings[name]:
            version = self.lake.table(each.upstream).version
            if version > 0 and self._draw.draw(st.booleans(), label="read an old version"):
                pins[each.upstream] = self._draw.draw(st.integers(0, version))
        return pins

    def _empty(self, name: str, numbers: set[int]) -> None:
        there = {each for each in numbers if self.oracle.status(name, each) != "missing"}
        version = self.lake.empty(name, *_days_of(there or numbers))
        self._note(name, there, version, "gone")

    def _note(self, name: str, numbers: set[int], version: int, origin: str, code: str = "", pins: Any = None) -> None:
        table_id = self.lake.table(name).table_id
        assert table_id is not None
        self.oracle.table_ids[name] = table_id
        for number in numbers:
            self.oracle.cells[name][number] = Cell(version, origin, code, dict(pins or {}))


def _days(first: int, size: int) -> dw.DailyPartitions:
    return dw.DailyPartitions(f"2013-01-{first:02}", f"2013-01-{first + size:02}")


def _days_of(numbers: set[int]) -> Iterator[int]:
    return (number for number in sorted(numbers) if number)


@thorough
@given(data=st.data())
def test_status_is_what_the_design_says(
    data: st.DataObject, lake_of: Callable[..., Any], table_of: Callable[..., Any]
) -> None:
    story = Story(data, lake_of, table_of)
    story.happen()

    status = story.lake.status()

    found = {
        (str(key), story.oracle.numbers[str(key)][ordinal]): Status(each.status[ordinal]).word
        for key, each in status.items()
        for ordinal in range(each.node.partitions.size)
    }
    assert found == story.statuses()
    for key, each in status.items():
        failed = {number for number in story.oracle.numbers[str(key)] if story.oracle.has_failed(str(key), number)}
        assert story.numbers(key, each.state.failed) == failed
        assert sum(each.count(word) for word in Status) == each.node.partitions.size
        ranges = list(status_ranges(each, status))
        covered = [ordinal for piece in ranges for ordinal in range(piece.first, piece.last + 1)]
        assert covered == list(range(each.node.partitions.size))
        assert all(piece.status == each.status[ordinal] for piece in ranges for ordinal in (piece.first, piece.last))
        assert all(bool(piece.causes) == (piece.status is not Status.FRESH) for piece in ranges)


@thorough
@given(data=st.data(), only=st.one_of(st.just(DEFAULT_ONLY), st.frozensets(st.sampled_from(Only), min_size=1)))
def test_a_plan_is_what_the_design_says(
    data: st.DataObject, only: frozenset[Only], lake_of: Callable[..., Any], table_of: Callable[..., Any]
) -> None:
    story = Story(data, lake_of, table_of)
    story.happen()
    asked = story.request()
    planned, left_out = story.oracle.plan(asked, only)

    is_there = any(story.oracle.status(name, each) != "missing" for name, numbers in asked.items() for each in numbers)
    is_refused = any(left_out.values()) and not any(planned.values()) and not is_there

    try:
        decided = story.plan(asked, only)
    except RequestError:
        assert is_refused
        return

    assert not is_refused
    found = {str(key): story.numbers(key, partitions) for key, partitions in decided.planned.items()}
    assert found == {name: numbers for name, numbers in planned.items() if numbers}
    lacking: dict[str, set[int]] = {name: set() for name in asked}
    for left in decided.left_out:
        lacking[str(left.asset)] |= story.numbers(left.asset, left.partitions)
        assert bool(left.upstream_partitions) == (left.command is not None)
    assert lacking == left_out
    assert decided.left_out_count == sum(map(len, left_out.values()))
    steps: dict[str, list[int]] = {}
    for step in decided.steps:
        steps.setdefault(str(step.asset), []).extend(story.numbers(step.asset, step.partitions))
        assert step.partitions
        assert all(step.reasons)
    assert {name: sorted(numbers) for name, numbers in steps.items()} == {
        name: sorted(numbers) for name, numbers in found.items()
    }
    assert decided.partition_count == sum(map(len, found.values()))


@thorough
@given(data=st.data())
def test_nothing_is_stale_by_the_runs_own_doing(
    data: st.DataObject, lake_of: Callable[..., Any], table_of: Callable[..., Any]
) -> None:
    story = Story(data, lake_of, table_of)
    story.happen()
    asked, only = story.request(), data.draw(st.frozensets(st.sampled_from(Only), min_size=1))
    before = story.statuses()
    planned, left_out = story.oracle.plan(asked, only)
    try:
        decided = story.plan(asked, only)
    except RequestError:
        return

    story.carry_out(decided)

    after = story.statuses()
    for name, numbers in asked.items():
        for number in numbers - planned[name] - left_out[name]:
            assert after[name, number] == before[name, number]


@thorough
@given(data=st.data())
def test_a_backfill_of_everything_leaves_nothing_to_do(
    data: st.DataObject, lake_of: Callable[..., Any], table_of: Callable[..., Any]
) -> None:
    story = Story(data, lake_of, table_of)
    story.happen()
    asked = {name: set(numbers) for name, numbers in story.oracle.numbers.items()}
    external = {place for place, word in story.statuses().items() if word == "external"}

    try:
        decided = story.plan(asked, DEFAULT_ONLY)
    except RequestError:
        return
    story.carry_out(decided)

    left_out = {
        (str(left.asset), number) for left in decided.left_out for number in story.numbers(left.asset, left.partitions)
    }
    after = {place: word for place, word in story.statuses().items() if place not in left_out}
    assert {place for place, word in after.items() if word == "external"} == external - left_out
    if not left_out:
        assert set(after.values()) <= {"fresh", "external"}
        assert not story.plan(asked, DEFAULT_ONLY).steps


@thorough
@given(data=st.data())
def test_the_command_of_what_is_left_out_makes_it(
    data: st.DataObject, lake_of: Callable[..., Any], table_of: Callable[..., Any]
) -> None:
    story = Story(data, lake_of, table_of)
    story.happen()
    asked = story.request()
    try:
        lacking = story.plan(asked, DEFAULT_ONLY).left_out
    except RequestError:
        return

    for left in (each for each in lacking if each.command is not None):
        made = story.plan(_asked_by(story, left.command), DEFAULT_ONLY)
        assert not left.partitions - made.planned[left.asset]


def _asked_by(story: Story, command: str) -> dict[str, set[int]]:
    """Read a command as the command line does: an asset and all above it, in a range of days."""
    words = command.split()
    assert words[:2] == ["deltaworks", "backfill"]
    assert words[2].startswith("+")
    first, last = (int(word[-2:]) for word in words[4::2]) if len(words) > 3 else (0, 31)
    chosen, waiting = set[str](), [words[2].removeprefix("+")]
    while waiting:
        name = waiting.pop()
        chosen.add(name)
        waiting += [each.upstream for each in story.oracle.readings[name]]
    return {
        name: {each for each in numbers if each == 0 or first <= each <= last}
        for name, numbers in story.oracle.numbers.items()
        if name in chosen
    }
