"""Alerting: looks at what has happened, decides once for all daemons who is told of it, and sends.

A decision is a tick of `_alerts`: its cursor holds what the next one needs to know, and the messages. Whoever decides,
the first decision counts; whoever sees it puts its messages, each of which is there once; and one attempt to send a
message is claimed by one. So several daemons, and `deltaworks alert send`, tell everything once.
"""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from deltaworks.engine.automation.alerts.decide import Open, OpenProblem, decide
from deltaworks.engine.automation.alerts.event import Event, Standing, faults, late, run_events, tick_event
from deltaworks.engine.automation.alerts.send import send
from deltaworks.engine.automation.ended_runs import cursor_now, read_ended
from deltaworks.engine.automation.freshness import NAME as FRESHNESS
from deltaworks.engine.automation.freshness import read_late
from deltaworks.engine.definitions.automation.freshness_change import FreshnessChange
from deltaworks.engine.definitions.automation.sensor import RunsOf
from deltaworks.engine.workspace.alert_settings import AlertSettings
from deltaworks.errors import AlertNotSent, StorageError
from deltaworks.io.alerts import (
    Delivery,
    Message,
    Outcome,
    claim_attempt,
    deliveries,
    forget_settled,
    is_abandoned,
    note_delivery,
    put_message,
)
from deltaworks.io.marks import Mark, advance_mark, next_id, read_mark
from deltaworks.io.run_entry import RunStatus
from deltaworks.io.store import Store
from deltaworks.io.ticks import TickEntry, TickKind, TickOutcome, decide_tick

NAME = "_alerts"
"""The name of its ticks; no schedule and no sensor can have it."""

LOOK_S = 5.0
"""How often a daemon looks."""

MOST_ATTEMPTS = 8
"""How often a message is tried before it is given up: for about twenty minutes."""

_MOST_HEARD = 10_000
"""How many outcomes of ticks are kept while the lake cannot be written."""

_FIRST_DELAY_S = 5.0
_LONGEST_DELAY_S = 600.0
_OVER = frozenset(each for each in RunStatus if each.is_over)


@dataclass(frozen=True, slots=True)
class Telling:
    """To whom alerts go, and from where."""

    alerts: Sequence[AlertSettings]
    store: Store
    environ: Mapping[str, str]
    """Where secrets stand."""


class Alerting:
    """What one process knows of the alerts of a lake."""

    def __init__(self, telling: Telling, tell: Callable[[str], None], now: Callable[[], dt.datetime]) -> None:
        """Begin with nothing seen.

        Args:
            telling: to whom alerts go, and from where.
            tell: receives what goes wrong, for people.
            now: the clock.
        """
        self._telling, self._store, self._tell, self._now = telling, telling.store, tell, now
        self._heard: deque[Event] = deque(maxlen=_MOST_HEARD)
        self._fails: dict[str, bool] = {}
        """By schedule or sensor, whether its last tick failed."""
        self._fault: tuple[str | None, dt.datetime] | None = None
        self._has_policies = True
        self._settled: frozenset[str] = frozenset()
        self._first_mark: Mark | None = None
        """That of freshness as it was at the first look: whoever looked may be gone for long."""
        self._has_looked = False
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.waiting = 0
        """How many messages are not sent yet."""
        self.problem: str | None = None
        """What went wrong last; none: all went well since."""

    def hear(self, entry: TickEntry) -> None:
        """Hear what came of a tick; may be called by another thread."""
        has_failed = entry.outcome is TickOutcome.FAILED
        if has_failed or self._fails.get(entry.name, True):  # that one goes on going well is no news
            self._heard.append(tick_event(entry))
        self._fails[entry.name] = has_failed

    def hear_load(self, fault: str | None, now: dt.datetime, *, has_policies: bool) -> None:
        """Hear how the project is; may be called by another thread.

        Args:
            fault: why it cannot be loaded; none: it can.
            now: the moment.
            has_policies: whether anything can be late.
        """
        if self._fault is None or self._fault[0] != fault:
            self._fault = fault, now
        self._has_policies = has_policies

    def start(self) -> None:
        """Look again and again, in a thread of its own, so that nothing else waits for who is told."""
        self._thread = threading.Thread(target=self._run, name="deltaworks-alerts", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look once more and begin nothing after that; an attempt that goes on is not waited for."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(LOOK_S)

    def look(self, now: dt.datetime, is_late: Sequence[FreshnessChange] | None = None) -> None:
        """Decide what is to be told of what has happened, and send what is due.

        Args:
            now: the moment.
            is_late: the assets that are late; none: those that the daemon has found to be.

        Raises:
            StorageError: the lake cannot be read or written.
        """
        while self._decide(now, is_late):
            pass
        self._send(now)

    def _run(self) -> None:
        while True:
            is_last = self._stop.is_set()
            try:
                self.look(self._now())
                self.problem = None if self.waiting == 0 else self.problem
            except (StorageError, OSError) as error:
                self._note(str(error))
            except Exception as error:  # noqa: BLE001 - whatever goes wrong here harms nobody else, and is told
                self._note(f"{type(error).__name__}: {error}")
            if is_last:
                return
            self._stop.wait(LOOK_S)

    def _decide(self, now: dt.datetime, is_late: Sequence[FreshnessChange] | None) -> bool:
        """Decide about what has happened since the last decision; return whether there may be more."""
        mark = read_mark(self._store, NAME, TickKind.SENSOR)
        if mark is None:
            self._record(None, cursor_now(self._store, now), {}, (), now)
            return True
        runs_cursor, problems = _read(mark.cursor)
        seen = read_ended(NAME, self._store, RunsOf(_OVER, None), runs_cursor, now)
        heard = tuple(self._heard)
        events = [
            event
            for run, entry in zip(seen.runs, seen.entries, strict=True)
            for event in run_events(entry, run.status, run.ended_at or now)
        ]
        standing = self._standing(is_late)
        after, messages = decide(self._telling.alerts, problems, (*events, *heard), standing, now)
        is_moved = bool(seen.runs) or seen.is_behind or _told(after) != _told(problems)
        if (is_moved or messages) and not self._record(mark, seen.cursor, after, messages, now):
            return True  # somebody else has decided; what was heard is heard again
        for _ in range(min(len(heard), len(self._heard))):
            self._heard.popleft()
        return bool(seen.runs)

    def _standing(self, is_late: Sequence[FreshnessChange] | None) -> list[Standing]:
        found: list[Standing] = []
        is_late = self._late_by_ticks() if is_late is None else is_late
        if is_late is not None:
            found.append(late(is_late))
        fault = self._fault
        if fault is not None:
            found.append(faults(*fault))
        return found

    def _late_by_ticks(self) -> Sequence[FreshnessChange] | None:
        """Return what ticks have found to be late; none: there has been no tick since this process looked first."""
        if not self._has_policies:
            return ()
        mark = read_mark(self._store, FRESHNESS, TickKind.SENSOR)
        if not self._has_looked:
            self._first_mark, self._has_looked = mark, True
        if mark is None or mark == self._first_mark:
            return None
        return tuple(read_late(FRESHNESS, mark.cursor).values())

    def _record(
        self, mark: Mark | None, runs: str, problems: Open, messages: Sequence[Message], now: dt.datetime
    ) -> bool:
        """Record a decision unless there is one, carry out the one that there is, and return whether it is this."""
        at, tick_id = now.isoformat(), next_id(mark)
        document = {"runs": runs, "open": _told(problems), "messages": [each.to_json() for each in messages]}
        entry = TickEntry(
            name=NAME,
            kind=TickKind.SENSOR,
            tick_id=tick_id,
            scheduled_at=at,
            started_at=at,
            outcome=TickOutcome.SKIPPED,
            ended_at=at,
            skip_reason="; ".join(f"{each.alert}: {each.title}" for each in messages) or "nothing is told",
            cursor=json.dumps(document),
        )
        decided = decide_tick(self._store, entry)
        told = json.loads(decided.cursor or "{}").get("messages", [])
        for number, each in enumerate(told):
            put_message(self._store, f"{tick_id}-{number:04d}", Message.from_json(each))
        advance_mark(self._store, NAME, Mark(tick_id, decided.cursor))
        return decided == entry

    def _send(self, now: dt.datetime) -> None:
        alerts = {each.name: each for each in self._telling.alerts}
        settled, waiting = set(self._settled), 0
        failing = set[str]()  # one that takes long to fail is tried once a look, so that it holds up no other
        for each in deliveries(self._store, self._settled):
            name, after = each.message.alert, each
            if each.outcome is Outcome.WAITING and name not in failing:
                after = self._deliver(each, alerts.get(name), now)
            if after.attempts > each.attempts and after.outcome is not Outcome.SENT:
                failing.add(name)
            if after.outcome is Outcome.WAITING:
                waiting += 1
            else:
                settled.add(each.message_id)
        if len(settled) > len(self._settled):
            forget_settled(self._store)
        self._settled, self.waiting = frozenset(settled), waiting

    def _deliver(self, each: Delivery, alert: AlertSettings | None, now: dt.datetime) -> Delivery:
        """Try to send a message if it is due, and return how far it is."""
        if each.retry_at is not None and now < each.retry_at:
            return each
        if not claim_attempt(self._store, each, now):
            if not is_abandoned(self._store, each, now):
                return each
            return self._failed(each, "whoever was at it is gone", now)
        if alert is None:
            over = replace(each, outcome=Outcome.GIVEN_UP, attempts=each.attempts + 1, error="no such alert any more")
            note_delivery(self._store, over)
            return over
        try:
            send(alert, each.message, self._store.uri(""), self._telling.environ)
        except AlertNotSent as error:
            return self._failed(each, str(error), now)
        sent = replace(each, outcome=Outcome.SENT, attempts=each.attempts + 1, error=None, retry_at=None)
        note_delivery(self._store, sent)
        return sent

    def _failed(self, each: Delivery, error: str, now: dt.datetime) -> Delivery:
        attempts = each.attempts + 1
        delay = dt.timedelta(seconds=min(_LONGEST_DELAY_S, _FIRST_DELAY_S * 2 ** (attempts - 1)))
        outcome = Outcome.GIVEN_UP if attempts >= MOST_ATTEMPTS else Outcome.WAITING
        failed = replace(each, outcome=outcome, attempts=attempts, error=error, retry_at=now + delay)
        note_delivery(self._store, failed)
        self._note(f"{each.message.title!r} was not told ({attempts} of {MOST_ATTEMPTS} attempts): {error}")
        return failed

    def _note(self, problem: str) -> None:
        if problem != self.problem:
            self._tell(f"alerts: {problem}")
        self.problem = problem


def _read(cursor: str | None) -> tuple[str, dict[str, dict[str, OpenProblem]]]:
    """Return what a decision left: the cursor of the runs, and what is open."""
    try:
        document: dict[str, Any] = json.loads(cursor or "")
        problems = {
            alert: {
                key: OpenProblem(
                    each["title"],
                    dt.datetime.fromisoformat(each["since"]),
                    dt.datetime.fromisoformat(each["told_at"]),
                    int(each["count"]),
                )
                for key, each in by_key.items()
            }
            for alert, by_key in document["open"].items()
        }
        return str(document["runs"]), problems
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StorageError(
            f"the mark of {NAME} is damaged ({type(error).__name__}: {error}); delete _deltaworks/state/ticks/{NAME}, "
            "and alerts begin anew"
        ) from error


def _told(problems: Open) -> dict[str, dict[str, Any]]:
    return {
        alert: {
            key: {
                "title": each.title,
                "since": each.since.isoformat(),
                "told_at": each.told_at.isoformat(),
                "count": each.count,
            }
            for key, each in by_key.items()
        }
        for alert, by_key in problems.items()
        if by_key
    }
