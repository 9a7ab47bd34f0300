"""Runs are told, stopped, tried again and take turns through nothing but the lake."""

from __future__ import annotations

import datetime as dt
import json
import signal

import pytest

from tests.acceptance.conftest import Project
from tests.acceptance.running import PATIENCE_S, reached, release, runs, started, wait_until
from tests.stores.home import CHAIN, DAYS, Housed

HOLDING = """
@dw.asset(partitions=days, partition_by="day")
def slow(partition: dw.Partition) -> LazyFrame[Row]:
    if partition.key == "2024-01-04":
        hold("fourth")
    return rows(partition)
"""


def committed(housed: Housed, asset: str) -> bool:
    """Whether anything of an asset is committed beside the table itself."""
    return f"lake/{asset}/_delta_log/{1:020d}.json" in housed.home.objects(f"lake/{asset}/_delta_log")


@pytest.mark.telling
def test_a_run_that_was_killed_goes_on_with_what_is_left(housed: Housed) -> None:
    housed.given(HOLDING)
    with started(housed, "backfill", "--workers", "1") as killed:
        reached(housed, "fourth")
        wait_until(lambda: committed(housed, "slow"), "a commit")
        killed.send_signal(signal.SIGKILL)
        killed.wait(PATIENCE_S)
    (lost,) = runs(housed)
    release(housed, "fourth")

    retried = housed.did("runs", "retry", lost["run_id"])

    assert (lost["status"], retried["status"], retried["run_id"]) == ("lost", "success", lost["run_id"])
    assert sorted(housed.home.made("lake/slow")) == [(key, lost["run_id"]) for key in DAYS]
    assert len(housed.rows("slow")) == 5
    assert housed.run("doctor").code == 0


def test_a_run_is_canceled_from_elsewhere_and_keeps_what_it_committed(housed: Housed) -> None:
    housed.given(HOLDING)
    with started(housed, "backfill", "--workers", "1", "--json") as running:
        reached(housed, "fourth")
        wait_until(lambda: committed(housed, "slow"), "a commit")
        canceled = housed.did("runs", "cancel", "latest")
        out, err = running.communicate(timeout=PATIENCE_S)

    assert (canceled["status"], json.loads(out)["status"], running.returncode) == ("canceled", "canceled", 1), err
    assert housed.counts("slow") == {"fresh": 3, "missing": 2}
    assert housed.held() == []


def test_a_second_run_waits_for_its_turn(housed: Housed) -> None:
    housed.given(HOLDING)
    with started(housed, "backfill", "--json") as first:
        reached(housed, "fourth")
        with started(housed, "backfill", "--json") as second:
            wait_until(lambda: any(run["waits_for"] for run in runs(housed)), "the second run's entry")
            release(housed, "fourth")
            said = [json.loads(process.communicate(timeout=PATIENCE_S)[0]) for process in (first, second)]

    assert [each["totals"]["materialized"] for each in said] == [5, 0]
    assert housed.held() == []


def test_what_runs_did_is_listed_and_shown(housed: Housed) -> None:
    housed.given(CHAIN)
    first = housed.did("backfill", "base")["run_id"]
    second = housed.did("backfill")["run_id"]

    assert [(run["run_id"], run["status"]) for run in runs(housed)] == [(second, "success"), (first, "success")]
    assert housed.did("runs", "show", first)["status"] == "success"
    events = [line.get("event") for line in housed.did("runs", "logs", second)]
    assert (events[0], events[-1]) == ("run_started", "run_ended")


TALKING = """
@dw.asset(partitions=days, partition_by="day")
def loud(partition: dw.Partition, log: dw.Logger) -> LazyFrame[Row]:
    print("out of", partition.key)
    log.warning("told by %s", partition.key)
    return rows(partition)
"""


def test_what_functions_print_is_kept(housed: Housed) -> None:
    housed.given(TALKING)
    done = Project(housed.folder).run("backfill", "--json")
    assert done.code == 0, done.err

    lines = housed.did("runs", "logs", "latest")

    told = [line["text"] for line in lines if line.get("step") == "loud 2024-01-02" and "text" in line]
    assert told == ["out of 2024-01-02", "loud 2024-01-02: told by 2024-01-02"]


FRAGILE = """
@dw.asset(partitions=days, partition_by="day")
def fragile(base: LazyFrame[Row], partition: dw.Partition) -> LazyFrame[Row]:
    if partition.key in (HERE / "broken").read_text().split():
        raise ValueError("broken")
    return base
"""


def test_a_retry_makes_only_what_failed_from_what_was_read_then(housed: Housed) -> None:
    housed.given(CHAIN + FRAGILE)
    housed.write("broken", "2024-01-02 2024-01-03")
    housed.did("backfill", "base")
    failed = housed.run("backfill", "fragile", "--json").json
    housed.edit("tables.py", "partition.start.day)", "100)")
    housed.did("materialize", "base")
    housed.write("broken", "")

    retried = housed.did("runs", "retry", failed["run_id"])

    assert (failed["totals"]["failed"], retried["totals"]["materialized"]) == (2, 2)
    assert [row[1] for row in housed.rows("fragile")] == [1, 2, 3, 4, 5]


def test_the_same_run_id_makes_nothing_twice(housed: Housed) -> None:
    housed.given(CHAIN)
    arguments = ("materialize", "base", "child", "--run-id", "from-outside")

    first, again = housed.did(*arguments), housed.did(*arguments)

    assert (first["totals"]["materialized"], again["totals"]["materialized"]) == (10, 0)
    assert sorted(housed.home.made("lake/base")) == [(key, "from-outside") for key in DAYS]


POOLED = """
@dw.asset(partitions=days, partition_by="day", pool="warehouse")
def first(partition: dw.Partition) -> LazyFrame[Row]:
    return pooled(partition)

@dw.asset(partitions=days, partition_by="day", pool="warehouse")
def second(partition: dw.Partition) -> LazyFrame[Row]:
    return pooled(partition)

def pooled(partition):
    inside = HERE / "inside"
    inside.touch(exist_ok=False)
    time.sleep(0.02)
    inside.unlink()
    return rows(partition)
"""


def test_a_pool_is_shared_by_runs_that_share_only_the_lake(housed: Housed) -> None:
    housed.given(POOLED, "[pools]\nwarehouse = 1\n")

    with (
        started(housed, "backfill", "first", "--json") as first,
        started(housed, "backfill", "second", "--json") as second,
    ):
        said = [json.loads(process.communicate(timeout=PATIENCE_S)[0]) for process in (first, second)]

    assert [each["totals"]["materialized"] for each in said] == [5, 5]
    assert housed.held() == []


OPS = """
@dw.op(out=dw.DynamicOut())
def fan():
    return [dw.DynamicOutput(n, f"k{n}") for n in range(3)]

@dw.op
def first(n: int) -> pl.LazyFrame:
    with (HERE / "calls").open("a") as calls:
        calls.write(f"first {n}\\n")
    return pl.LazyFrame({"n": [n]})

@dw.op
def second(frames: list[pl.LazyFrame]) -> int:
    if (HERE / "broken").exists():
        raise ValueError("broken")
    return pl.concat(frames).collect()["n"].sum()

@dw.op
def third(n: int) -> None:
    (HERE / "third").write_text(str(n))

@dw.job
def work() -> None:
    third(second(fan().map(first).collect()))
"""


def test_a_job_keeps_its_values_in_the_lake_and_runs_only_what_is_left(housed: Housed) -> None:
    housed.given(OPS)
    housed.write("broken", "")
    failed = housed.run("job", "run", "work", "--run-id", "r1", "--json")
    kept = [path for path in housed.home.objects("lake/_deltaworks") if path.endswith(".parquet")]
    (housed.folder / "broken").unlink()

    done = housed.did("runs", "retry", "r1")

    assert (failed.code, failed.json["status"]) == (1, "failure")
    assert len(kept) == 3, "the frames of the first steps"
    assert (done["status"], done["totals"]["kept"]) == ("success", 4)
    assert (housed.folder / "third").read_text() == "3"
    assert sorted((housed.folder / "calls").read_text().splitlines()) == ["first 0", "first 1", "first 2"]


def test_a_job_of_assets_runs_for_a_partition(housed: Housed) -> None:
    housed.given(CHAIN + '\ndaily = dw.define_asset_job("daily", selection="base+", partitions=days)\n')

    done = housed.did("job", "run", "daily", "--partition", "2024-01-02")

    assert done["status"] == "success"
    assert housed.rows("child") == [(dt.date(2024, 1, 2), 4)]
    assert runs(housed)[0]["job"] == "daily"


def test_a_checks_verdict_is_told_by_history(housed: Housed) -> None:
    housed.given(CHAIN)
    housed.edit("tables.py", "    n: int\n", '    n: int = pa.Field(lt=4, metadata={"on_fail": "warn"})\n')

    housed.did("backfill", "base")

    (record,) = housed.home.records("lake/base")
    warned = {(each["partition"], each["failed_rows"]) for each in record["checks"]["not_passed"]}
    assert warned == {("2024-01-04", 1), ("2024-01-05", 1)}
    assert runs(housed)[0]["status"] == "success"
