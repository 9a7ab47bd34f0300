"""Daemon: one light process that watches, asks at ticks, and has runs carried out by others.

It runs none of the project's code: functions are called in the code location, runs are processes of their own. What it
knows beside the lake it may forget at any moment, so it may be killed at any moment.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from multiprocessing import connection

from deltaworks.engine.automation.alerts.alerting import Alerting
from deltaworks.engine.automation.carrying import Carrying
from deltaworks.engine.automation.code_watch import CodeWatch
from deltaworks.engine.automation.freshness import NAME as FRESHNESS
from deltaworks.engine.automation.location import Location
from deltaworks.engine.automation.location_process import Answer
from deltaworks.engine.automation.maintenance import ANSWER, MAINTENANCE
from deltaworks.engine.automation.peers import Peers
from deltaworks.engine.automation.run_pool import RunPool
from deltaworks.engine.automation.schedule_watch import WatchedSchedule
from deltaworks.engine.automation.ticking import Asker, Ticking
from deltaworks.engine.automation.turns import Turns
from deltaworks.engine.automation.uptime import Uptime
from deltaworks.engine.automation.watch import POLL_S, Moment, Watch, Watched
from deltaworks.engine.definitions.automation.tick import Tick
from deltaworks.errors import StorageError
from deltaworks.io.condition_notes import NAME as CONDITIONS
from deltaworks.io.heartbeats import BEAT_S, Heartbeat, forget_heartbeats, write_heartbeat
from deltaworks.io.process import Process
from deltaworks.io.store import Store
from deltaworks.io.switches import are_paused, read_switches
from deltaworks.io.ticks import TickKind

TAKE_OVER_S = 2.0
"""How often it is looked for what others have left behind."""

CODE_S = 1.0
"""How often it is looked whether the code has changed."""

MOST_QUEUED = 1_000
"""How many runs may wait in a daemon that still asks for more; what is due meanwhile stays due."""

SWITCHES_S = 1.0
"""How often it is looked what somebody has started or stopped."""


class OnStop(Enum):
    """What becomes of the runs that go on when a daemon is asked to stop."""

    WAIT = "wait"
    """They go on, and the daemon ends when they have."""
    CANCEL = "cancel"
    """They are canceled."""


def running_s() -> float:
    """Return a clock that nobody turns, and that goes on while the machine sleeps where the system has one."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def moment() -> Moment:
    """Return what the clocks show."""
    return Moment(datetime.now(UTC), running_s())


@dataclass(frozen=True)
class DaemonParts:
    """What a daemon is made of."""

    store: Store
    location: Location
    pool: RunPool
    tell: Callable[[str], None]
    """Receives what happens, for people."""
    maintenance: WatchedSchedule | None = None
    """When `deltaworks maintain` is run; none: never."""
    code: CodeWatch | None = None
    """Tells when the project is to be loaded anew; none: only if somebody says so."""
    clock: Callable[[], Moment] = moment
    alerting: Alerting | None = None
    """Tells people what goes wrong; none: nobody is told."""


class Daemon:
    """One daemon."""

    def __init__(self, parts: DaemonParts) -> None:
        """Begin with nothing done."""
        self._parts, self._store = parts, parts.store
        self._location, self._pool = parts.location, parts.pool
        begun = parts.clock()
        here = Process.current()
        self.daemon_id = f"{begun.now:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
        self._beat = Heartbeat(
            self.daemon_id, here.host, here.pid, begun.now.isoformat(), begun.now.isoformat(), born=here.born
        )
        self._peers = Peers(self._store, self.daemon_id)
        self._carrying = Carrying(self._store, self._pool, parts.tell)
        asker = Asker(self._can_ask, self._ask)
        heard = None if parts.alerting is None else parts.alerting.hear
        self._ticking = Ticking(self._store, self.daemon_id, self._peers, asker, self._carrying.take, parts.tell, heard)
        self._watched: dict[str, Watched] = {}
        self._watches: dict[str, Watch] = {}
        """Of what is on."""
        self._turns = Turns(self._store)
        self._switches: Mapping[str, bool] = {}
        self._uptime = Uptime()
        self._own_answers: list[Answer] = []
        """To questions that no code of the project is asked."""
        self._loads = 0
        self._next_s: dict[str, float] = {}
        self._problem = self._fault = ""
        self._on_stop: OnStop | None = None
        self._is_canceled = self._reloads = False

    @property
    def is_over(self) -> bool:
        """Whether it was asked to stop and nothing is left to wait for."""
        return self._on_stop is not None and self._pool.is_idle

    def run(self) -> None:
        """Work until it is asked to stop, and everything is put away."""
        if self._parts.alerting is not None:
            self._parts.alerting.start()
        try:
            while not self.is_over:
                self.step()
                self._wait()
        finally:
            self.close()

    def stop(self, on_stop: OnStop) -> None:
        """Begin nothing more from the next step on; may be called in a signal handler."""
        self._on_stop = on_stop

    def reload(self) -> None:
        """Load the project anew at the next step; may be called in a signal handler."""
        self._reloads = True

    def close(self) -> None:
        """Say that it ends, and end the processes that only wait."""
        with self._noting():
            self._say(self._parts.clock(), stopped=True)
        self._location.close()
        self._pool.close()
        if self._parts.alerting is not None:
            self._parts.alerting.stop()

    def step(self) -> None:
        """Do everything that there is to do now, without waiting."""
        now = self._parts.clock()
        watches = () if self._is_paused else self._watches
        schedules = [name for name in watches if self._watched[name].kind is TickKind.SCHEDULE]
        has_more = self._uptime.note(schedules, now)
        if self._is_due("beat", BEAT_S, now) or has_more:
            with self._noting():
                self._say(now)
        self._reload_if_asked(now)
        answers = [*self._own_answers, *self._location.hear(now.running_s)]
        self._own_answers.clear()
        self._take_in(now)
        for answer in answers:
            with self._noting():
                self._ticking.hear(answer, self._watches, now)
        if self._on_stop is None:
            self._look(now)
        with self._noting():
            self._carrying.work(now)
        if self._on_stop is not None:
            self._leave(self._on_stop)
        for ended in self._pool.poll():
            self._carrying.ended(ended)
        with self._noting("starting a process"):
            self._pool.start(now.running_s)

    @property
    def _is_paused(self) -> bool:
        return are_paused(self._switches)

    def _reload_if_asked(self, now: Moment) -> None:
        code = self._parts.code
        changed = code.changed() if code is not None and self._is_due("code", CODE_S, now) else []
        if self._reloads or changed:
            self._reloads = False
            self._parts.tell(f"loading the project anew: {', '.join(changed[:5]) or 'somebody asked for it'}")
            self._location.reload()
            self._pool.reload()

    def _look(self, now: Moment) -> None:
        """Begin with what is due."""
        for name, watch in self._turns.whose(self._watches, self._watched):
            if self._is_paused and name != FRESHNESS:  # which begins nothing but alerts
                continue
            with self._noting(name):
                for due in watch.due(now):
                    self._ticking.begin(self._watched[name], watch, due, now)
        with self._noting():
            self._ticking.work(now)
        if self._is_due("take over", self._turns.every_s(TAKE_OVER_S), now):
            self._turns.take()
            with self._noting():
                self._peers.look(now.running_s)
                self._ticking.take_over(self._watched, self._watches, self._carrying.__contains__, now)

    def _leave(self, on_stop: OnStop) -> None:
        """Leave to others, or to the next daemon, what has not begun."""
        with self._noting():
            self._carrying.leave_queued()
        with self._noting():
            self._ticking.leave()
        if on_stop is OnStop.CANCEL and not self._is_canceled:
            self._is_canceled = True
            self._pool.terminate()

    def _can_ask(self) -> bool:
        return self._location.is_free and len(self._pool.queued) < MOST_QUEUED

    def _ask(self, tick: Tick, timeout_s: float, now_s: float) -> int:
        """Ask about a tick, and return the number of the question."""
        if tick.name != MAINTENANCE:
            return self._location.ask(tick, timeout_s, now_s)
        self._own_answers.append(Answer(-1 - len(self._own_answers), ANSWER))
        return self._own_answers[-1].number

    def _take_in(self, now: Moment) -> None:
        """See what there is to watch, and what of it is on."""
        if self._is_due("switches", self._turns.every_s(SWITCHES_S), now):
            self._turns.take()
            with self._noting():
                self._switches = read_switches(self._store)
        if self._loads != self._location.loads:
            self._loads = self._location.loads
            own = () if self._parts.maintenance is None else (self._parts.maintenance,)
            found = self._location.watched or ()
            known, self._watched = self._watched, {each.name: each for each in (*found, *own)}
            for name in known:
                if self._watched.get(name) != known[name]:
                    self._watches.pop(name, None)
            more = ", and automation conditions" if CONDITIONS in self._watched else ""
            count = sum(not name.startswith("_") for name in self._watched)
            self._parts.tell(f"watching {count} schedules and sensors{more}")
            for problem in self._location.problems:
                self._parts.tell(f"not everything is loaded: {problem}")
        if (self._location.fault or "") != self._fault:
            self._fault = self._location.fault or ""
            if self._fault:
                self._parts.tell(f"the project cannot be loaded: {self._fault}")
        if self._parts.alerting is not None and (self._loads or self._fault):
            is_whole = not (self._fault or self._location.problems)
            has_policies = FRESHNESS in self._watched or not is_whole
            self._parts.alerting.hear_load(self._fault or None, now.now, has_policies=has_policies)
        for name, watched in self._watched.items():
            is_on = self._switches.get(name, watched.is_on)
            if is_on and name not in self._watches:
                self._watches[name] = watched.watch(self._store)
            elif not is_on and name in self._watches:
                del self._watches[name]
                with self._noting():
                    self._ticking.forget(name)

    def _say(self, now: Moment, *, stopped: bool = False) -> None:
        beat, alerting = self._beat, self._parts.alerting
        self._beat = Heartbeat(
            daemon_id=beat.daemon_id,
            host=beat.host,
            pid=beat.pid,
            born=beat.born,
            started_at=min(beat.started_at, now.now.isoformat()),
            beaten_at=now.now.isoformat(),
            count=beat.count + 1,
            stopped_at=now.now.isoformat() if stopped else None,
            facts={
                "watched": len(self._watched.keys() - {MAINTENANCE}),
                "on": len(self._watches.keys() - {MAINTENANCE}),
                "asked": len(self._ticking),
                "carried_out": len(self._carrying),
                "running": len(self._pool.running),
                "queued": len(self._pool.queued),
                "warm": self._pool.waiting,
                "lost_runs": self._carrying.lost_runs,
                "location_pid": self._location.pid,
                "is_paused": self._is_paused,
                "fault": self._fault or "; ".join(self._location.problems) or None,
                "failing": ", ".join(self._ticking.failing) or None,
                "alerts_waiting": None if alerting is None else alerting.waiting,
                "alerts_problem": None if alerting is None else alerting.problem,
            },
            watched=self._uptime.told(),
        )
        write_heartbeat(self._store, self._beat)
        if beat.count == 0:
            forget_heartbeats(self._store)

    def _is_due(self, what: str, every_s: float, now: Moment) -> bool:
        if now.running_s < self._next_s.get(what, 0.0):
            return False
        self._next_s[what] = now.running_s + every_s
        return True

    def _wait(self) -> None:
        wires: Sequence[connection.Connection] = self._location.wires
        if wires:
            connection.wait(wires, POLL_S)
        else:
            time.sleep(POLL_S)

    @contextmanager
    def _noting(self, name: str = "") -> Generator[None]:
        """Tell what is wrong with the lake or the machine, once; what was to be done is done when it is right again."""
        try:
            yield
        except (StorageError, OSError) as error:
            text = f"{name}: {error}" if name else str(error)
            if text != self._problem:
                self._problem = text
                self._parts.tell(text)
