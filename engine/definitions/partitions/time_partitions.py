"""TimePartitions: partitions of the time line, hourly to monthly or by cron.

A definition is a small value: cadence, zone, bounds. Its windows are computed once, as columns, when they are needed;
equal definitions share them. Everything about one partition is then an access to a column.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Self, cast
from zoneinfo import ZoneInfo

import polars as pl

from deltaworks.engine.definitions.partitions.cadence import Cadence
from deltaworks.engine.definitions.partitions.clock import DAY, Clock, clock_of
from deltaworks.engine.definitions.partitions.instants import (
    instant_of,
    read_instant,
    read_instants,
    read_time,
    wall_at,
    write_bound,
    write_instant,
    write_instants,
)
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.definitions.partitions.protocols import Dimension
from deltaworks.engine.definitions.partitions.time_arguments import named, read_arguments, refuse_too_many
from deltaworks.engine.definitions.partitions.time_claims import stretch
from deltaworks.engine.definitions.partitions.timeline import Exclusion, Timeline, build, last_over
from deltaworks.errors import InvalidDefinition

_DAY = "%Y-%m-%d"
_INSTANTS = pl.Datetime("us", "UTC")


@dataclass(frozen=True, slots=True, init=False, repr=False)
class TimePartitions:
    """Windows of time, one after the other; made by the kinds, such as `DailyPartitions`.

    A window begins when the clock in `timezone` shows its time. A time that the clock skips means the first instant
    after the gap; one that it shows twice means the earlier. The windows cover the time line without gap and overlap,
    but for exclusions.
    """

    cadence: Cadence
    timezone: str
    start_us: int
    """The first instant that partitions may cover, in microseconds since 1970."""
    end_us: int | None
    """Where the last partition may end; none: the definition grows with the time."""
    end_offset: int
    exclusions: tuple[Exclusion, ...]
    _known: Timeline | None = field(compare=False)

    def define(
        self,
        cadence: Cadence,
        start: object,
        end: object,
        timezone: object,
        end_offset: object,
        exclusions: object,
    ) -> None:
        """Check the arguments of a kind's constructor, and make them this definition.

        Raises:
            InvalidDefinition: they make no sense.
        """
        with named(type(self).__name__):
            self._set(*read_arguments(cadence, start, end, timezone, end_offset, exclusions))

    @property
    def dimensions(self) -> tuple[Dimension, ...]:  # noqa: D102 - see Partitions
        return (self,)

    @property
    def size(self) -> int:  # noqa: D102
        return self._timeline.starts.len()

    @property
    def scheme(self) -> str:  # noqa: D102
        return " ".join(filter(None, (self.cadence.kind, self.cadence.meaning, self.timezone)))

    @property
    def start(self) -> dt.date:
        """Where the definition starts: a day, or an aware datetime if no day begins then."""
        return self._bound(self.start_us)

    @property
    def end(self) -> dt.date | None:
        """Where it ends, itself outside, as `start`; none: it grows with the time."""
        return None if self.end_us is None else self._bound(self.end_us)

    @property
    def starts_at(self) -> pl.Series:
        """The instants at which the partitions begin, ascending: Datetime("us", "UTC"), by ordinal."""
        return self._timeline.starts.cast(_INSTANTS)

    @property
    def ends_at(self) -> pl.Series:
        """The instants at which the partitions end, themselves outside: Datetime("us", "UTC"), by ordinal."""
        return self._timeline.ends.cast(_INSTANTS)

    def until(self, now: dt.datetime) -> Self:  # noqa: D102 - see Partitions
        return self if self.end_us is not None else cast(Self, _until(self, now))

    def key(self, ordinal: int) -> str:  # noqa: D102
        timeline = self._timeline
        if self.cadence.is_clock:
            return write_instant(timeline.starts[ordinal], timeline.clock)
        day: dt.date = timeline.days[ordinal]
        return day.isoformat()

    def keys(self, ordinals: pl.Series) -> pl.Series:  # noqa: D102
        timeline = self._timeline
        if self.cadence.is_clock:
            return write_instants(timeline.starts.gather(ordinals), timeline.clock)
        return timeline.days.gather(ordinals).dt.to_string(_DAY)

    def ordinal(self, key: str) -> int | None:  # noqa: D102
        timeline = self._timeline
        if self.cadence.is_clock:
            return _place(timeline.starts, read_instant(key))
        try:
            day = dt.date.fromisoformat(key)
        except ValueError:
            return None
        if day.isoformat() != key:
            return None
        if timeline.first_day is None:
            return _place(timeline.days, day)
        ordinal = (day - timeline.first_day).days
        return ordinal if 0 <= ordinal < timeline.days.len() else None

    def ordinals(self, keys: pl.Series) -> pl.Series:  # noqa: D102
        timeline = self._timeline
        if self.cadence.is_clock:
            return _places(timeline.starts, read_instants(keys))
        days = keys.cast(pl.String).str.to_date(_DAY, strict=False)
        days = days.set(days.dt.to_string(_DAY) != keys, None)
        if timeline.first_day is None:
            return _places(timeline.days, days)
        ordinals = days.cast(pl.Int32).cast(pl.Int64) - (timeline.first_day - dt.date(1970, 1, 1)).days
        return ordinals.set((ordinals < 0) | (ordinals >= timeline.days.len()), None)

    def key_beyond(self, place: str) -> str:  # noqa: D102
        instant = read_instant(place) if self.cadence.is_clock else None
        return place if instant is None else write_instant(instant, self._clock(instant))

    def coordinates(self, ordinal: int) -> tuple[int, ...]:  # noqa: D102
        return (ordinal,)

    def between(self, first: str, last: str) -> PartitionSet | None:
        """Return the partitions that share time with what goes from the start of `first` to the end of `last`.

        A key of these partitions means its window, another ISO date that day in the definition's zone, another ISO
        datetime that instant; without offset it is what the clock there shows. None: a text is neither.
        """
        start, stop = self._window(first), self._window(last)
        if start is None or stop is None:
            return None
        return PartitionSet.span(*self._timeline.overlapping(start[0], stop[1]), self.size)

    def run_end(self, ordinal: int) -> int:
        """Return the last ordinal up to which each partition begins where the one before it ends."""
        return self._timeline.run_end(ordinal)

    def key_before(self, instant: dt.datetime) -> str | None:
        """Return the key of the last partition that is over at an instant; an open definition is as it stands then."""
        bounded = self.until(instant)
        over = bisect_right(bounded._timeline.ends, instant_of(instant, bounded._timeline.clock))
        return bounded.key(over - 1) if over else None

    def with_offsets(self, text: str) -> list[str]:
        """Return the keys that a time without an offset from UTC may mean: two where the clock shows it twice."""
        time = read_time(text)
        if not self.cadence.is_clock or not isinstance(time, dt.datetime) or time.tzinfo is not None:
            return []
        zone, clock = ZoneInfo(self.timezone), self._clock(0)
        instants = sorted({instant_of(time.replace(tzinfo=zone, fold=fold), clock) for fold in (0, 1)})
        places = (_place(self._timeline.starts, instant) for instant in instants)
        keys = [self.key(place) for place in places if place is not None]
        return [key for key in keys if key.startswith(time.isoformat(timespec="minutes"))]  # a skipped time is none

    def column_problem(self, dtype: pl.DataType) -> str | None:  # noqa: D102
        fitting = _INSTANTS if self.cadence.is_clock else pl.Date()
        if dtype in (fitting, pl.String()):
            return None
        problem = (
            f"has dtype {dtype}, but {self.cadence.kind} partitions need a {fitting} column with the partition's "
            f"{'start' if self.cadence.is_clock else 'first day'}, or a String column with its key"
        )
        if self.cadence.is_clock and isinstance(dtype, pl.Datetime):
            steps = [] if dtype.time_zone else [f".dt.replace_time_zone({self.timezone!r})"]
            steps += [] if dtype.time_zone == "UTC" else [".dt.convert_time_zone('UTC')"]
            steps += [] if dtype.time_unit == "us" else [".dt.cast_time_unit('us')"]
            return f"{problem}; {''.join(steps)} makes it one"
        return problem

    def claim(self, first: int, last: int, column: str | pl.Expr) -> pl.Expr:
        """Return the claim that a column's value lies in one of the partitions from `first` to `last`.

        A Datetime with a time zone is an instant. One without is what the clock in `timezone` shows; where the clock
        shows it twice, it counts to the earlier. A Date is, for days, weeks and months, a day as keys name it, else
        its midnight. A String is a key.
        """
        keys = self.key(first) if first == last else self.keys(pl.int_range(first, last + 1, eager=True))
        return stretch(self._timeline, first, last, keys).claim(column)

    def start_of(self, ordinal: int) -> dt.date:
        """Return the first day, or the instant in the definition's zone for what does not begin at midnight."""
        return self._timeline.days[ordinal] if self.cadence.is_midnight else self.start_at(ordinal)

    def end_of(self, ordinal: int) -> dt.date:
        """Return the day after the last one, or the instant, as `start_of`."""
        return self._timeline.next_days[ordinal] if self.cadence.is_midnight else self.end_at(ordinal)

    def start_at(self, ordinal: int) -> dt.datetime:
        """Return the instant at which a partition begins, in the definition's zone."""
        return self._timeline.clock.moment(self._timeline.starts[ordinal])

    def end_at(self, ordinal: int) -> dt.datetime:
        """Return the instant at which a partition ends, itself outside, in the definition's zone."""
        return self._timeline.clock.moment(self._timeline.ends[ordinal])

    def __str__(self) -> str:
        start = write_bound(self.start_us, self._clock(self.start_us))
        if self.end_us is None:
            return f"{self.cadence.noun} from {start}"
        if self.size:
            return f"{self.cadence.noun} {self.key(0)} to {self.key(self.size - 1)}"
        if self.end_us == self.start_us:
            return f"{self.cadence.noun} from {start}, none of which is over yet"
        end = write_bound(self.end_us, self._clock(self.end_us))
        return f"{self.cadence.noun} from {start} to {end}, of which there is not one"

    def __repr__(self) -> str:
        arguments: dict[str, Any] = dict(self.cadence.arguments)
        cron = {"cron": arguments.pop("cron")} if "cron" in arguments else {}
        shown = cron | {"start": write_bound(self.start_us, self._clock(self.start_us))}
        if self.end_us is not None:
            shown["end"] = write_bound(self.end_us, self._clock(self.end_us))
        shown |= {"timezone": self.timezone} | arguments
        if self.end_offset:
            shown["end_offset"] = self.end_offset
        if self.exclusions:
            shown["exclusions"] = tuple(map(self._written, self.exclusions))
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), *self._values())

    def _set(
        self,
        cadence: Cadence,
        timezone: str,
        start_us: int,
        end_us: int | None,
        end_offset: int,
        exclusions: tuple[Exclusion, ...],
    ) -> None:
        for name, value in (
            ("cadence", cadence),
            ("timezone", timezone),
            ("start_us", start_us),
            ("end_us", end_us),
            ("end_offset", end_offset),
            ("exclusions", exclusions),
            ("_known", None),
        ):
            object.__setattr__(self, name, value)

    def _values(self) -> tuple[Any, ...]:
        return self.cadence, self.timezone, self.start_us, self.end_us, self.end_offset, self.exclusions

    @property
    def _timeline(self) -> Timeline:
        if self._known is None:
            if self.end_us is None:
                raise AssertionError("an open definition has no size; call until(now) first")
            object.__setattr__(self, "_known", _timeline_of(self))
            assert self._known is not None
        return self._known

    def _clock(self, instant: int) -> Clock:
        return clock_of(self.timezone, instant, instant)

    def _bound(self, instant: int) -> dt.date:
        clock = self._clock(instant)
        text = write_bound(instant, clock)
        return dt.date.fromisoformat(text) if len(text) == len("2013-01-01") else clock.moment(instant)

    def _written(self, exclusion: Exclusion) -> str:
        return write_bound(exclusion, self._clock(exclusion)) if isinstance(exclusion, int) else str(exclusion)

    def _window(self, text: str) -> tuple[int, int] | None:
        """Return from when to when a key or a time goes."""
        ordinal = self.ordinal(text)
        if ordinal is not None:
            return self._timeline.starts[ordinal], self._timeline.ends[ordinal]
        time = read_time(text)
        if time is None:
            return None
        wall = wall_at(dt.datetime.combine(time, dt.time()))
        clock = clock_of(self.timezone, wall - DAY, wall + 40 * DAY)
        if isinstance(time, dt.datetime):
            instant = instant_of(time, clock)
            return instant, instant + 1
        if not self.cadence.is_clock:
            walls = self.cadence.walls(wall, wall + 40 * DAY)
            walls = walls.filter(walls >= wall).head(2)
            if walls.len() == 2 and walls[0] < wall + DAY:
                return clock.instant(walls[0]), clock.instant(walls[1])
        return clock.instant(wall), clock.instant(wall + DAY)


def _restore(kind: type[TimePartitions], *values: Any) -> TimePartitions:
    """Return a definition of a kind from its fields, unchecked."""
    made = object.__new__(kind)
    made._set(*values)  # pyright: ignore[reportPrivateUsage]
    return made


@lru_cache(maxsize=64)
def _until(definition: TimePartitions, now: dt.datetime) -> TimePartitions:
    """Close an open definition. Assets that share one share what it becomes, and its timeline."""
    instant = instant_of(now, clock_of("UTC", 0, 0))
    end = last_over(definition.cadence, definition.timezone, instant, definition.end_offset)
    start = definition.start_us
    with named(type(definition).__name__):
        if end is None and definition.end_offset > 0:
            raise InvalidDefinition("end_offset leads beyond the year 9999")
        # No window may be over yet: that is no partition, and no mistake.
        end = start if end is None else max(start, end)
        refuse_too_many(definition.cadence, definition.timezone, start, end)
    return _restore(type(definition), definition.cadence, definition.timezone, start, end, 0, definition.exclusions)


@lru_cache(maxsize=64)
def _timeline_of(definition: TimePartitions) -> Timeline:
    """Compute the windows. A definition keeps its own; this is for others that are equal to it."""
    assert definition.end_us is not None, "an open definition has no windows yet"
    return build(definition.cadence, definition.timezone, definition.start_us, definition.end_us, definition.exclusions)


def _place(column: pl.Series, value: dt.date | int | None) -> int | None:
    """Return where an ascending column has a value."""
    if value is None:
        return None
    place = bisect_left(column, value)
    return place if place < column.len() and column[place] == value else None


def _places(column: pl.Series, values: pl.Series) -> pl.Series:
    """Return where an ascending column has each value (Int64); null where it does not."""
    if column.is_empty():
        return pl.repeat(None, values.len(), dtype=pl.Int64, eager=True)
    places = column.search_sorted(values.fill_null(column[0])).cast(pl.Int64)
    found = column.gather(places.clip(0, column.len() - 1))
    return places.set((found != values).fill_null(True), None)
