"""FreshnessPolicy: how far a table may lag behind what its data comes from. Pure: it knows no clock."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from deltaworks.engine.definitions.automation.condition import CronTicks
from deltaworks.engine.definitions.partitions.cron import Cron
from deltaworks.engine.definitions.partitions.protocols import Partitions
from deltaworks.engine.definitions.partitions.time_arguments import read_zone
from deltaworks.engine.definitions.partitions.time_partitions import TimePartitions
from deltaworks.errors import InvalidDefinition

_NOTHING = dt.timedelta()
_LONGEST = dt.timedelta(days=100 * 366)
_HORIZONS = tuple(dt.timedelta(days=days) for days in (2, 40, 400, 3_000, 15_000))
"""How far a next tick is looked for; a fifth Sunday of February comes every 40 years at least."""


@dataclass(frozen=True, slots=True, init=False)
class FreshnessPolicy:
    """How far a table may lag behind what its data comes from.

    The lag is the age of the oldest upstream commit that the table does not include yet, through whatever it is made
    from; there is none while everything is included, however long ago the last run was. `docs/freshness.md` has the
    definition. `FreshnessPolicy(target_lag=timedelta(hours=6))` allows a lag of six hours at any time; `cron` asks for
    it at certain times only.
    """

    target_lag: dt.timedelta
    """How long a commit upstream may not be included; with ticks, how long before a tick it may have come."""
    ticks: CronTicks | None
    """When it counts; none: always."""
    lookback: dt.timedelta | None
    """How far back partitions of time count, from the end of the latest; none: only the latest."""
    is_derived: bool
    """Whether the policies of what is made from it say what is in force."""

    def __init__(self, target_lag: dt.timedelta, *, lookback: dt.timedelta | None = None) -> None:
        """Allow a lag at any time.

        Args:
            target_lag: how long a commit upstream may not be included.
            lookback: how far back partitions of time count, from the end of the latest that is over; none: only that.

        Raises:
            InvalidDefinition: these are no lengths of time.
        """
        _refuse_no_length("target_lag", target_lag, least=dt.timedelta(seconds=1))
        self._set(target_lag, None, lookback)

    @classmethod
    def cron(
        cls,
        cron: str,
        *,
        timezone: str = "UTC",
        target_lag: dt.timedelta = _NOTHING,
        lookback: dt.timedelta | None = None,
    ) -> FreshnessPolicy:
        """Ask at each tick for what had been committed upstream until then, or until `target_lag` before it.

        What is late at a tick stays late until it is included. What is committed after a tick is asked for at the next.

        Args:
            cron: when, as `0 6 * * *`.
            timezone: whose clock the expression means.
            target_lag: how long before a tick something may have been committed and not be included.
            lookback: how far back partitions of time count, from the end of the latest that is over; none: only that.

        Raises:
            InvalidDefinition: the expression or the zone makes no sense, or these are no lengths of time.
        """
        _refuse_no_length("target_lag", target_lag, least=_NOTHING)
        made = object.__new__(cls)
        made._set(target_lag, CronTicks(Cron(cron), read_zone(timezone)), lookback)
        return made

    @classmethod
    def downstream(cls, *, lookback: dt.timedelta | None = None) -> FreshnessPolicy:
        """Ask for what is asked for of the tables that are made from it, be it through others: the strictest of them.

        Raises:
            InvalidDefinition: `lookback` is no length of time.
        """
        made = object.__new__(cls)
        made._set(_NOTHING, None, lookback, is_derived=True)
        return made

    def due_at(self, since: dt.datetime) -> dt.datetime | None:
        """Return from when on a commit of an instant has to be included, in UTC; none: no tick will ever ask for it."""
        asked_from = since + self.target_lag
        if self.ticks is None:
            return asked_from
        just_before = asked_from - dt.timedelta(microseconds=1)
        for horizon in _HORIZONS:
            found = self.ticks.between(just_before, just_before + horizon)
            if found:
                return found[0]
        return None

    def __str__(self) -> str:
        if self.is_derived:
            return "as its downstreams ask"
        lag = length_text(self.target_lag)
        if self.ticks is None:
            return f"at most {lag} behind"
        allowed = f", at most {lag} behind" if self.target_lag else ""
        return f"at each tick of {self.ticks.cron} ({self.ticks.timezone}){allowed}"

    def _set(
        self,
        target_lag: dt.timedelta,
        ticks: CronTicks | None,
        lookback: dt.timedelta | None,
        *,
        is_derived: bool = False,
    ) -> None:
        if lookback is not None:
            _refuse_no_length("lookback", lookback, least=dt.timedelta(microseconds=1))
        for name, value in (
            ("target_lag", target_lag),
            ("ticks", ticks),
            ("lookback", lookback),
            ("is_derived", is_derived),
        ):
            object.__setattr__(self, name, value)


def length_text(length: dt.timedelta) -> str:
    """Return a length of time in its two largest units, as `1 d 6 h`; less than a second is `0 s`."""
    left = int(length.total_seconds())
    parts: list[str] = []
    for unit, seconds in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, left = divmod(left, seconds)
        parts += [f"{count} {unit}"] if count else []
    return " ".join(parts[:2]) or "0 s"


def freshness_problem(policy: object, *, has_upstreams: bool, partitions: Partitions) -> str | None:
    """Say why something cannot be the freshness policy of an asset; none: it can.

    Args:
        policy: what the author gave.
        has_upstreams: whether the asset is made from others; else its policy asks for the age of its own last commit.
        partitions: those of the asset.
    """
    if policy is None:
        return None
    if not isinstance(policy, FreshnessPolicy):
        return f"freshness must be a FreshnessPolicy, such as FreshnessPolicy(target_lag=...), not {policy!r}"
    has_time = any(isinstance(each, TimePartitions) for each in partitions.dimensions)
    if policy.ticks is not None and not policy.target_lag and not has_upstreams and not has_time:
        return (
            "freshness: nothing is upstream of it, so a tick can only ask how old its last commit may be; "
            "say so by FreshnessPolicy.cron(..., target_lag=...)"
        )
    return None


def _refuse_no_length(name: str, value: object, *, least: dt.timedelta) -> None:
    if not isinstance(value, dt.timedelta) or not least <= value <= _LONGEST:
        raise InvalidDefinition(
            f"FreshnessPolicy: {name} must be a timedelta, such as timedelta(hours=6), of {length_text(least)} to "
            f"100 years, not {value!r}"
        )
