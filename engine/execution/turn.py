"""Turn: a run waits until the queue lets it go, and until nobody else makes the partitions that it is to make."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.execution.events import RunNoted
from deltaworks.engine.execution.pulse import Pulse
from deltaworks.engine.execution.sharing import Sharing
from deltaworks.engine.execution.stop import Stop
from deltaworks.engine.execution.workers.run_log import RunLog
from deltaworks.engine.planning.graph import AssetGraph, Node
from deltaworks.engine.planning.plan import Plan
from deltaworks.io.dtypes import Json
from deltaworks.io.ledger import write_run
from deltaworks.io.run_entry import RunEntry, RunStatus
from deltaworks.io.store import Store
from deltaworks.io.tickets import Fits, Line, Ticket

POLL_S = 0.3
"""How often a run that waits looks whether its turn has come."""

MAX_RANGES = 1000
"""A plan of more ranges of an asset is claimed from its first partition to its last."""


@dataclass(frozen=True, slots=True)
class _Wish:
    """A ticket in a line, and when its turn comes."""

    line: Line
    ticket: Ticket
    fits: Fits
    what: str

    def is_granted(self) -> bool:
        return self.line.ask(self.ticket, self.fits)


class Waiting:
    """Waits for everything that a run needs before it begins, one after the other, so that none waits in a circle."""

    def __init__(self, wishes: Sequence[_Wish]) -> None:
        self._left = list(wishes)

    def is_over(self) -> bool:
        """Return whether the run may begin; ask again later if not."""
        while self._left:
            if not self._left[0].is_granted():
                return False
            self._left.pop(0)
        return True

    def wait(self, stop: Stop, waits_for: Callable[[str], None]) -> None:
        """Wait until it is over, or until the run is asked to stop; `waits_for` is told what for."""
        told = ""
        while not stop.is_asked and not self.is_over():
            wish = self._left[0]
            holders = wish.line.holders(wish.ticket)
            text = f"{wish.what}: {', '.join(holders)}" if holders else wish.what
            if text != told:
                told = text
                waits_for(text)
            time.sleep(POLL_S)


NO_TURN = Waiting(())
"""What has nothing to wait for."""


@contextmanager
def turn(store: Store, graph: AssetGraph, entry: RunEntry, plan: Plan, sharing: Sharing) -> Generator[Waiting]:
    """Hold a run's place among others; in the context, wait for it first. The run's entry is in the ledger already.

    Raises:
        StorageError: the lake cannot be read or written.
    """
    what = "others that make the same partitions"
    claim = _ticket(entry, 0, _claim(graph, plan))
    apart = _Wish(line_of_work(store), claim, partial(_is_apart, graph, plan, entry), what)
    with _holding([*_queue(store, entry, sharing), apart]) as waiting:
        yield waiting


@contextmanager
def queue_turn(store: Store, entry: RunEntry, sharing: Sharing) -> Generator[Waiting]:
    """Hold the place of a run that makes no partitions among others; see `turn`.

    Raises:
        StorageError: the lake cannot be read or written.
    """
    with _holding(_queue(store, entry, sharing)) as waiting:
        yield waiting


def await_turn(
    waiting: Waiting,
    store: Store,
    entry: RunEntry,
    now: Callable[[], dt.datetime],
    log: RunLog[Any],
    stop: Stop,
) -> bool:
    """Wait for a run's turn, and return whether it has come; else somebody has asked the run to stop.

    Raises:
        StorageError: the lake cannot be read or written.
    """
    told: list[str] = []

    def queued() -> RunEntry:
        waits_for = told[-1] if told else None  # until it is known what for
        return replace(entry, status=RunStatus.QUEUED, heartbeat_at=now().isoformat(), waits_for=waits_for)

    def tell(waits_for: str) -> None:
        told.append(waits_for)
        log.tell(RunNoted(f"run {entry.run_id} is queued: it waits for {waits_for}"))
        write_run(store, queued())

    with Pulse(store, entry.run_id, queued, stop, log.tell, log.flush):
        waiting.wait(stop, tell)
    return not stop.is_asked


def _queue(store: Store, entry: RunEntry, sharing: Sharing) -> list[_Wish]:
    if not sharing.queues:
        return []
    queued = _ticket(entry, entry.priority, {"tags": list(entry.tags)})
    return [_Wish(Line(store, "queue"), queued, partial(_has_room, sharing, entry), "the queue")]


def _ticket(entry: RunEntry, priority: int, facts: Json) -> Ticket:
    asked_at = entry.heartbeat_at or entry.started_at
    name = f"{entry.run_id}-{entry.attempt}"
    return Ticket(name, entry.run_id, entry.started_at, str(entry.process), asked_at, priority, facts)


@contextmanager
def _holding(wishes: Sequence[_Wish]) -> Generator[Waiting]:
    try:
        yield Waiting(wishes)
    finally:
        for wish in wishes:
            wish.line.leave(wish.ticket)


def line_of_work(store: Store) -> Line:
    """Return the line in which runs wait until nobody else makes the partitions that they are to make."""
    return Line(store, "work")


def being_made(work: Line, graph: AssetGraph) -> Mapping[AssetKey, PartitionSet]:
    """Return which partitions the runs of a line of work are making, or wait to make; only assets that have any.

    Raises:
        StorageError: the lake cannot be read.
    """
    found: dict[AssetKey, PartitionSet] = {}
    nodes = {str(key): node for key, node in graph.nodes.items()}
    for ticket in work.tickets():
        for name, ranges in ticket.facts.items():
            claimed = _claimed(nodes[name], ranges) if name in nodes else None
            if claimed:
                key = nodes[name].key
                found[key] = found.get(key, claimed) | claimed
    return found


def _elsewhere(entry: RunEntry, others: Sequence[Ticket]) -> list[Ticket]:
    """Return the tickets of other processes: a run that a step of another one starts would wait for that for ever."""
    return [other for other in others if other.process != str(entry.process)]


def _has_room(sharing: Sharing, entry: RunEntry, others: Sequence[Ticket]) -> bool:
    """Return whether a run may go beside those that go on and those that go before it.

    Who goes before it and has no room, since a limit of its own tags is reached, takes none.
    """
    others = _elsewhere(entry, others)
    going = [_tags(other) for other in others if other.is_held]
    for other in sorted((other for other in others if not other.is_held), key=lambda each: each.order):
        if _fits(sharing, _tags(other), going):
            going.append(_tags(other))
    return _fits(sharing, entry.tags, going)


def _fits(sharing: Sharing, tags: Sequence[str], going: Sequence[Sequence[str]]) -> bool:
    if sharing.max_runs is not None and len(going) >= sharing.max_runs:
        return False
    return all(
        sum(_has_tag(other, tag) for other in going) < limit
        for tag, limit in sharing.tags.items()
        if _has_tag(tags, tag)
    )


def _tags(ticket: Ticket) -> Sequence[str]:
    found: Sequence[str] = ticket.facts.get("tags", ())
    return found


def _has_tag(tags: Sequence[str], wanted: str) -> bool:
    return any(tag == wanted or tag.partition("=")[0] == wanted for tag in tags)


def _claim(graph: AssetGraph, plan: Plan) -> Json:
    found: dict[str, Json] = {}
    for key, part in plan.planned.items():
        ranges, partitions = part.ranges(), graph.nodes[key].partitions
        if len(ranges) > MAX_RANGES:
            ranges = [(ranges[0][0], ranges[-1][1])]
        found[str(key)] = [[partitions.key(first), partitions.key(last)] for first, last in ranges]
    return found


def _is_apart(graph: AssetGraph, plan: Plan, entry: RunEntry, others: Sequence[Ticket]) -> bool:
    """Return whether none of the others makes a partition that is planned."""
    return not any(
        part & _claimed(graph.nodes[key], other.facts[str(key)])
        for other in _elsewhere(entry, others)
        for key, part in plan.planned.items()
        if str(key) in other.facts
    )


def _claimed(node: Node, ranges: Sequence[Sequence[str]]) -> PartitionSet:
    """Return what a claim means to this definition; what it does not know, it does not make."""
    ordinals = [(node.partitions.ordinal(first), node.partitions.ordinal(last)) for first, last in ranges]
    known = [(first, last) for first, last in ordinals if first is not None and last is not None]
    return PartitionSet.of_ranges(known, node.partitions.size)
