"""Ticks as documents and in words: when a schedule, a sensor or conditions were asked, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from deltaworks.engine.documents.instants import instant_json

if TYPE_CHECKING:
    from deltaworks.io.ticks import AskedRun, TickEntry

_SHOWN = 3
"""How many assets of a run stand beside each other for people; the document has them all."""


def tick_json(tick: TickEntry) -> dict[str, Any]:
    """Return a tick as JSON."""
    return {
        "name": tick.name,
        "tick": tick.tick_id,
        "scheduled_at": instant_json(tick.scheduled_at),
        "started_at": instant_json(tick.started_at),
        "ended_at": instant_json(tick.ended_at),
        "outcome": tick.outcome.value,
        "attempt": tick.attempt,
        "requests": requests_json(tick.requests),
        "add_partitions": {name: list(keys) for name, keys in tick.new_keys.items()},
        "remove_partitions": {name: list(keys) for name, keys in tick.gone_keys.items()},
        "skip_reason": tick.skip_reason,
        "error": tick.error,
        "cursor": tick.cursor,
        "retry_at": instant_json(tick.retry_at),
        "is_catchup": tick.is_catchup,
        "left": dict(tick.left),
    }


def requests_json(requests: Sequence[Any]) -> list[dict[str, Any]]:
    """Return requests as JSON, whether or not they have run ids already."""
    return [asdict(each) for each in requests]


def asked_text(asked: AskedRun) -> str:
    """Return what a tick asks a run for, and what hinders it, as `nightly 2024-01-04 (asked for before)`."""
    what = f"{asked.job} {asked.partition}" if asked.partition else asked.job
    if asked.assets:
        named = [_asked_of(asset, ends) for asset, ends in asked.assets.items()]
        what = ", ".join(named[:_SHOWN]) + (f" and {len(named) - _SHOWN:,} more assets" if len(named) > _SHOWN else "")
    if asked.error is not None:
        return f"{what} (given up: {asked.error})"
    if asked.held_up_by is not None:
        return f"{what} (tried again, since it could not begin: {asked.held_up_by})"
    return f"{what} (asked for before)" if asked.answered_by else what


def _asked_of(asset: str, ends: Sequence[tuple[str, str]]) -> str:
    """Return what is asked for of an asset, as `daily 2024-01-01..2024-01-04`."""
    first, last = ends[0][0], ends[-1][1]
    if len(ends) > 1:
        return f"{asset} {first}..{last} in {len(ends):,} parts"
    return f"{asset} {first}".rstrip() if first == last else f"{asset} {first}..{last}"
