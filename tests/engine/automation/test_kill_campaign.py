"""Three daemons on one lake are killed at random, and some sleep past their lease: each tick has its effect once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from deltaworks.io.failpoints import VARIABLE, Step
from deltaworks.io.heartbeats import FOLDER
from deltaworks.io.marks import Mark, advance_mark
from deltaworks.io.store import Store
from deltaworks.io.ticks import TickOutcome, instant_id, open_ticks, read_ticks
from tests.campaign.checker import Verdict
from tests.campaign.recorder import recorded
from tests.engine.automation.campaign import BEGIN, DIED, EFFECTS, MINUTE, NAME

SCRIPT = Path(__file__).with_name("campaign.py")


class Campaign:
    """Three daemons, and somebody who kills them."""

    def __init__(self, lake: Path, chance: random.Random, ticks: int, failpoints: str = "") -> None:
        self.lake, self.random, self.ticks, self.failpoints = lake, chance, ticks, failpoints
        self.store = Store.at(str(lake), durable=False)
        advance_mark(self.store, NAME, Mark(instant_id(BEGIN)))
        self.begun_s = time.clock_gettime(time.CLOCK_MONOTONIC)
        self.daemons = [self.start()]
        if failpoints:
            self.wait_for_death()
        self.daemons += [self.start() for _ in range(2)]

    def start(self) -> subprocess.Popen[bytes]:
        with (self.lake / "told.txt").open("ab") as told:
            arguments = [sys.executable, str(SCRIPT), "daemon", str(self.lake), str(self.begun_s), str(self.ticks)]
            environ, self.failpoints = {**os.environ, VARIABLE: self.failpoints}, ""  # the first one gets them
            return subprocess.Popen(arguments, stdout=told, stderr=told, env=environ)

    def wait_for_death(self) -> None:
        """Wait until the first daemon has died by itself, or a process of its pool."""
        deadline_s = time.monotonic() + 120
        while self.daemons[0].poll() is None and not (self.lake / DIED).exists():
            assert time.monotonic() < deadline_s, "it came to that step"
            time.sleep(0.05)

    def kill(self) -> None:
        """Kill a daemon at some moment after its first heartbeat, and start another in its place."""
        place = self.random.randrange(3)
        beat = self.lake / FOLDER / f"d{self.daemons[place].pid}.json"
        while not beat.exists() and self.daemons[place].poll() is None:
            time.sleep(0.02)
        time.sleep(self.random.uniform(0.0, 0.6))
        self.daemons[place].kill()
        self.daemons[place].wait()
        self.daemons[place] = self.start()

    def hold_up(self, seconds: float) -> None:
        """Let a daemon sleep, so that others take it for dead, and wake it up again."""
        sleeper = self.random.choice(self.daemons)
        sleeper.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        sleeper.send_signal(signal.SIGCONT)

    def effects(self) -> list[str]:
        file = self.lake / EFFECTS
        return sorted(file.read_text().split()) if file.exists() else []

    def end(self) -> None:
        """Wait until nothing is left to do, or until nothing has happened for long, and stop."""
        done, since_s = -1, time.monotonic()
        while len(self.effects()) < self.ticks or open_ticks(self.store):
            if len(self.effects()) != done:
                done, since_s = len(self.effects()), time.monotonic()
            if time.monotonic() - since_s > 60:
                break
            time.sleep(0.1)
        for each in self.daemons:
            each.kill()
            each.wait()

    def verdict(self) -> Verdict:
        """Count the ticks that had no effect, and those that had it twice."""
        expected = Counter(instant_id(BEGIN + number * MINUTE) for number in range(1, self.ticks + 1))
        found = Counter(self.effects())
        lost, doubled = expected - found, found - expected
        return Verdict(lost.total(), doubled.total(), told=[*lost, *doubled])

    def assert_each_once(self) -> None:
        expected = [instant_id(BEGIN + number * MINUTE) for number in range(1, self.ticks + 1)]
        ticks = read_ticks(self.store, NAME)

        assert self.effects() == expected
        assert [tick.tick_id for tick in reversed(ticks)] == expected
        assert {tick.outcome for tick in ticks} == {TickOutcome.STARTED}
        assert open_ticks(self.store) == []


def test_eight_kills_neither_lose_a_tick_nor_double_one(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path, random.Random(20), ticks=12)

    for _ in range(8):
        campaign.kill()
    campaign.end()

    campaign.assert_each_once()


@pytest.mark.soak
def test_three_hundred_kills_and_sleepers_neither_lose_a_tick_nor_double_one(tmp_path: Path) -> None:
    with recorded("kill -9 of daemons") as row:
        campaign = Campaign(tmp_path, row.chance, ticks=1000)
        for number in range(300):
            campaign.kill()
            row.tried += 1
            if number % 10 == 0:
                campaign.hold_up(2.5)
        campaign.end()

        row.count(campaign.verdict(), times=0)
        campaign.assert_each_once()
        row.survived, row.note = row.tried, f"{campaign.ticks:,} ticks, and 30 daemons that slept past their lease"


@pytest.mark.soak
def test_a_daemon_that_dies_at_any_step_neither_loses_a_tick_nor_doubles_one(tmp_path: Path) -> None:
    with recorded("kill at every failpoint of a tick") as row:
        for step in (step for step in Step if step.startswith(("tick.", "launch."))):
            for number in (1, 2, 3):
                lake = tmp_path / f"{step}-{number}"
                lake.mkdir()
                campaign = Campaign(lake, row.chance, ticks=6, failpoints=f"{step}=kill@{number}")
                campaign.end()
                row.count(campaign.verdict())
                campaign.assert_each_once()
