"""Together: one message for what has one occasion, so that a run in which 500 assets fail is no 500 messages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from deltaworks.engine.automation.alerts.event import Event
from deltaworks.engine.workspace.alert_settings import AlertOn
from deltaworks.io.alerts import Message

_MOST_NAMED = 3

_ARE = {
    AlertOn.RUN_FAILURE: "assets failed",
    AlertOn.CHECK_FAILURE: "checks do not hold",
    AlertOn.LATE_FRESHNESS: "assets are late",
}


@dataclass(frozen=True, slots=True)
class Told:
    """A message about one problem, and the event that it is told for."""

    event: Event
    message: Message


def together(told: Iterable[Told]) -> Iterator[Message]:
    """Yield the messages, those of one occasion as one, in the place of the first of them."""
    groups: dict[tuple[object, ...], list[Told]] = {}
    for number, each in enumerate(told):
        occasion = each.event.occasion
        what = (number,) if occasion is None else (occasion.key, each.message.on, each.message.is_over)
        groups.setdefault(what, []).append(each)
    for group in groups.values():
        yield group[0].message if len(group) == 1 else _as_one(group)


def _as_one(told: Sequence[Told]) -> Message:
    first, occasion = told[0], told[0].event.occasion
    assert occasion is not None, "messages without one are told by themselves"
    names = [each.message.key.partition(":")[2] for each in told]
    more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
    title = f"{len(names):,} {_ARE[first.event.on]}: {', '.join(names[:_MOST_NAMED])}{more}"
    common = tuple(line for line in first.message.lines if all(line in each.message.lines for each in told))
    own = () if first.message.is_over and common else tuple(_own_lines(told, names, common))
    return replace(
        first.message,
        key=occasion.key,
        title=f"over: {title}" if first.message.is_over else title,
        lines=(*common, *(occasion.causes or own)),
        command=occasion.command if first.message.command else "",
        keys=tuple(each.message.key for each in told),
    )


def _own_lines(told: Sequence[Told], names: Sequence[str], common: Sequence[str]) -> Iterator[str]:
    for each, name in list(zip(told, names, strict=True))[:_MOST_NAMED]:
        yield from (f"{name}: {line}" for line in each.message.lines if line not in common)
    if len(told) > _MOST_NAMED:
        yield f"And {len(told) - _MOST_NAMED:,} more."
