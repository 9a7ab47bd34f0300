"""Whenever daemons work, sleep and die, and however the clock is turned, each tick has its effect once.

No process, no thread and no clock takes part: Hypothesis decides what happens next, finds the shortest way to whatever
goes wrong, and prints what repeats it.
"""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from deltaworks.engine.automation.watch import Moment
from deltaworks.io.failpoints import Step
from deltaworks.io.marks import Mark, advance_mark
from deltaworks.io.store import Store
from deltaworks.io.ticks import TickOutcome, instant_id, open_ticks, read_ticks
from tests.campaign.recorder import recorded
from tests.campaign.simulated import BEGIN, EVERY, LEASE_S, NAME, End, Process, SimulatedDaemon
from tests.exactness.failing_store import METHODS
from tests.exactness.failing_store import Moment as When

deaths = st.one_of(
    st.builds(
        End, st.sampled_from([step for step in Step if step.startswith("tick.")]), st.just(""), st.integers(1, 4),
        st.just(When.BEFORE),
    ),
    st.builds(End, st.none(), st.sampled_from(METHODS), st.integers(1, 9), st.sampled_from(When)),
)  # fmt: skip
places = st.integers(0, 2)


class DaemonMachine(RuleBasedStateMachine):
    """Three daemons at a time, on one lake."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.lake = Path(self.folder.name)
        self.store = Store(self.lake, durable=False)
        advance_mark(self.store, NAME, Mark(instant_id(BEGIN)))
        self.now = self.latest = BEGIN
        self.running_s, self.born, self.effects = 0.0, 0, list[str]()
        self.processes: list[Process] = []
        self.daemons = [self.bear() for _ in range(3)]

    def bear(self) -> SimulatedDaemon:
        self.born += 1
        return SimulatedDaemon(self.lake, self.born, self.processes)

    @rule(place=places)
    def work(self, place: int) -> None:
        self.latest = max(self.latest, self.now)
        assert self.daemons[place].round(Moment(self.now, self.running_s))

    @rule(place=places, death=deaths)
    def die(self, place: int, death: End) -> None:
        self.latest = max(self.latest, self.now)
        if not self.daemons[place].round(Moment(self.now, self.running_s), death):
            event(f"died at {death.step or death.method}")
            self.daemons[place] = self.bear()

    @rule(count=st.integers(1, 5))
    def processes_go_on(self, count: int) -> None:
        for each in [each for each in self.processes if not each.ended][:count]:
            each.go_on(self.store, self.effects)

    @rule(seconds=st.sampled_from([0.4, 1.1, 6.0, LEASE_S + 1, 601.0, 1801.0]))
    def time_passes(self, seconds: float) -> None:
        self.running_s += seconds
        self.now += dt.timedelta(seconds=seconds)

    @rule(minutes=st.integers(-90, 90))
    def the_clock_is_turned(self, minutes: int) -> None:
        self.now = max(BEGIN, self.now + dt.timedelta(minutes=minutes))

    def teardown(self) -> None:
        with self.folder:
            self.now, heir = self.latest, self.bear()
            for _ in range(200):
                self.running_s += LEASE_S / 2
                assert heir.round(Moment(self.now, self.running_s))
                self.processes_go_on(100)
                if len(self.effects) >= len(self.due()) and not open_ticks(self.store):
                    break
            assert sorted(self.effects) == self.due()
            ticks = read_ticks(self.store, NAME)
            assert [tick.tick_id for tick in reversed(ticks)] == self.due()
            assert {tick.outcome for tick in ticks} <= {TickOutcome.STARTED}
            assert open_ticks(self.store) == []

    def due(self) -> list[str]:
        """The ticks that daemons have come to."""
        return [instant_id(BEGIN + number * EVERY) for number in range(1, (self.latest - BEGIN) // EVERY + 1)]


def _check(examples: int, *, is_soak: bool) -> int:
    machines = 0

    def machine() -> DaemonMachine:
        nonlocal machines
        machines += 1
        return DaemonMachine()

    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=40,
            deadline=None,
            derandomize=not is_soak,
            print_blob=True,
            phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        ),
    )
    return machines


def test_each_tick_has_its_effect_once_whatever_happens() -> None:
    assert _check(10, is_soak=False) > 0


@pytest.mark.soak
def test_each_tick_has_its_effect_once_for_long() -> None:
    with recorded("simulated daemons") as row:
        row.tried = row.survived = _check(3_000, is_soak=True)
