"""A run that failed goes on where it stopped, with what it read then; what it has committed is not made again."""

from __future__ import annotations

import json
import os
import shutil
import signal
from typing import Any

import polars as pl
import pytest
from deltalake import write_deltalake

from deltaworks.io.stop_request import StopKind, StopRequest, ask_to_stop
from deltaworks.io.store import Store
from tests.acceptance.conftest import Here, Project
from tests.acceptance.running import PATIENCE_S, of_module, reached, runs, started, wait_until

TABLES = """
@dw.asset(partitions=days, partition_by="day")
def base(partition: dw.Partition) -> LazyFrame[Row]:
    return pl.LazyFrame({"day": [partition.start], "n": [int((HERE / "number").read_text())]})

@dw.asset(partitions=days, partition_by="day")
def middle(base: LazyFrame[Row], partition: dw.Partition) -> LazyFrame[Row]:
    if partition.key in (HERE / "broken").read_text().split():
        raise ValueError("broken")
    with (HERE / "calls").open("a") as calls:
        calls.write(partition.key + "\\n")
    return base

@dw.asset(partitions=days, partition_by="day")
def top(middle: LazyFrame[Row]) -> LazyFrame[Row]:
    return middle
"""

ALL = [f"2024-01-{day:02}" for day in range(1, 11)]


@pytest.fixture
def project(here: Here) -> Project:
    """Worked on in this process, beside those that the stories start."""
    return here


def prepared(project: Project, broken: str) -> Project:
    """A project whose base is made, and of which some days of middle are broken."""
    of_module(project, TABLES)
    project.write("number", "1")
    project.write("broken", broken)
    assert project.run("backfill", "base").code == 0
    return project


def numbers(project: Project, table: str) -> dict[str, int]:
    df = pl.read_delta(str(project.lake / table)).sort("day").with_columns(pl.col("day").dt.to_string("%Y-%m-%d"))
    return dict(df.select("day", "n").iter_rows())


def writers(project: Project, table: str) -> list[str]:
    """The run of each commit that made something."""
    history: list[dict[str, Any]] = project.run("history", table, "--json").json
    return [each["run_id"] for each in history if each["partitions"]["count"]]


def change_base(project: Project) -> None:
    project.write("number", "2")
    assert project.run("materialize", "base").code == 0


def test_only_what_failed_and_what_it_blocked_is_made_from_what_was_read_then(project: Project) -> None:
    prepared(project, "2024-01-03 2024-01-07")
    first = project.run("backfill", "middle", "top", "--json").json
    assert (first["status"], first["totals"]["materialized"]) == ("failure", 16)
    change_base(project)
    project.write("broken", "2024-01-07")

    again = project.run("runs", "retry", first["run_id"], "--json").json

    assert (again["run_id"], again["status"]) == (first["run_id"], "failure")
    assert again["totals"] == {"materialized": 2, "failed": 1, "skipped": 1, "commits": 2}
    project.write("broken", "")
    last = project.run("runs", "retry", first["run_id"][:18], "--json").json
    assert (last["status"], last["totals"]["materialized"]) == ("success", 2)
    at_first = [day for day in ALL if day not in ("2024-01-03", "2024-01-07")]
    called = (project.folder / "calls").read_text().split()
    assert (sorted(called[:-2]), called[-2:]) == (at_first, ["2024-01-03", "2024-01-07"]), "two calls at a time"
    assert numbers(project, "middle") == numbers(project, "top") == dict.fromkeys(ALL, 1)
    assert set(writers(project, "middle")) == {first["run_id"]}
    run = project.run("runs", "show", first["run_id"], "--json").json
    assert (run["attempt"], run["status"]) == (3, "success")
    assert [(each["number"], each["status"]) for each in run["earlier"]] == [(1, "failure"), (2, "failure")]
    assert run["failures"] == []
    shown = project.run("runs", "show", first["run_id"]).out
    assert "2 partitions in 2 commits, 20 with earlier attempts" in shown
    stale = project.status()["middle"]["partitions"]["stale"]
    assert stale == 10, "base has changed since"


def test_a_retry_that_had_to_wait_still_reads_what_was_read_then(project: Project) -> None:
    prepared(project, "2024-01-03")
    failed = project.run("backfill", "middle", "--json").json["run_id"]
    change_base(project)
    project.write("broken", "")
    project.edit(
        "tables.py", "    return base\n", "    if (HERE / 'holds').exists():\n        hold('go')\n    return base\n"
    )
    project.write("holds", "")
    with started(project, "materialize", "middle", "--partition", "2024-01-03") as other:
        reached(project, "go")
        with started(project, "runs", "retry", failed, "--json") as again:
            wait_until(lambda: any(run["waits_for"] for run in runs(project)), "the retry's wait")
            (project.folder / "holds").unlink()
            other.kill()
            said, _ = again.communicate(timeout=PATIENCE_S)

    assert json.loads(said)["totals"]["materialized"] == 1
    assert numbers(project, "middle") == dict.fromkeys(ALL, 1)


def test_latest_reads_what_is_there_now(project: Project) -> None:
    prepared(project, "2024-01-03")
    project.run("backfill", "middle", "top")
    change_base(project)
    project.write("broken", "")

    runs = project.run("runs", "list", "--json").json
    failed = next(run["run_id"] for run in runs if run["status"] == "failure")
    retried = project.run("runs", "retry", failed, "--latest", "--json").json

    assert retried["status"] == "success"
    assert project.run("runs", "retry", "latest", "--json").json["totals"]["materialized"] == 0, "the run of base"
    assert numbers(project, "middle") == {**dict.fromkeys(ALL, 1), "2024-01-03": 2}


def test_a_run_that_was_killed_goes_on(project: Project) -> None:
    prepared(project, "")
    project.edit("tables.py", "    return base\n", "    time.sleep(0.5)\n    return base\n")
    with started(project, "backfill", "middle", "top", "--workers", "1") as process:
        log = project.lake / "middle" / "_delta_log"
        wait_until(lambda: log.exists() and len(list(log.glob("*.json"))) >= 2, "a commit")
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE_S)
    made = numbers(project, "middle")
    (lost, _) = project.run("runs", "list", "--json").json
    ask_to_stop(Store(project.lake), lost["run_id"], StopRequest(StopKind.CANCEL, "somebody, too late"))

    retried = project.run("runs", "retry", "latest", "--json").json

    assert 0 < len(made) < 10
    assert retried["status"] == "success"
    assert numbers(project, "middle") == numbers(project, "top") == dict.fromkeys(ALL, 1)
    run = project.run("runs", "show", retried["run_id"], "--json").json
    assert [(each["number"], each["status"], each["ended_at"]) for each in run["earlier"]] == [(1, "lost", None)]
    committed = [
        (record["run_id"], key)
        for file in (project.lake / "middle" / "_delta_log").glob("*.json")
        for record in [json.loads(file.read_text().splitlines()[0])["commitInfo"].get("deltaworks")]
        if record is not None
        for group in record["groups"]
        for key in group["keys"]
    ]
    assert sorted(committed) == [(retried["run_id"], key) for key in ALL], "each day is committed once"


def test_what_others_made_since_stays_theirs(project: Project) -> None:
    prepared(project, "2024-01-03")
    failed = project.run("backfill", "middle", "--json").json["run_id"]
    mine = pl.DataFrame({"day": ["2024-01-03"], "n": [7]}).with_columns(pl.col("day").str.to_date())
    write_deltalake(str(project.lake / "middle"), mine, mode="overwrite", predicate="day = '2024-01-03'")
    project.write("broken", "")

    again = project.run("runs", "retry", failed)

    assert again.code == 0
    assert "nothing is left of run" in again.out
    assert "others have made 1" in again.out
    assert numbers(project, "middle")["2024-01-03"] == 7


def test_what_vacuum_removed_is_refused_in_a_sentence_with_the_way_out(project: Project) -> None:
    prepared(project, "2024-01-03")
    failed = project.run("backfill", "middle", "--json").json["run_id"]
    before = set((project.lake / "base" / "day=2024-01-03").iterdir())
    change_base(project)
    for file in before:
        file.unlink()

    refused = project.run("runs", "retry", failed)

    assert refused.code == 2
    assert refused.sentence == (
        "table base: data files of 2024-01-03 that version 1 had were removed, as vacuum does; "
        f"`deltaworks runs retry {failed} --latest` reads what is there now."
    )


def test_a_run_of_which_nothing_is_kept_is_refused(project: Project) -> None:
    prepared(project, "2024-01-03")
    failed = project.run("backfill", "middle", "--json").json["run_id"]
    shutil.rmtree(project.lake / "_deltaworks" / "ledger" / "plans")

    refused = project.run("runs", "retry", failed)

    assert refused.code == 2
    assert refused.sentence.endswith("run its command again: deltaworks backfill middle --json")


def test_what_commits_with_a_run_id_hold_is_not_made_again(project: Project) -> None:
    prepared(project, "2024-01-03")
    command = ("materialize", "middle", "--run-id", "tick-7", "--json")
    first = project.run(*command).json
    project.write("broken", "")
    shutil.rmtree(project.lake / "_deltaworks")

    second, third = project.run(*command).json, project.run(*command)

    assert (first["run_id"], first["totals"]["materialized"]) == ("tick-7", 9)
    assert (second["run_id"], second["totals"]["materialized"]) == ("tick-7", 1)
    assert (third.code, third.json["totals"]["materialized"]) == (0, 0)
    assert set(writers(project, "middle")) == {"tick-7"}
    assert project.run("materialize", "middle", "--run-id", "../x").sentence.startswith("'../x' cannot be a run's id")


def test_a_retry_is_carried_out_as_the_run_was_asked_for(project: Project) -> None:
    prepared(project, "2024-01-03")
    project.edit("tables.py", "        calls.write(partition.key", "        calls.write(f'{os.getpid()} '")
    asked = ("--executor", "processes", "--workers", "3", "--memory-mb", "4000", "--priority", "7")
    failed = project.run("backfill", "middle", *asked, "--json").json["run_id"]
    project.write("broken", "")
    project.write("calls", "")

    project.run("runs", "retry", failed)
    again = project.run("runs", "show", failed, "--json").json

    assert (again["attempt"], again["status"]) == (2, "success")
    assert [again[name] for name in ("executor", "workers", "memory_mb", "priority")] == ["processes", 3, 4000, 7]
    assert str(os.getpid()) not in (project.folder / "calls").read_text().split(), "it was called in a process"


def test_what_a_retry_is_asked_for_itself_comes_first(project: Project) -> None:
    prepared(project, "2024-01-03")
    failed = project.run("backfill", "middle", "--executor", "processes", "--workers", "1", "--json").json["run_id"]

    project.run("runs", "retry", failed, "--executor", "threads", "--priority", "2")

    again = project.run("runs", "show", failed, "--json").json
    assert [again[name] for name in ("executor", "workers", "priority")] == ["threads", 1, 2]


def test_a_run_that_goes_on_is_not_begun_again(project: Project) -> None:
    prepared(project, "")
    project.edit("tables.py", "    return base\n", "    hold('go')\n    return base\n")
    with started(project, "materialize", "middle", "--run-id", "tick-8"):
        wait_until((project.folder / "go.reached").exists, "the first call")

        refused = project.run("materialize", "middle", "--run-id", "tick-8")

    assert refused.code == 1, "not for good: whoever began it asks again"
    assert refused.sentence.startswith("Run tick-8 still goes on (running on ")
