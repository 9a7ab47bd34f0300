"""What people see of a run while it goes on."""

from __future__ import annotations

import pytest

from deltaworks.cli.bars import MANY, bars
from deltaworks.cli.progress import QUIET_S, Lines
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.execution import events
from deltaworks.engine.execution.pace import Pace
from deltaworks.io.asset_outcome import AssetOutcome

A, B = AssetKey("a"), AssetKey("b")


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().err.splitlines()


def committed(key: AssetKey, partitions: int, version: int = 1) -> events.PartitionsCommitted:
    return events.PartitionsCommitted(key, version, partitions, partitions * 2)


def test_lines_come_every_few_seconds_and_at_the_end_of_each_asset(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    lines = Lines(clock)
    going = AssetOutcome("a", 90, 50, failed=2, rate=12.3, left_s=3.1, current="a 2024-01-03")

    lines(events.RunStarted("r", {A: 90, B: 1}))
    for _ in range(20):
        lines(events.RunProgressed((going,)))
        lines(committed(A, 2))
    lines(committed(B, 1))

    assert printed(capsys) == [
        "run r: 91 partitions of 2 assets",
        "a: 2/90 committed (version 1: 4 rows)",
        "b: 1/1 committed (version 1: 2 rows)",
    ]
    clock.now_s += QUIET_S
    lines(events.RunProgressed((going, AssetOutcome("b", 1, 1))))
    lines(events.RunProgressed((going,)))
    lines(committed(A, 2, version=2))

    assert printed(capsys) == ["a 50/90 committed, 2 failed, 12/s, 3.1s left, now 2024-01-03"]


def test_of_many_assets_the_ends_are_not_told_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    keys = [AssetKey(f"t{number}") for number in range(100)]
    lines = Lines(Clock())

    lines(events.RunStarted("r", dict.fromkeys(keys, 1)))
    for key in keys:
        lines(committed(key, 1))
    lines(events.RunProgressed(tuple(AssetOutcome(str(key), 1, current=str(key)) for key in keys)))

    assert printed(capsys) == ["run r: 100 partitions of 100 assets", "t0: 1/1 committed (version 1: 2 rows)"]


def test_a_line_names_some_of_the_assets_that_are_made_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    lines = Lines(clock)
    lines(events.RunStarted("r", {A: 5}))
    clock.now_s += QUIET_S

    lines(events.RunProgressed(tuple(AssetOutcome(f"t{number}", 1, current=f"t{number}") for number in range(5))))

    some = "; ".join(f"t{number} 0/1 committed, now the whole table" for number in range(3))
    assert printed(capsys)[1:] == [f"{some}; and 2 more"]


def test_bars_show_rate_rest_what_is_lost_and_what_is_made_now(capsys: pytest.CaptureFixture[str]) -> None:
    with bars() as (tell, _):
        tell(events.RunStarted("r", {A: 90}))
        tell(committed(A, 50))
        tell(events.PartitionFailed(A, "2024-01-02", "no"))
        tell(events.RunProgressed((AssetOutcome("a", 90, 50, rate=0.5, left_s=80.0, current="a 2024-01-03"),)))

    run, bar = printed(capsys)
    assert run == "run r: 90 partitions of 1 asset"
    assert "50/90" in bar
    assert bar.endswith("30.0/min 1m 20s left 1 not made 2024-01-03")


def test_of_many_assets_those_have_a_bar_that_are_made_now(capsys: pytest.CaptureFixture[str]) -> None:
    keys = [AssetKey(f"t{number}") for number in range(MANY + 1)]
    with bars() as (tell, _):
        tell(events.RunStarted("r", dict.fromkeys(keys, 2)))
        tell(committed(keys[0], 2))
        tell(events.RunProgressed((AssetOutcome("t0", 2, 2), AssetOutcome("t7", 2, current="t7 x"))))

    names = [line.split()[0] for line in printed(capsys)]
    assert names == ["run", "all", "t7"]


def test_what_comes_again_and_again_is_told_twenty_times(capsys: pytest.CaptureFixture[str]) -> None:
    with bars() as (tell, _):
        for say in (Lines(), tell):
            for day in range(30):
                say(events.PartitionWarned(A, f"day {day}", ("n is odd",)))
                say(events.PartitionRetried(A, f"day {day}", f"a day {day}: no", 1.0))

    lines = [line for line in printed(capsys) if line]
    told = [line for line in lines if line.startswith(("warning: a day", "again in 1.0 s: a day"))]
    assert [line for line in lines if line not in told] == 2 * [
        "more warnings stand in the run's log: `deltaworks runs logs`",
        "more retries stand in the run's log: `deltaworks runs logs`",
    ]
    assert len(told) == 2 * 40


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (
            events.Stopping("paused by ann"),
            "stopping, paused by ann: what has begun is finished; Ctrl-C now ends at once",
        ),
        (
            events.Stopping("canceled by ann", is_urgent=True),
            "stopping, canceled by ann: what has begun has 2 s to end",
        ),
    ],
)
def test_who_stops_a_run_is_told_and_what_becomes_of_what_has_begun(
    event: events.Stopping, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Lines()(event)
    with bars() as (tell, _):
        tell(event)

    assert printed(capsys)[:2] == [line, line]


def test_a_pace_counts_from_the_first_call_to_the_last_one_that_gave_something() -> None:
    pace = Pace()

    pace.begin(1, "a 1", 10.0)
    pace.begin(2, "a 2..5", 10.0)
    assert (pace.rate, pace.current) == (None, "a 1")
    pace.end(1, staged=1, took_s=2.0, now_s=12.0)
    assert (pace.rate, pace.current) == (0.5, "a 2..5")
    pace.end(2, staged=3, took_s=4.0, now_s=14.0)
    pace.begin(3, "a 6", 20.0)
    pace.end(3, now_s=30.0)

    assert (pace.rate, pace.current, pace.calls, pace.calls_s) == (1.0, None, 2, 6.0)
