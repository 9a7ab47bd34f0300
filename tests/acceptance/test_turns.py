"""Runs that share something take turns: partitions, pools and the queue; what a dead one held comes free by itself."""

from __future__ import annotations

import json
import signal
from contextlib import ExitStack
from functools import partial

import pytest

from tests.acceptance.conftest import Here, Project
from tests.acceptance.running import PATIENCE_S, of_module, reached, release, runs, started, wait_until

CLAIMS = "_deltaworks/claims"

SLOW = """
@dw.asset(partitions=days, partition_by="day")
def slow(partition: dw.Partition) -> LazyFrame[Row]:
    with (HERE / "calls").open("a") as calls:
        calls.write(partition.key + "\\n")
    if partition.key == "2024-01-03":
        hold("third")
    return rows(partition)

@dw.asset(partitions=days, partition_by="day")
def after(slow: LazyFrame[Row]) -> LazyFrame[Row]:
    return slow
"""


@pytest.fixture
def project(here: Here) -> Project:
    """Worked on in this process, beside those that the stories start."""
    return here


def calls(project: Project) -> list[str]:
    return (project.folder / "calls").read_text().split()


def queued(project: Project, count: int = 1) -> bool:
    return sum(run["waits_for"] is not None for run in runs(project)) == count


def test_partitions_that_another_run_makes_are_waited_for_and_not_made_again(project: Project) -> None:
    of_module(project, SLOW)
    with started(project, "backfill", "--json") as first:
        reached(project, "third")
        with started(project, "backfill", "--json") as second:
            wait_until(lambda: queued(project), "the second run's entry")
            (waiting,) = [run for run in runs(project) if run["status"] == "queued"]
            beside = project.run("backfill", "slow", "--partition", "2024-01-01", "--only", "external", "--json")
            release(project, "third")
            said = [json.loads(process.communicate(timeout=PATIENCE_S)[0]) for process in (first, second)]

    assert beside.code == 0, "what makes nothing waits for nobody"
    assert waiting["waits_for"] == f"others that make the same partitions: {said[0]['run_id']}"
    assert [each["status"] for each in said] == ["success", "success"]
    assert [each["totals"]["materialized"] for each in said] == [20, 0]
    assert said[1]["totals"]["skipped"] == len(said[1]["made_by_others"]) > 0
    assert {each["by"] for each in said[1]["made_by_others"]} == {f"run {said[0]['run_id']}"}
    assert len(calls(project)) == 10
    assert not list((project.lake / CLAIMS / "work").iterdir())


def test_materialize_takes_what_was_made_while_it_waited(project: Project) -> None:
    of_module(project, SLOW)
    with started(project, "materialize", "slow", "--json") as first:
        reached(project, "third")
        with started(project, "materialize", "slow", "--partition", "2024-01-03", "--json") as second:
            wait_until(lambda: queued(project), "the second run's entry")
            release(project, "third")
            said = [json.loads(process.communicate(timeout=PATIENCE_S)[0]) for process in (first, second)]

    assert [each["totals"]["materialized"] for each in said] == [10, 0]
    assert said[1]["status"] == "success"


def test_a_run_that_died_holds_nobody_up_and_what_it_left_is_made(project: Project) -> None:
    of_module(project, SLOW)
    with started(project, "backfill", "--workers", "1") as first:
        reached(project, "third")
        first.send_signal(signal.SIGKILL)
        first.wait(PATIENCE_S)
    release(project, "third")

    done = project.run("backfill", "--json").json

    assert (done["status"], done["totals"]["skipped"]) == ("success", 0)


def test_a_run_that_waits_can_be_canceled(project: Project) -> None:
    of_module(project, SLOW)
    with started(project, "backfill") as first:
        reached(project, "third")
        with started(project, "backfill", "--json") as second:
            wait_until(lambda: queued(project), "the second run's entry")
            (waiting,) = [run["run_id"] for run in runs(project) if run["status"] == "queued"]
            assert project.run("runs", "cancel", waiting, "--json").json["status"] == "canceled"
            out, _ = second.communicate(timeout=PATIENCE_S)
        release(project, "third")
        first.communicate(timeout=PATIENCE_S)
    again = project.run("runs", "retry", waiting, "--json").json

    assert (second.returncode, json.loads(out)["status"], first.returncode) == (1, "canceled", 0)
    assert (again["status"], again["totals"]["materialized"]) == ("success", 0), "it can go on; others have made all"


POOLED = """
@dw.asset(partitions=days, partition_by="day", pool="warehouse")
def pooled(partition: dw.Partition) -> LazyFrame[Row]:
    mark = HERE / "inside" / f"{os.getpid()}-{partition.key}"
    mark.parent.mkdir(exist_ok=True)
    mark.touch()
    time.sleep(0.1)
    with (HERE / "counts").open("a") as counts:
        counts.write(f"{len(list(mark.parent.iterdir()))}\\n")
    mark.unlink()
    return rows(partition)
"""


def test_of_a_pool_only_so_many_calls_run_in_all_processes_together(project: Project) -> None:
    of_module(project, POOLED, "[pools]\nwarehouse = 2\n")

    with ExitStack() as stack:
        halves = (("2024-01-01", "2024-01-05"), ("2024-01-06", "2024-01-10"))
        commands = [("backfill", "--from", first, "--to", last, "--workers", "3", "--json") for first, last in halves]
        processes = [stack.enter_context(started(project, *command)) for command in commands]
        said = [json.loads(process.communicate(timeout=PATIENCE_S)[0]) for process in processes]

    assert [each["status"] for each in said] == ["success", "success"]
    counts = [int(count) for count in (project.folder / "counts").read_text().split()]
    assert len(counts) == 10
    assert max(counts) == 2
    assert not list((project.lake / CLAIMS / "pools").rglob("*.json"))


def test_a_place_in_a_pool_that_a_dead_run_had_comes_free(project: Project) -> None:
    of_module(project, POOLED.replace("    time.sleep(0.1)\n", '    hold("first")\n'))
    with started(project, "backfill", "--workers", "1") as first:
        reached(project, "first")
        first.send_signal(signal.SIGKILL)
        first.wait(PATIENCE_S)
    assert list((project.lake / CLAIMS / "pools").rglob("*.json"))
    release(project, "first")

    assert project.run("backfill", "--json").json["totals"]["materialized"] == 10


def test_the_queue_lets_so_many_runs_go_and_the_urgent_ones_first(project: Project) -> None:
    of_module(project, SLOW, "[queue]\nmax_runs = 1\n")
    with ExitStack() as stack:
        first = stack.enter_context(started(project, "backfill", "slow", "--partition", "2024-01-03"))
        reached(project, "third")
        later = []
        for priority, day in ((0, "2024-01-01"), (5, "2024-01-02")):
            command = ("backfill", "slow", "--partition", day, "--priority", str(priority), "--json")
            later.append(stack.enter_context(started(project, *command)))
            wait_until(partial(queued, project, len(later)), "the wait of one more")
        release(project, "third")
        said = [process.communicate(timeout=PATIENCE_S)[0] for process in later]
        first.communicate(timeout=PATIENCE_S)

    assert [json.loads(out)["status"] for out in said] == ["success", "success"]
    assert calls(project) == ["2024-01-03", "2024-01-02", "2024-01-01"]


def test_a_limit_of_a_tag_holds_only_runs_with_it(project: Project) -> None:
    of_module(project, SLOW, '[queue.tags]\n"team" = 1\n')
    with started(project, "backfill", "slow", "--partition", "2024-01-03", "--tag", "team=ops") as first:
        reached(project, "third")
        beside = project.run("backfill", "slow", "--partition", "2024-01-01", "--tag", "kind=light", "--json")
        command = ("backfill", "slow", "--partition", "2024-01-02", "--tag", "team=web", "--json")
        with started(project, *command) as second:
            wait_until(lambda: queued(project), "the run with the same tag")
            release(project, "third")
            out, _ = second.communicate(timeout=PATIENCE_S)
        first.communicate(timeout=PATIENCE_S)

    assert beside.json["totals"]["materialized"] == 1
    assert json.loads(out)["totals"]["materialized"] == 1
    assert {tuple(run["tags"]) for run in runs(project)} == {("team=ops",), ("kind=light",), ("team=web",)}


def test_a_tag_that_is_none_is_refused(project: Project) -> None:
    refused = of_module(project, SLOW).run("backfill", "--tag", "team")

    assert (refused.code, refused.sentence) == (2, "--tag 'team' is no tag; write --tag KEY=VALUE.")
