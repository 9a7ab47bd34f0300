"""Decide: which messages go to whom for what has happened. Pure: events, memory and the time are given.

A problem is told once to each who is to be told, again only when `repeat_s` has passed and it still goes on, and once
more when it is over. What it needs to know for that is its memory, which the next decision is given.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from deltaworks.engine.automation.alerts.event import Event, Standing
from deltaworks.engine.automation.alerts.together import Told, together
from deltaworks.engine.workspace.alert_settings import AlertSettings
from deltaworks.io.alerts import Message


@dataclass(frozen=True, slots=True)
class OpenProblem:
    """A problem that was told and is not over."""

    title: str
    since: dt.datetime
    told_at: dt.datetime
    count: int = 1
    """How often it was seen."""


Open = Mapping[str, Mapping[str, OpenProblem]]
"""By alert, and by the key of the problem."""


def decide(
    alerts: Sequence[AlertSettings],
    open_before: Open,
    events: Sequence[Event],
    standing: Sequence[Standing],
    now: dt.datetime,
) -> tuple[dict[str, dict[str, OpenProblem]], tuple[Message, ...]]:
    """Return which problems are open after what has happened, and what is to be told whom.

    Args:
        alerts: who is told of what.
        open_before: the problems that were open.
        events: what has happened since, in order.
        standing: the problems there are now of those kinds that are looked at as a whole.
        now: the moment.
    """
    open_now: dict[str, dict[str, OpenProblem]] = {}
    messages: list[Message] = []
    for alert in alerts:
        problems = dict(open_before.get(alert.name, {}))
        told: list[Told] = []
        for event in (*events, *_of_standing(standing, problems, now)):
            if event.on in alert.on:
                told += (Told(event, message) for message in _tell(alert, problems, event, now))
        messages += together(told)
        open_now[alert.name] = problems
    return open_now, tuple(messages)


def _of_standing(
    standing: Iterable[Standing], problems: Mapping[str, OpenProblem], now: dt.datetime
) -> Iterator[Event]:
    """Yield all that stands, and what does not any more."""
    for each in standing:
        there = {event.key for event in each.events}
        for key in [key for key in problems if key.startswith(each.prefix) and key not in there]:
            yield Event(each.on, key, now, problems[key].title, is_over=True, occasion=each.occasion)
        yield from each.events


def _tell(alert: AlertSettings, problems: dict[str, OpenProblem], event: Event, now: dt.datetime) -> Iterator[Message]:
    """Take one event into the open problems of an alert, and yield what is told of it."""
    if event.is_over:
        for key in [key for key in problems if _is_same(event.key, key)]:
            over = problems.pop(key)
            if alert.resolved:
                lasted = f"It went on since {_instant(over.since)} and is over since {_instant(event.at)}."
                yield Message(alert.name, event.on.value, key, f"over: {over.title}", (lasted,), "", now, True)
        return
    if not alert.is_about(event.assets, event.job):
        return
    known = problems.get(event.key)
    if known is None:
        if not event.is_single:
            problems[event.key] = OpenProblem(event.title, event.at, now)
        yield _message(alert, event, (f"Since {_instant(event.at)}.",), now)
        return
    count = known.count + (event.at > known.since)
    is_again = now - known.told_at >= dt.timedelta(seconds=alert.repeat_s)
    problems[event.key] = replace(known, count=count, told_at=now if is_again else known.told_at)
    if is_again:
        times = f", seen {count} times" if count > 1 else ""
        yield _message(alert, event, (f"Since {_instant(known.since)}{times}.",), now)


def _is_same(over: str, key: str) -> bool:
    """Return whether what is over is a problem: a key that ends with a colon stands for all that begin with it."""
    return key.startswith(over) if over.endswith(":") else key == over


def _message(alert: AlertSettings, event: Event, first: tuple[str, ...], now: dt.datetime) -> Message:
    return Message(alert.name, event.on.value, event.key, event.title, (*first, *event.causes), event.command, now)


def _instant(instant: dt.datetime) -> str:
    return f"{instant.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S} UTC"
