"""Ticking: what one daemon does with a tick, from its being due to its decision.

It claims the tick, lets the code location answer it, and records the decision. Everything that it does, another daemon
may do at the same time: the claim only spares double work, and the first decision counts.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from deltaworks.engine.automation.evaluation import Evaluation, asked_runs
from deltaworks.engine.automation.location_process import Answer
from deltaworks.engine.automation.peers import Peers
from deltaworks.engine.automation.watch import DueTick, Moment, Watch, Watched, backoff_s
from deltaworks.engine.definitions.automation.tick import Tick
from deltaworks.io.marks import Mark, advance_mark, next_id, read_mark
from deltaworks.io.process import Process
from deltaworks.io.store import Store
from deltaworks.io.ticks import (
    TickClaim,
    TickEntry,
    TickKind,
    TickOutcome,
    claim_is_there,
    claim_tick,
    close_tick,
    decide_tick,
    instant_of,
    leave_tick,
    note_tick,
    open_ticks,
    read_tick,
    tick_run_id,
)

LOOK_AGAIN_S = 1.0
"""How often a tick is looked at that another daemon is at."""

Key = tuple[str, str]
"""Name and tick id."""


@dataclass(frozen=True, slots=True)
class Asker:
    """What puts questions to the code location."""

    is_free: Callable[[], bool]
    ask: Callable[[Tick, float, float], int]


@dataclass
class _Open:
    """A tick that this daemon has claimed and not decided."""

    watched: Watched
    due: DueTick
    claim: int
    """The number of the claim."""
    started_at: dt.datetime
    failed: int = 0
    """How many attempts were answered by an error."""
    question: int | None = None
    """None: it is not being asked."""
    retry_at_s: float = 0.0

    @property
    def attempt(self) -> int:
        """Which attempt at an answer this is."""
        return self.failed + 1


class Ticking:
    """The ticks that one daemon has claimed."""

    def __init__(
        self,
        store: Store,
        daemon_id: str,
        peers: Peers,
        asker: Asker,
        carry: Callable[[TickEntry], None],
        tell: Callable[[str], None],
        heard: Callable[[TickEntry], None] | None = None,
    ) -> None:
        """Begin with none.

        Args:
            store: the lake.
            daemon_id: who claims.
            peers: which other daemons live.
            asker: the code location.
            carry: carries a decided tick out.
            tell: receives what goes wrong, for people.
            heard: receives what came of each question, be it tried again; none: nobody does.
        """
        self._store, self._daemon_id, self._peers = store, daemon_id, peers
        self._asker, self._carry, self._tell, self._heard = asker, carry, tell, heard
        self._process = Process.current()
        self._open: dict[Key, _Open] = {}
        self._left: dict[Key, float] = {}
        """Ticks that others are at, and when they are looked at again."""

    def __len__(self) -> int:
        return len(self._open)

    def begin(self, watched: Watched, watch: Watch, due: DueTick, moment: Moment) -> None:
        """Begin with a tick that is due, unless this daemon or another one is at it.

        Raises:
            StorageError: the lake cannot be read or written.
        """
        key = watched.name, due.tick_id
        if key in self._open or moment.running_s < self._left.get(key, 0.0):
            return
        self._left.pop(key, None)
        decided = read_tick(self._store, *key)
        if decided is None and not self._asker.is_free():
            return
        if decided is None and self._claim(watched, due.tick_id, 1):
            decided = self._decided(watched, due, moment)  # it was closed between the two looks
            if decided is None:
                self._open[key] = _Open(watched, due, 1, moment.now)
                self._ask(self._open[key], moment)
                return
            close_tick(self._store, *key)
        if decided is None:
            self._left[key] = moment.running_s + LOOK_AGAIN_S
            return
        self._settle(decided, watch)

    def work(self, moment: Moment) -> None:
        """Ask again what failed and is to be tried again by now.

        Raises:
            StorageError: the lake cannot be written.
        """
        for key, each in list(self._open.items()):
            if each.question is not None or moment.running_s < each.retry_at_s or not self._asker.is_free():
                continue
            if read_tick(self._store, *key) is not None:
                del self._open[key]  # somebody has decided it, as one does who sets a cursor
                continue
            if self._claim(each.watched, each.due.tick_id, each.claim + 1, each.failed):
                each.claim += 1
                self._ask(each, moment)
            else:
                del self._open[key]  # somebody has taken this daemon for dead

    def hear(self, answer: Answer, watches: Mapping[str, Watch], moment: Moment) -> None:
        """Record what came of a question.

        Raises:
            StorageError: the lake cannot be written; the tick is open, and is asked about again.
        """
        key = next((key for key, each in self._open.items() if each.question == answer.number), None)
        if key is None:
            return
        each = self._open[key]
        each.question, each.retry_at_s = None, moment.running_s + backoff_s(1)
        watch = watches.get(each.watched.name)
        if answer.evaluation is None:
            self._failed(key, each, answer.error or "", watch, moment)
            return
        entry = _entry(each, answer.evaluation, moment)
        if self._heard is not None:
            self._heard(entry)
        if not entry.is_decided:
            note_tick(self._store, entry)
            close_tick(self._store, *key)
            del self._open[key]
            if watch is not None:
                watch.settled(entry)
            return
        self._decide(key, entry, watch)

    @property
    def failing(self) -> list[str]:
        """The schedules and sensors of which a tick could not be answered, and is tried again."""
        return sorted({name for (name, _), each in self._open.items() if each.failed})

    def leave(self) -> None:
        """Leave the open ticks to others.

        Raises:
            StorageError: the lake cannot be written.
        """
        for key in list(self._open):
            leave_tick(self._store, *key)
            del self._open[key]

    def forget(self, name: str) -> None:
        """Leave the open ticks of a schedule or sensor that was stopped; they are asked about when it is started."""
        for key in [key for key in self._open if key[0] == name]:
            close_tick(self._store, *key)
            del self._open[key]

    def take_over(
        self,
        watched: Mapping[str, Watched],
        watches: Mapping[str, Watch],
        carries: Callable[[Key], bool],
        moment: Moment,
    ) -> None:
        """Go on with what daemons have left behind that are gone.

        Raises:
            StorageError: the lake cannot be read or written.
        """
        for claim in open_ticks(self._store, lambda key: key in self._open or carries(key)):
            key = claim.name, claim.tick_id
            if self._is_held(claim, moment):
                continue
            decided = read_tick(self._store, *key)
            if decided is not None:
                if self._claim_next(claim):
                    self._settle(decided, watches.get(claim.name))
                    self._carry(decided)
            elif claim.name in watched and claim.name in watches and watched[claim.name].kind is claim.kind:
                self._ask_again(claim, watched[claim.name], moment)

    def _is_held(self, claim: TickClaim, moment: Moment) -> bool:
        """Return whether another daemon is at a tick, for all that is known."""
        if not claim.daemon_id or claim.daemon_id == self._daemon_id:
            return False
        return self._peers.is_alive(claim.daemon_id, claim.process, moment.running_s)

    def _ask_again(self, claim: TickClaim, watched: Watched, moment: Moment) -> None:
        """Ask about a tick that another daemon has claimed and not decided."""
        due = _due(self._store, claim, moment)
        if due is None:
            close_tick(self._store, claim.name, claim.tick_id)  # its history is gone, and it was decided before
        elif self._asker.is_free() and self._claim_next(claim):
            self._tell(f"{claim.name}: tick {claim.tick_id} is taken over from a daemon that is gone")
            opened = _Open(watched, due, claim.number + 1, moment.now, claim.failed)
            self._open[claim.name, claim.tick_id] = opened
            self._ask(opened, moment)

    def _ask(self, each: _Open, moment: Moment) -> None:
        tick = Tick(each.watched.name, each.due.scheduled_at, each.due.cursor, each.attempt)
        each.question = self._asker.ask(tick, each.watched.timeout_s, moment.running_s)

    def _failed(self, key: Key, each: _Open, error: str, watch: Watch | None, moment: Moment) -> None:
        """Note how an attempt failed, and try again later; for good where that was the last."""
        self._tell(f"{each.watched.name}: tick {each.due.tick_id}, attempt {each.attempt}: {error}")
        entry = replace(_entry(each, Evaluation(), moment), outcome=TickOutcome.FAILED, error=error, skip_reason=None)
        each.failed += 1
        if self._heard is not None:
            self._heard(entry)
        most = each.watched.max_attempts
        if most is not None and each.failed >= most:
            self._decide(key, replace(entry, is_decided=True), watch)
            return
        delay_s = backoff_s(each.failed)
        each.retry_at_s = moment.running_s + delay_s
        retry_at = moment.now + dt.timedelta(seconds=delay_s)
        noted = replace(entry, is_decided=False, retry_at=retry_at.isoformat())
        note_tick(self._store, noted)
        if watch is not None:
            watch.settled(noted)

    def _decide(self, key: Key, entry: TickEntry, watch: Watch | None) -> None:
        decided = decide_tick(self._store, entry)
        claim = self._open.pop(key).claim
        # Else whoever decided it does, or is gone, which the next look finds. Who was held up until all was over, and
        # its history swept, has decided nothing.
        if decided == entry and claim_is_there(self._store, *key, claim):
            self._carry(decided)
        self._settle(decided, watch)

    def _settle(self, decided: TickEntry, watch: Watch | None) -> None:
        """Move on past a decided tick."""
        if decided.kind is TickKind.SENSOR:
            advance_mark(self._store, decided.name, Mark(decided.tick_id, decided.cursor))
        if watch is not None:
            watch.settled(decided)

    def _decided(self, watched: Watched, due: DueTick, moment: Moment) -> TickEntry | None:
        """Return the decision about a tick, also if its history is swept; none: there is none."""
        mark = read_mark(self._store, watched.name, watched.kind)
        found = read_tick(self._store, watched.name, due.tick_id)
        if found is not None or mark is None or due.tick_id > mark.tick_id:
            return found
        return replace(_entry(_Open(watched, due, 1, moment.now), Evaluation(), moment), is_decided=True)

    def _claim(self, watched: Watched, tick_id: str, number: int, failed: int = 0) -> bool:
        claim = TickClaim(watched.name, tick_id, watched.kind, number, self._daemon_id, self._process, failed)
        return claim_tick(self._store, claim)

    def _claim_next(self, claim: TickClaim) -> bool:
        mine = replace(claim, number=claim.number + 1, daemon_id=self._daemon_id, process=self._process)
        return claim_tick(self._store, mine)


def _entry(each: _Open, evaluation: Evaluation, moment: Moment) -> TickEntry:
    """Return what an answer means for the ledger."""
    due, watched = each.due, each.watched
    nameless = (None for _ in evaluation.assets)
    ids = (
        tick_run_id(watched.name, due.tick_id, due.scheduled_at, run_key, place)
        for place, run_key in enumerate((*(each.run_key for each in evaluation.requests), *nameless))
    )
    moves = evaluation.cursor is not None and evaluation.cursor != due.cursor
    asks = bool(evaluation.requests or evaluation.assets or evaluation.new_keys or evaluation.gone_keys)
    return TickEntry(
        name=watched.name,
        kind=watched.kind,
        tick_id=due.tick_id,
        scheduled_at=due.scheduled_at.isoformat(),
        started_at=each.started_at.isoformat(),
        outcome=TickOutcome.REQUESTED if asks else TickOutcome.SKIPPED,
        ended_at=moment.now.isoformat(),
        attempt=each.attempt,
        requests=asked_runs(evaluation, ids),
        new_keys=evaluation.new_keys,
        gone_keys=evaluation.gone_keys,
        skip_reason=evaluation.skip_reason,
        cursor=evaluation.cursor if evaluation.cursor is not None else due.cursor,
        is_decided=asks or moves or watched.kind is TickKind.SCHEDULE,
        is_catchup=due.is_catchup,
        left=evaluation.left,
    )


def _due(store: Store, claim: TickClaim, moment: Moment) -> DueTick | None:
    """Return a claimed tick as it was due; none if it is past."""
    mark = read_mark(store, claim.name, claim.kind)
    if mark is not None and claim.tick_id <= mark.tick_id:
        return None
    if claim.kind is TickKind.SCHEDULE:
        return DueTick(claim.tick_id, instant_of(claim.tick_id))
    if next_id(mark) != claim.tick_id:
        return None
    return DueTick(claim.tick_id, moment.now, None if mark is None else mark.cursor)
