"""Backfills: what one would make, why, and how much that is, beside the form that asks for another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deltaworks.engine.planning.plan import DEFAULT_ONLY, Only
from deltaworks.errors import PlanChanged, RequestError
from deltaworks.web.backfills import BackfillRequest, plan_of
from deltaworks.web.workspace import Sight

SHOWN_STEPS = 200
SHOWN_RANGES = 5


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for, as the address or a form says it; nothing of it is known to make sense."""

    select: str = ""
    first: str = ""
    last: str = ""
    partitions: tuple[str, ...] = ()
    only: tuple[str, ...] = ()

    @classmethod
    def of(cls, fields: Mapping[str, Sequence[str]]) -> Asked:
        """Return what fields say.

        `select` may be given several times; `only` too, or several words with commas between them.
        """
        first, last = (fields.get(name, [""])[-1].strip() for name in ("from", "to"))
        selections = [given.strip() for given in fields.get("select", ()) if given.strip()]
        select = " or ".join(f"({each})" if " " in each and len(selections) > 1 else each for each in selections)
        words = [word.strip() for given in fields.get("only", ()) for word in given.split(",")]
        partitions = tuple(filter(None, fields.get("partitions", ())))
        return cls(select, first, last, partitions, tuple(filter(None, words)))

    @property
    def chosen(self) -> frozenset[str]:
        """Which boxes are ticked."""
        return frozenset(self.only or DEFAULT_ONLY)

    def request(self) -> BackfillRequest:
        """Return it as a request.

        Raises:
            RequestError: there is no such thing to make.
        """
        unknown = next((word for word in self.only if word not in list(Only)), None)
        if unknown is not None:
            raise RequestError(f"Only {unknown!r} cannot be made; expected {', '.join(Only)}.")
        return BackfillRequest(
            (self.select,) if self.select else (),
            self.partitions,
            self.first or None,
            self.last or None,
            frozenset(map(Only, self.chosen)),
        )


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step in a line."""

    asset: str
    count: int
    ranges: str
    """Its partitions, as far as a line has room; empty: the whole table."""
    reasons: tuple[str, ...]
    rows: int | None
    size_bytes: int | None
    duration_s: float | None


@dataclass(frozen=True, slots=True)
class LeftOutRow:
    """Partitions that cannot be made, in a line."""

    asset: str
    count: int
    ranges: str
    reason: str
    is_makeable: bool
    """Whether it can be made together with what it lacks."""


@dataclass(frozen=True, slots=True)
class PlanView:
    """What would be made."""

    document: Mapping[str, Any]
    """As the API answers it."""
    steps: tuple[PlannedStep, ...]
    more_steps: int
    left_out: tuple[LeftOutRow, ...]
    more_left_out: int
    nothing: str
    """Why there are no steps; empty: there are some."""


@dataclass(frozen=True, slots=True)
class NewBackfillView:
    """The page where a backfill is planned and launched."""

    asked: Asked
    words: tuple[str, ...]
    """What `only` may say."""
    command: str
    """What does the same; empty: it cannot be asked for."""
    plan: PlanView | None
    """None: it cannot be asked for."""
    problem: str
    """Why it cannot, or was not launched."""


def new_backfill_view(sight: Sight, asked: Asked, refused: PlanChanged | None = None) -> NewBackfillView:
    """Return what a backfill would make.

    Args:
        sight: the lake as it is.
        asked: what is to be made.
        refused: why it was not launched; none: that was not tried.
    """
    words = tuple(map(str, Only))
    try:
        request = asked.request()
        plan = _plan_view(plan_of(sight, request), is_default=request.only == DEFAULT_ONLY)
    except RequestError as error:
        return NewBackfillView(asked, words, "", None, str(error))
    return NewBackfillView(asked, words, request.typed(), plan, "" if refused is None else str(refused))


def _plan_view(document: Mapping[str, Any], *, is_default: bool) -> PlanView:
    steps, left_out = document["steps"], document["left_out"]
    return PlanView(
        document=document,
        steps=tuple(
            PlannedStep(
                step["asset"],
                step["partitions"]["count"],
                _ranges_text(step["partitions"]["ranges"]),
                tuple(step["reasons"]),
                step["rows"],
                step["bytes"],
                step["duration_s"],
            )
            for step in steps[:SHOWN_STEPS]
        ),
        more_steps=max(0, len(steps) - SHOWN_STEPS),
        left_out=tuple(
            LeftOutRow(
                left["asset"],
                left["partitions"]["count"],
                _ranges_text(left["partitions"]["ranges"]),
                left["reason"],
                left["command"] is not None and left["upstream"] != left["asset"],
            )
            for left in left_out[:SHOWN_STEPS]
        ),
        more_left_out=max(0, len(left_out) - SHOWN_STEPS),
        nothing="" if steps else _nothing(document, is_default=is_default),
    )


def _nothing(document: Mapping[str, Any], *, is_default: bool) -> str:
    if document["migrations"]:
        return "Nothing can be made before the migrations below."
    if document["left_out"]:
        return "Nothing can be made: what is asked for lacks what it is made from."
    if document["without"]:
        return f"Nothing to do: {', '.join(document['without'])} has none of the partitions that are named."
    if not is_default:
        return "Nothing to do: nothing that is asked for is like that."
    known = ", as far as that is known" if document["problems"] else ""
    return f"Nothing to do: everything that is asked for is up to date{known}. Tick “all” to make it again."


def _ranges_text(ranges: Sequence[Sequence[str]]) -> str:
    if ranges and not ranges[0][0]:
        return ""
    told = [first if first == last else f"{first} … {last}" for first, last in ranges[:SHOWN_RANGES]]
    more = len(ranges) - SHOWN_RANGES
    return ", ".join(told) + (f" and {more} more ranges" if more > 0 else "")
