"""The kinds of partitions of time: by hour, day, week, month, or cron expression. Each only fixes a cadence."""

from __future__ import annotations

from collections.abc import Iterable

from deltaworks.engine.definitions.partitions.cadence import Ticks, days, hours, months, weeks
from deltaworks.engine.definitions.partitions.cron import Cron
from deltaworks.engine.definitions.partitions.time_arguments import Time, named, whole_number
from deltaworks.engine.definitions.partitions.time_partitions import TimePartitions


class HourlyPartitions(TimePartitions):
    """One partition an hour, keyed by its start: `2013-11-03T01:00-04:00`, or `2013-11-03T05:00Z` in UTC.

    An hour begins whenever the clock in `timezone` shows minute `minute_offset`, and takes 60 minutes. When the clock
    is put back by an hour, the hour that it shows twice is two partitions; when it is put forward by one, the skipped
    hour is none. Where a clock is turned by or at other than full hours, as in Lord Howe by 30 minutes, the partitions
    around that instant are shorter or longer, so that hours begin at full hours and never lie in two days.

    Args:
        start: the first instant: an ISO date or datetime, what the clock shows if it has no offset. The first
            partition is the first whole one from there.
        end: the last instant, itself outside; none: the last partition is the latest one that is over.
        timezone: an IANA name.
        minute_offset: at which minute hours begin, 0 to 59.
        end_offset: how many partitions more (or less) there are than those that are over, where there is no `end`.
        exclusions: dates, datetimes or cron expressions: what begins on that date, at that instant, or when the clock
            shows a time of that expression, is no partition.
    """

    __slots__ = ()

    def __init__(
        self,
        start: Time,
        end: Time | None = None,
        timezone: str = "UTC",
        *,
        minute_offset: int = 0,
        end_offset: int = 0,
        exclusions: Iterable[Time] = (),
    ) -> None:
        self.define(hours(_minute(self, minute_offset)), start, end, timezone, end_offset, exclusions)


class DailyPartitions(TimePartitions):
    """One partition a day, keyed by its date: `2013-11-01`.

    `start` is the first day, `end` the day after the last one. Without `end` the last partition is the latest day that
    is over in `timezone`, so the definition grows by itself. A day has 23 to 25 hours where clocks are turned; one
    that a zone left out altogether (Pacific/Apia 2011-12-30) is no partition.

    Args:
        start: an ISO date or datetime, as for `HourlyPartitions`.
        end: as `start`, itself outside.
        timezone: an IANA name.
        minute_offset: how many minutes after the full hour days begin, 0 to 59.
        hour_offset: at which hour days begin, 0 to 23; such a day is keyed by the date on which it begins.
        end_offset: as for `HourlyPartitions`.
        exclusions: as for `HourlyPartitions`.
    """

    __slots__ = ()

    def __init__(
        self,
        start: Time,
        end: Time | None = None,
        timezone: str = "UTC",
        *,
        minute_offset: int = 0,
        hour_offset: int = 0,
        end_offset: int = 0,
        exclusions: Iterable[Time] = (),
    ) -> None:
        cadence = days(_minute(self, minute_offset), _hour(self, hour_offset))
        self.define(cadence, start, end, timezone, end_offset, exclusions)


class WeeklyPartitions(TimePartitions):
    """One partition a week, keyed by its first day: `2013-11-03`. Only whole weeks between `start` and `end` count.

    Args:
        start: an ISO date or datetime, as for `HourlyPartitions`.
        end: as `start`, itself outside.
        timezone: an IANA name.
        minute_offset: how many minutes after the full hour weeks begin, 0 to 59.
        hour_offset: at which hour weeks begin, 0 to 23.
        day_offset: on which day weeks begin, 0 to 6; 0 is Sunday.
        end_offset: as for `HourlyPartitions`.
        exclusions: as for `HourlyPartitions`.
    """

    __slots__ = ()

    def __init__(
        self,
        start: Time,
        end: Time | None = None,
        timezone: str = "UTC",
        *,
        minute_offset: int = 0,
        hour_offset: int = 0,
        day_offset: int = 0,
        end_offset: int = 0,
        exclusions: Iterable[Time] = (),
    ) -> None:
        day = whole_number(type(self).__name__, "day_offset", day_offset, 0, 6)
        cadence = weeks(_minute(self, minute_offset), _hour(self, hour_offset), day)
        self.define(cadence, start, end, timezone, end_offset, exclusions)


class MonthlyPartitions(TimePartitions):
    """One partition a month, keyed by its first day: `2013-11-01`. Only whole months between `start` and `end` count.

    Args:
        start: an ISO date or datetime, as for `HourlyPartitions`.
        end: as `start`, itself outside.
        timezone: an IANA name.
        minute_offset: how many minutes after the full hour months begin, 0 to 59.
        hour_offset: at which hour months begin, 0 to 23.
        day_offset: on which day of the month they begin, 1 to 28.
        end_offset: as for `HourlyPartitions`.
        exclusions: as for `HourlyPartitions`.
    """

    __slots__ = ()

    def __init__(
        self,
        start: Time,
        end: Time | None = None,
        timezone: str = "UTC",
        *,
        minute_offset: int = 0,
        hour_offset: int = 0,
        day_offset: int = 1,
        end_offset: int = 0,
        exclusions: Iterable[Time] = (),
    ) -> None:
        day = whole_number(type(self).__name__, "day_offset", day_offset, 1, 28)
        cadence = months(_minute(self, minute_offset), _hour(self, hour_offset), day)
        self.define(cadence, start, end, timezone, end_offset, exclusions)


class CronPartitions(TimePartitions):
    """One partition from each tick of a cron expression to the next, keyed by its start: `2013-11-03T01:00-04:00`.

    A tick that the clock in `timezone` skips is at the first instant after the gap; one that it shows twice is at the
    earlier; several at the same instant are one.

    Args:
        cron: five fields: minute, hour, day of the month, month, day of the week; or an alias such as `@daily`.
        start: an ISO date or datetime, as for `HourlyPartitions`.
        end: as `start`, itself outside.
        timezone: an IANA name.
        end_offset: as for `HourlyPartitions`.
        exclusions: as for `HourlyPartitions`.
    """

    __slots__ = ()

    def __init__(
        self,
        cron: str,
        start: Time,
        end: Time | None = None,
        timezone: str = "UTC",
        *,
        end_offset: int = 0,
        exclusions: Iterable[Time] = (),
    ) -> None:
        with named(type(self).__name__):
            cadence = Ticks(Cron(cron))
        self.define(cadence, start, end, timezone, end_offset, exclusions)


def _minute(kind: TimePartitions, value: object) -> int:
    return whole_number(type(kind).__name__, "minute_offset", value, 0, 59)


def _hour(kind: TimePartitions, value: object) -> int:
    return whole_number(type(kind).__name__, "hour_offset", value, 0, 23)
