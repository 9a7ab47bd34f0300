"""AutomationCondition: what should be true of a table's partitions, as an expression over sets of them.

A condition is a value. It says of each partition of its asset whether it is asked for; what is asked for is made once
everything that it is made from is there. Most operands say what is (`missing`, `upstream_changed`): nothing that
happens between two ticks can be lost on them. Those that say what has just happened (`newly_updated`,
`cron_tick_passed`) are true at one tick, and `since` remembers them.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace
from enum import StrEnum

from deltaworks.engine.definitions.partitions.cadence import Ticks
from deltaworks.engine.definitions.partitions.clock import DAY, clock_of
from deltaworks.engine.definitions.partitions.cron import Cron
from deltaworks.engine.definitions.partitions.instants import instant_of
from deltaworks.engine.definitions.partitions.time_arguments import read_zone
from deltaworks.engine.definitions.partitions.timeline import boundaries, last_over
from deltaworks.errors import InvalidDefinition

MAX_PER_TICK = 100
"""How many partitions of an asset are asked for at a time unless its author says otherwise."""

_DEEPEST = 20
"""How many conditions may lie inside of each other; a sum of alternatives counts once."""


class Operator(StrEnum):
    """What a condition says of a partition."""

    MISSING = "missing"
    """It has no content."""
    STALE = "stale"
    """Making it again may give another result, now or once its upstreams are made again."""
    CODE_VERSION_CHANGED = "code_version_changed"
    """Other code than that of now made it."""
    UPSTREAM_CHANGED = "upstream_changed"
    """An upstream partition that it is made from was changed after it was read."""
    IN_PROGRESS = "in_progress"
    """A run that has not ended is to make it."""
    FAILED = "failed"
    """The last attempt to make it failed, and nobody has changed it since."""
    IN_LATEST_WINDOW = "in_latest_window"
    """It is of the latest time, or not of any time at all."""
    CRON_TICK_PASSED = "cron_tick_passed"
    """The clock has passed a tick of a cron expression since the last evaluation."""
    NEWLY_UPDATED = "newly_updated"
    """It has got new content since the last evaluation."""
    NEWLY_REQUESTED = "newly_requested"
    """The last evaluation asked for it."""
    WILL_BE_REQUESTED = "will_be_requested"
    """This evaluation asks for it; said of upstreams, which are evaluated first."""
    FIRST_EVALUATION = "first_evaluation"
    """The condition has not been evaluated before."""
    ANY_UPSTREAM = "any_upstream_match"
    """Something is so of one of the upstream partitions that it is made from."""
    ALL_UPSTREAM = "all_upstream_match"
    """Something is so of each of them."""
    AND = "&"
    """Both of two are so."""
    OR = "|"
    """One of two is so."""
    NOT = "~"
    """Something is not so."""
    SINCE = "since"
    """The first of two has been so, and the second has not been since."""
    NEWLY_TRUE = "newly_true"
    """Something is so and was not at the last evaluation."""


@dataclass(frozen=True, slots=True)
class CronTicks:
    """The ticks of a cron expression by the clock of a time zone."""

    cron: Cron
    timezone: str

    def last(self, now: dt.datetime) -> dt.datetime | None:
        """Return the latest tick up to an instant, in UTC; none: there has never been one."""
        clock = clock_of("UTC", 0, 0)
        found = last_over(Ticks(self.cron), self.timezone, instant_of(now, clock), 0)
        return None if found is None else clock.moment(found).astimezone(dt.UTC)

    def between(self, after: dt.datetime, up_to: dt.datetime) -> list[dt.datetime]:
        """Return the ticks after one instant and up to another, in UTC, ascending."""
        utc = clock_of("UTC", 0, 0)
        first, last = instant_of(after, utc), instant_of(up_to, utc)
        clock = clock_of(self.timezone, first - 2 * DAY, last + 2 * DAY)
        instants, _ = boundaries(Ticks(self.cron), clock, first, last)
        return [utc.moment(each).astimezone(dt.UTC) for each in instants if first < each <= last]


@dataclass(frozen=True, slots=True, repr=False)
class AutomationCondition:
    """Says of each partition of an asset whether it is asked for. Join conditions by `&`, `|` and `~`.

    Whatever a condition says, no partition is asked for that somebody else wrote or rolled back, that is being made,
    whose upstream is missing or about to be made, or whose last attempt came to nothing while nothing of what it is
    made from has changed since.
    """

    operator: Operator
    parts: tuple[AutomationCondition, ...] = ()
    lookback: dt.timedelta | None = None
    ticks: CronTicks | None = None
    name: str | None = field(default=None, compare=False)
    """How the author wrote it, where that is shorter than what it stands for."""

    def __post_init__(self) -> None:
        """Refuse what is no condition, and what nobody could read."""
        for part in self.parts:
            if not isinstance(part, AutomationCondition):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise InvalidDefinition(
                    f"AutomationCondition: {self.operator} joins conditions, not {part!r}; operands are called, as in "
                    "AutomationCondition.missing()"
                )
        if self.depth > _DEEPEST:
            raise InvalidDefinition(f"AutomationCondition: more than {_DEEPEST} conditions lie inside of each other")

    @staticmethod
    def eager() -> AutomationCondition:
        """Ask for what is missing or was changed by code or upstream, and for what the same tick makes so.

        All partitions count, however old; `eager() & in_latest_window(...)` keeps to the latest.
        """
        made = AutomationCondition
        changed = made.missing() | made.code_version_changed() | made.upstream_changed()
        return replace(changed | made.any_upstream_match(made.will_be_requested()), name="eager()")

    @staticmethod
    def on_missing() -> AutomationCondition:
        """Ask for what is missing, and never for what is there."""
        return replace(AutomationCondition.missing(), name="on_missing()")

    @staticmethod
    def on_cron(cron: str, timezone: str = "UTC") -> AutomationCondition:
        """Ask for the latest partition after each tick of a cron expression, once all its upstreams are of after it.

        Raises:
            InvalidDefinition: the expression or the time zone makes no sense.
        """
        made, passed = AutomationCondition, AutomationCondition.cron_tick_passed(cron, timezone)
        upstream = made.all_upstream_match(made.newly_updated().since(passed) | made.will_be_requested())
        found = made.in_latest_window() & passed.since_last_handled() & upstream
        return replace(found, name=f"on_cron{_arguments(passed.ticks)}")

    @staticmethod
    def missing() -> AutomationCondition:
        """Return whether a partition has no content."""
        return AutomationCondition(Operator.MISSING)

    @staticmethod
    def stale() -> AutomationCondition:
        """Return whether a partition is stale, be it only since an upstream is."""
        return AutomationCondition(Operator.STALE)

    @staticmethod
    def code_version_changed() -> AutomationCondition:
        """Return whether other code made a partition than that of now; so until it is made again."""
        return AutomationCondition(Operator.CODE_VERSION_CHANGED)

    @staticmethod
    def upstream_changed() -> AutomationCondition:
        """Return whether what a partition is made from was changed after it was read; so until it is made again."""
        return AutomationCondition(Operator.UPSTREAM_CHANGED)

    @staticmethod
    def in_progress() -> AutomationCondition:
        """Return whether a run that has not ended is to make a partition."""
        return AutomationCondition(Operator.IN_PROGRESS)

    @staticmethod
    def failed() -> AutomationCondition:
        """Return whether the last attempt to make a partition failed and nobody has changed it since."""
        return AutomationCondition(Operator.FAILED)

    @staticmethod
    def in_latest_window(lookback: dt.timedelta | None = None) -> AutomationCondition:
        """Return whether a partition is the latest of its time, or begins within `lookback` of where that ends.

        Partitions that are no time are always in it.

        Raises:
            InvalidDefinition: `lookback` is no length of time.
        """
        if lookback is not None and (not isinstance(lookback, dt.timedelta) or lookback <= dt.timedelta()):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidDefinition(
                f"in_latest_window: lookback must be a timedelta above 0, such as timedelta(days=3), not {lookback!r}"
            )
        return AutomationCondition(Operator.IN_LATEST_WINDOW, lookback=lookback)

    @staticmethod
    def cron_tick_passed(cron: str, timezone: str = "UTC") -> AutomationCondition:
        """Return whether the clock in a time zone has passed a tick since the last evaluation.

        Raises:
            InvalidDefinition: the expression or the time zone makes no sense.
        """
        return AutomationCondition(Operator.CRON_TICK_PASSED, ticks=CronTicks(Cron(cron), read_zone(timezone)))

    @staticmethod
    def newly_updated() -> AutomationCondition:
        """Return whether a partition has got new content since the last evaluation, whoever wrote it."""
        return AutomationCondition(Operator.NEWLY_UPDATED)

    @staticmethod
    def newly_requested() -> AutomationCondition:
        """Return whether the last evaluation asked for a partition."""
        return AutomationCondition(Operator.NEWLY_REQUESTED)

    @staticmethod
    def will_be_requested() -> AutomationCondition:
        """Return whether this evaluation asks for a partition; to be said of upstreams."""
        return AutomationCondition(Operator.WILL_BE_REQUESTED)

    @staticmethod
    def first_evaluation() -> AutomationCondition:
        """Return whether the condition is evaluated for the first time."""
        return AutomationCondition(Operator.FIRST_EVALUATION)

    @staticmethod
    def any_upstream_match(condition: AutomationCondition) -> AutomationCondition:
        """Return whether something is so of an upstream partition that a partition is made from."""
        return AutomationCondition(Operator.ANY_UPSTREAM, (condition,))

    @staticmethod
    def all_upstream_match(condition: AutomationCondition) -> AutomationCondition:
        """Return whether something is so of every upstream partition that a partition is made from."""
        return AutomationCondition(Operator.ALL_UPSTREAM, (condition,))

    def since(self, reset: AutomationCondition) -> AutomationCondition:
        """Return whether this has been so since `reset` last was; where both are so at one tick, `reset` counts."""
        return AutomationCondition(Operator.SINCE, (self, reset))

    def newly_true(self) -> AutomationCondition:
        """Return whether this is so and was not at the last evaluation; at the first one, whether it is so."""
        return AutomationCondition(Operator.NEWLY_TRUE, (self,))

    def since_last_handled(self) -> AutomationCondition:
        """Return whether this has been so since a partition was last asked for or updated, or since the first look."""
        made = AutomationCondition
        reset = made.newly_requested() | made.newly_updated() | made.first_evaluation()
        return replace(self.since(reset), name=f"{_inside(self)}.since_last_handled()")

    def __and__(self, other: AutomationCondition) -> AutomationCondition:
        return _joined(Operator.AND, self, other)

    def __or__(self, other: AutomationCondition) -> AutomationCondition:
        return _joined(Operator.OR, self, other)

    def __invert__(self) -> AutomationCondition:
        return AutomationCondition(Operator.NOT, (self,))

    def __bool__(self) -> bool:
        """Refuse `and`, `or` and `not`, which would drop one of two conditions in silence."""
        raise InvalidDefinition("AutomationCondition: join conditions by &, | and ~, not by and, or and not")

    @property
    def depth(self) -> int:
        """How many conditions lie inside of each other."""
        return 1 + max((part.depth for part in self.parts), default=0)

    def __repr__(self) -> str:
        if self.name is not None:
            return self.name
        match self.operator:
            case Operator.AND | Operator.OR:
                return f" {self.operator} ".join(_inside(part, self.operator) for part in self.parts)
            case Operator.NOT:
                return f"~{_inside(self.parts[0])}"
            case Operator.SINCE:
                return f"{_inside(self.parts[0])}.since({self.parts[1]!r})"
            case Operator.NEWLY_TRUE:
                return f"{_inside(self.parts[0])}.newly_true()"
            case Operator.ANY_UPSTREAM | Operator.ALL_UPSTREAM:
                return f"{self.operator}({self.parts[0]!r})"
            case Operator.CRON_TICK_PASSED:
                return f"{self.operator}{_arguments(self.ticks)}"
            case Operator.IN_LATEST_WINDOW if self.lookback is not None:
                return f"{self.operator}({self.lookback!r})".replace("datetime.", "")
            case _:
                return f"{self.operator}()"


def automation_problem(condition: object, max_per_tick: object) -> str | None:
    """Say what is wrong with an asset's condition or its limit; none: they are what they must be."""
    if condition is not None and not isinstance(condition, AutomationCondition):
        return f"automation must be a condition such as AutomationCondition.eager(), not {condition!r}"
    if not isinstance(max_per_tick, int) or isinstance(max_per_tick, bool) or max_per_tick < 1:
        return f"max_per_tick must be a whole number of partitions from 1 on, not {max_per_tick!r}"
    return None


def _joined(operator: Operator, *conditions: AutomationCondition) -> AutomationCondition:
    """Join conditions, those of the same kind in one row: a long sum is no deep one."""
    parts: list[AutomationCondition] = []
    for each in conditions:
        is_row = isinstance(each, AutomationCondition) and each.operator is operator and each.name is None  # pyright: ignore[reportUnnecessaryIsInstance]
        parts += each.parts if is_row else (each,)
    return AutomationCondition(operator, tuple(parts))


def _inside(condition: AutomationCondition, of: Operator = Operator.NOT) -> str:
    """Return a condition as it stands inside of another."""
    loose = condition.name is None and condition.operator in (Operator.AND, Operator.OR)
    needs = loose and (condition.operator is Operator.OR or of is not Operator.OR)
    return f"({condition!r})" if needs else repr(condition)


def _arguments(ticks: CronTicks | None) -> str:
    assert ticks is not None, "such a condition has ticks"
    zone = "" if ticks.timezone == "UTC" else f", {ticks.timezone!r}"
    return f"({ticks.cron.expression!r}{zone})"
