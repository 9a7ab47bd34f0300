"""A run that dies is seen as lost at once, one that is asked to stop stops, and what was committed stays."""

from __future__ import annotations

import signal

import pytest

from tests.acceptance.conftest import Here, Project
from tests.acceptance.running import PATIENCE_S, of_module, reached, release, runs, started, wait_until

HOLDING = """
@dw.asset(partitions=days, partition_by="day")
def slow(partition: dw.Partition) -> LazyFrame[Row]:
    if partition.key == "2024-01-05":
        hold("fifth")
    return rows(partition)
"""


@pytest.fixture
def project(here: Here) -> Project:
    """Worked on in this process, beside those that the stories start."""
    return here


def made(project: Project) -> tuple[int, int, int]:
    found = project.status()["slow"]["partitions"]
    return found["fresh"], found["missing"], found["failed"]


def committed(project: Project, count: int) -> None:
    log = project.lake / "slow" / "_delta_log"
    wait_until(lambda: log.exists() and len(list(log.glob("*.json"))) >= count + 1, f"{count} commits")


def test_a_killed_run_is_lost_at_once_and_the_next_one_goes_on(project: Project) -> None:
    of_module(project, HOLDING)
    with started(project, "backfill", "--workers", "1") as process:
        committed(project, 1)
        (running,) = runs(project)
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE_S)

    (lost,) = runs(project)
    facts = project.run("runs", "show").out

    assert (running["status"], running["pid"], lost["status"]) == ("running", process.pid, "lost")
    assert "lost" in facts
    assert made(project) == (4, 6, 0)
    release(project, "fifth")
    assert project.run("backfill", "--json").json["totals"]["materialized"] == 6
    assert [each["status"] for each in runs(project)] == ["success", "lost"]


@pytest.mark.parametrize("by", ["runs cancel", "SIGTERM"])
def test_a_canceled_run_ends_though_a_call_hangs_and_keeps_what_it_committed(project: Project, by: str) -> None:
    of_module(project, HOLDING)
    with started(project, "backfill", "--workers", "1", "--json") as process:
        committed(project, 1)
        reached(project, "fifth")
        if by == "SIGTERM":
            process.send_signal(signal.SIGTERM)
        else:
            asked = project.run("runs", "cancel", "latest", "--json")
            assert (asked.code, asked.json["status"]) == (0, "canceled")
        out, err = process.communicate(timeout=PATIENCE_S)

    assert process.returncode == 1
    assert '"status": "canceled"' in out
    assert "Traceback" not in err
    (run,) = runs(project)
    assert (run["status"], run["totals"]["materialized"]) == ("canceled", 4)
    assert run["reason"].startswith("canceled by ")
    assert made(project) == (4, 6, 0)
    assert not list((project.lake / "_deltaworks" / "claims").rglob("*.json"))


def test_a_paused_run_finishes_what_it_has_begun(project: Project) -> None:
    of_module(project, HOLDING)
    with started(project, "backfill", "--workers", "1", "--json") as process:
        reached(project, "fifth")
        asked = project.run("runs", "pause", "latest", "--no-wait", "--json").json
        assert process.stderr is not None
        while "stopping" not in process.stderr.readline():
            assert process.poll() is None
        release(project, "fifth")
        process.communicate(timeout=PATIENCE_S)

    (run,) = runs(project)
    assert asked["status"] == "running"
    assert (run["status"], run["reason"].split(" by ")[0]) == ("canceled", "paused")
    fresh, missing, failed = made(project)
    assert 5 <= fresh < 10, "the fifth day was finished"
    assert (missing, failed) == (10 - fresh, 0)


@pytest.mark.parametrize(("verb", "done"), [("cancel", "canceled"), ("pause", "paused")])
def test_a_run_that_is_over_cannot_be_stopped(project: Project, verb: str, done: str) -> None:
    of_module(project, HOLDING)
    release(project, "fifth")
    run_id = project.run("backfill", "--json").json["run_id"]

    refused = project.run("runs", verb, run_id)

    assert refused.code == 2
    assert refused.sentence == f"Run {run_id} cannot be {done}: it has ended as success."
