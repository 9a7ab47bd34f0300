"""A daemon of the kill campaign, and a run of it: what `deltaworks daemon` does, on a clock that hurries.

As `daemon LAKE BEGUN_S TICKS` it claims, decides and carries out the ticks of a schedule that is due every minute of a
clock that goes `HURRY` times as fast and stops after so many ticks. As `run LAKE` it is one of the processes of its
pool: it begins a run as the daemon's own processes do, and adds a line to a file, so that a run that is carried out
twice is seen.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
import time
from itertools import count
from pathlib import Path

HURRY = 120.0
BEGIN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)
LEASE_S = 1.5
NAME = "minutely"
EFFECTS = "effects.txt"
DIED = "died"
"""There as soon as a process has begun that is to die; no other one does."""


def daemon(lake: str, begun_s: float, ticks: int) -> None:
    from deltaworks.engine.automation.carrying import Carrying
    from deltaworks.engine.automation.evaluation import Evaluation
    from deltaworks.engine.automation.location_process import Answer
    from deltaworks.engine.automation.peers import Peers
    from deltaworks.engine.automation.run_pool import RunPool
    from deltaworks.engine.automation.schedule_watch import WatchedSchedule
    from deltaworks.engine.automation.ticking import Asker, Ticking
    from deltaworks.engine.automation.watch import Moment
    from deltaworks.engine.definitions.automation.run_request import RunRequest
    from deltaworks.engine.definitions.automation.schedule import CatchUp
    from deltaworks.engine.definitions.automation.tick import Tick
    from deltaworks.engine.definitions.partitions.cron import Cron
    from deltaworks.io.heartbeats import Heartbeat, write_heartbeat
    from deltaworks.io.process import Process
    from deltaworks.io.store import Store

    store = Store.at(lake, durable=False)
    here = Process.current()
    own = f"d{here.pid}"
    answers: list[Answer] = []
    numbers = count()

    def ask(tick: Tick, timeout_s: float, now_s: float) -> int:
        answers.append(Answer(next(numbers), Evaluation((RunRequest(job="effect"),))))
        return answers[-1].number

    watched = WatchedSchedule(NAME, (Cron("* * * * *"),), "UTC", CatchUp.ALL, 100_000, True, 60.0)
    pool = RunPool([sys.executable, __file__, "run", lake], os.environ, most=2, warm=0)
    carrying = Carrying(store, pool, print)
    peers = Peers(store, own, LEASE_S)
    ticking = Ticking(store, own, peers, Asker(lambda: True, ask), carrying.take, print)
    watch = watched.watch(store)
    for beat in count():
        now_s = time.clock_gettime(time.CLOCK_MONOTONIC)
        now = Moment(BEGIN + min(dt.timedelta(seconds=(now_s - begun_s) * HURRY), ticks * MINUTE), now_s)
        at = now.now.isoformat()
        write_heartbeat(store, Heartbeat(own, here.host, here.pid, at, at, beat, here.born))
        for due in watch.due(now):
            ticking.begin(watched, watch, due, now)
        while answers:
            ticking.hear(answers.pop(0), {NAME: watch}, now)
        ticking.work(now)
        peers.look(now.running_s)
        ticking.take_over({NAME: watched}, {NAME: watch}, carrying.__contains__, now)
        carrying.work(now)
        for ended in pool.poll():
            carrying.ended(ended)
        pool.start(now.running_s)
        time.sleep(0.05)


def run(lake: str) -> None:
    asked = os.environ.pop("DELTAWORKS_FAILPOINTS", "")
    if asked.startswith("launch.") and not (Path(lake) / DIED).exists():
        (Path(lake) / DIED).touch()
        os.environ["DELTAWORKS_FAILPOINTS"] = asked.partition("@")[0]  # each process comes there once

    from deltaworks.engine.automation.launches import Launch, begin_launch
    from deltaworks.io.ledger import write_run
    from deltaworks.io.run_entry import RunEntry, RunStatus
    from deltaworks.io.store import Store

    order = json.loads(sys.stdin.readline())
    store, since = Store.at(lake, durable=False), dt.date.fromisoformat(order["since"])
    launch = Launch(**order["launch"])
    if not begin_launch(store, launch, since, since):
        return
    with (Path(lake) / EFFECTS).open("a") as file:
        file.write(f"{launch.tick_id}\n")
    at = dt.datetime.combine(since, dt.time(), dt.UTC).isoformat()
    write_run(store, RunEntry(launch.run_id, RunStatus.SUCCESS, "effect", at, at))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["daemon", lake, begun_s, ticks]:
            daemon(lake, float(begun_s), int(ticks))
        case ["run", lake]:
            run(lake)
