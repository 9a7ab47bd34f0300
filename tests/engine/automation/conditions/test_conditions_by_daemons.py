"""Daemons act on conditions: each partition that is asked for is made once, whoever dies when."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from deltalake import write_deltalake

from deltaworks.engine.automation.asking import Surroundings, ask
from deltaworks.engine.automation.condition_watch import WatchedConditions
from deltaworks.engine.automation.conditions.asking import AskedConditions
from deltaworks.engine.automation.daemon import OnStop, moment
from deltaworks.engine.automation.location_load import load_surroundings
from deltaworks.engine.automation.location_process import Answer
from deltaworks.engine.automation.peers import Peers
from deltaworks.engine.automation.ticking import Asker, Ticking
from deltaworks.engine.automation.watch import Moment
from deltaworks.engine.definitions.automation.tick import Tick
from deltaworks.engine.execution.observe import observe
from deltaworks.engine.planning.status import Status
from deltaworks.engine.workspace.project import Origin, load_project
from deltaworks.io.condition_notes import FOLDER, NAME
from deltaworks.io.heartbeats import Heartbeat, write_heartbeat
from deltaworks.io.ledger import read_runs
from deltaworks.io.process import Process
from deltaworks.io.ticks import TickEntry, open_ticks, read_ticks
from tests.acceptance.conftest import own_imports
from tests.campaign.recorder import Row, recorded
from tests.engine.automation.house import House

TABLES = """
from pathlib import Path
import polars as pl
import deltaworks as dw

days = dw.DailyPartitions(start="2026-01-01", end="2026-01-03")
eager = dw.AutomationCondition.eager()

def made(name, partition):
    with Path(__file__).with_name("effects.txt").open("a") as file:
        file.write(f"{name} {partition.key}\\n")
    return pl.LazyFrame({"day": [partition.start], "n": [1]})

@dw.asset(partitions=days, partition_by="day", automation=eager)
def a(partition: dw.Partition) -> pl.LazyFrame:
    return made("a", partition)

@dw.asset(partitions=days, partition_by="day", automation=eager)
def b(partition: dw.Partition) -> pl.LazyFrame:
    return made("b", partition)

@dw.asset(partitions=days, partition_by="day", automation=eager)
def c(partition: dw.Partition) -> pl.LazyFrame:
    return made("c", partition)

@dw.asset(partitions=days, partition_by="day", automation=eager)
def below(c: pl.LazyFrame, partition: dw.Partition) -> pl.LazyFrame:
    return made("below", partition)
"""

ONCE = sorted(f"{name} 2026-01-0{day}" for name in ("a", "b", "c", "below") for day in (1, 2))

DIES = """
import datetime as dt, os, sys
from dataclasses import replace
from pathlib import Path
from deltaworks.engine.automation.conditions.asked_run import decide_asked, find_asked
from deltaworks.engine.automation.launches import Launch, begin_launch
from deltaworks.engine.execution.attempt import begin_attempt
from deltaworks.engine.workspace.project import Origin, load_project
from deltaworks.io.ledger import write_run
from deltaworks.io.run_entry import RunStatus

file, lake, name, tick_id, run_id, begins = sys.argv[1:]
now = dt.datetime.now(dt.UTC)
project = load_project(Origin(file=Path(file), lake=lake), {}, now)
store = project.store
assert begin_launch(store, Launch(name, tick_id, run_id, 1), now.date(), now.date())
if begins == "entry":
    tick = f"{name}/{tick_id}"
    entry = replace(begin_attempt(store, run_id, "a test", now), tick=tick)
    decide_asked(project.graph, store, find_asked(store, tick, run_id), entry)
    write_run(store, replace(entry, status=RunStatus.QUEUED))
os._exit(9)
"""
"""A process of a run that dies after its launch claim, or before its ticket."""


class Home(House):
    """A project, its lake, and daemons on a clock that goes."""

    def clock(self) -> Moment:
        return moment()

    def effects(self) -> list[str]:
        file = self.folder / "effects.txt"
        return sorted(file.read_text().splitlines()) if file.exists() else []

    def is_quiet(self) -> bool:
        """Whether the last tick found nothing, and nothing is left to carry out."""
        last = self.tick(NAME)
        return last is not None and not last.is_decided and not open_ticks(self.store)

    def is_fresh(self) -> bool:
        """Whether conditions would ask for nothing."""
        with own_imports(self.folder):
            project = load_project(
                Origin(file=self.folder / "tables.py", lake=str(self.folder / "lake")), {}, moment().now
            )
        status = observe(project.graph, project.store).status
        return all(each.count(Status.STALE) + each.count(Status.MISSING) == 0 for each in status.values())

    def asked(self) -> list[tuple[str, ...]]:
        """Which assets the ticks asked for, run by run."""
        ticks = reversed(read_ticks(self.store, NAME))
        return [tuple(each.assets) for tick in ticks for each in tick.requests]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path, "")
    (tmp_path / "tables.py").write_text(TABLES)
    yield home
    for daemon in home.daemons:
        daemon.close()


class Mortal:
    """What a daemon does with a tick of conditions, step by step, until it dies."""

    def __init__(self, home: Home, name: str, around: Surroundings) -> None:
        self.home, self.name = home, name
        self.around = replace(around, conditions=AskedConditions(around.definitions, around.store))
        self.answers: list[Answer] = []
        self.carried: list[TickEntry] = []
        (self.watched,) = WatchedConditions.of(around.definitions)
        self.watch = self.watched.watch(home.store)
        asker = Asker(lambda: True, self.ask)
        self.peers = Peers(home.store, name)
        self.ticking = Ticking(home.store, name, self.peers, asker, self.carried.append, home.told.append)

    def ask(self, tick: Tick, timeout_s: float, now_s: float) -> int:
        self.answers.append(Answer(1, ask(self.around, tick)))
        return 1

    def begin(self) -> None:
        """Claim what is due, and have it answered: what conditions remember is put."""
        for due in self.watch.due(moment()):
            self.ticking.begin(self.watched, self.watch, due, moment())

    def take_over(self) -> None:
        """Begin with what those have left that are gone."""
        self.peers.look(moment().running_s)
        self.ticking.take_over({NAME: self.watched}, {NAME: self.watch}, lambda _: False, moment())

    def hear(self) -> None:
        """Decide."""
        self.ticking.hear(self.answers.pop(), {NAME: self.watch}, moment())

    def die(self) -> None:
        at, here = moment().now.isoformat(), Process.current()
        write_heartbeat(self.home.store, Heartbeat(self.name, here.host, here.pid, at, at, stopped_at=at))


def around_of(home: Home) -> Surroundings:
    with own_imports(home.folder):
        return load_surroundings(Origin(file=home.folder / "tables.py", lake=str(home.folder / "lake")))


def test_whenever_a_daemon_or_a_run_dies_each_partition_is_made_once(home: Home) -> None:
    around = around_of(home)
    first, second = Mortal(home, "first", around), Mortal(home, "second", around)
    first.begin()
    memories = list(home.store.list(FOLDER))
    first.die()  # after it has put what conditions remember
    second.take_over()
    second.hear()
    (decided,) = second.carried
    second.die()  # after the decision
    runs = {next(iter(each.assets)): each.run_id for each in decided.requests}
    assert (len(memories), sorted(runs)) == (1, ["a", "b", "c"])
    for name, begins in (("a", "launch"), ("b", "entry")):
        lake, file = str(home.folder / "lake"), str(home.folder / "tables.py")
        arguments = [sys.executable, "-c", DIES, file, lake, NAME, decided.tick_id, runs[name], begins]
        assert subprocess.run(arguments, check=False, env=dict(os.environ)).returncode == 9

    heir = home.daemon()
    home.work_until(heir, lambda: home.effects() == ONCE and home.is_quiet())
    heir.stop(OnStop.WAIT)
    heir.run()

    assert home.asked() == [("a",), ("b",), ("c", "below")]
    assert {run.run_id: run.status.value for run in read_runs(home.store)} == dict.fromkeys(runs.values(), "success")
    assert [run.tick for run in read_runs(home.store)] == [f"{NAME}/{decided.tick_id}"] * 3
    assert "a: run" not in " ".join(home.told)


WATCHED = TABLES.replace(
    '@dw.asset(partitions=days, partition_by="day", automation=eager)\ndef a(partition',
    """theirs = dw.external_asset("theirs", uri="theirs", partitions=days, partition_by="day")

@dw.asset(partitions=days, partition_by="day", automation=eager)
def a(theirs: pl.LazyFrame, partition""",
)


@pytest.mark.soak
def test_daemons_that_are_killed_at_random_make_what_is_asked_for_once(home: Home) -> None:
    with recorded("kill -9 of daemons with conditions") as row:
        kill_daemons(home, row)


def kill_daemons(home: Home, row: Row) -> None:
    drawn = row.chance
    (home.folder / "tables.py").write_text(WATCHED)
    theirs, lake = str(home.folder / "theirs"), str(home.folder / "lake")
    command = [sys.executable, "-m", "deltaworks", "daemon", "-f", "tables.py", "--lake", lake]

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, cwd=home.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    daemons = [start() for _ in range(3)]
    for number in range(30):
        day = dt.date(2026, 1, drawn.choice([1, 2]))
        write_deltalake(theirs, pl.DataFrame({"day": [day], "n": [number]}), mode="append", partition_by=["day"])
        time.sleep(drawn.uniform(0.0, 4.0))
        place = drawn.randrange(3)
        daemons[place].kill()
        daemons[place].wait()
        row.tried += 1
        daemons[place] = start()
    deadline_s = time.monotonic() + 300
    while not home.is_fresh() or open_ticks(home.store):
        assert time.monotonic() < deadline_s
        time.sleep(0.5)
    for each in daemons:
        each.terminate()
        each.wait()

    asked = [
        f"{asset} 2026-01-0{day}"
        for tick in read_ticks(home.store, NAME)
        for each in tick.requests
        for asset, ends in each.assets.items()
        for first, last in ends
        for day in range(int(first[-1]), int(last[-1]) + 1)
    ]
    assert home.effects() == sorted(asked)
    row.survived = row.tried
