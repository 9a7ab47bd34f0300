"""Runs of jobs of ops: they are killed, stopped and tried again, and take turns, as those of assets do."""

from __future__ import annotations

import datetime as dt
import json
import signal
import threading
from collections.abc import Callable
from typing import Any

import polars as pl

import deltaworks as dw
from deltaworks.io.ledger import read_runs
from deltaworks.io.run_entry import RunEntry
from deltaworks.io.store import Store
from tests.acceptance.conftest import Here, Project
from tests.acceptance.running import PATIENCE_S, of_module, reached, release, started, wait_until

STEPS = """
def ran(attempt):
    with (HERE / "calls").open("a") as calls:
        calls.write(attempt.step + "\\n")

@dw.op(out=dw.DynamicOut())
def fan(attempt: dw.Attempt):
    ran(attempt)
    return [dw.DynamicOutput(n, f"k{n}") for n in range(3)]

@dw.op(isolate=True)
def first(n: int, attempt: dw.Attempt) -> pl.LazyFrame:
    ran(attempt)
    if n == 1:
        hold("first")
    return pl.LazyFrame({"n": [n]})

@dw.op
def second(frames: list[pl.LazyFrame], attempt: dw.Attempt) -> int:
    ran(attempt)
    hold("second")
    return pl.concat(frames).collect()["n"].sum()

@dw.op
def third(n: int, attempt: dw.Attempt) -> None:
    ran(attempt)
    (HERE / "third").write_text(f"{n} of {attempt.run_id}")

@dw.job
def work() -> None:
    third(second(fan().map(first).collect()))

@dw.op
def hang() -> None:
    hold("never")

@dw.job(tags={"team": "ops"})
def hung() -> None:
    hang()
"""

RUN = ("job", "run", "work", "--workers", "1", "--run-id", "r1", "--json")


def calls(project: Project) -> list[str]:
    return (project.folder / "calls").read_text().split()


def latest(project: Project) -> RunEntry:
    return read_runs(Store.at(str(project.lake)))[-1]


def recorded(project: Project, step: str) -> bool:
    found = (project.lake / "_deltaworks" / "steps" / "r1").glob("ends-*.json")
    return any(f'"{step}"' in file.read_text() for file in found)


def test_a_run_that_was_killed_or_stopped_runs_only_what_is_left(here: Here) -> None:
    of_module(here, STEPS)
    with started(here, *RUN) as killed:
        reached(here, "first")
        wait_until(lambda: recorded(here, "first[k0]"), "the end of the first step is written")
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    lost = latest(here).status_at(dt.datetime.now(dt.UTC))
    before = calls(here)
    release(here, "first")

    with started(here, *RUN) as interrupted:
        reached(here, "second")
        interrupted.send_signal(signal.SIGINT)
        wait_until(lambda: '"stopping"' in log_of(here), "the run has heard it")
        release(here, "second")
        out, _ = interrupted.communicate(timeout=PATIENCE_S)
    stopped = json.loads(out)
    done = here.run("runs", "retry", "r1", "--json")

    assert lost == "lost"
    assert (before, stopped["status"], interrupted.returncode) == (["fan", "first[k0]", "first[k1]"], "canceled", 1)
    assert {each["step"]: each["status"] for each in stopped["steps"]}["third"] == "cancel"
    assert (done.code, done.json["status"], done.json["totals"]["kept"]) == (0, "success", 5)
    assert calls(here)[3:] == ["first[k1]", "first[k2]", "second", "third"]
    assert (here.folder / "third").read_text() == "3 of r1"
    entry = latest(here)
    assert (entry.run_id, entry.status, entry.attempt) == ("r1", "success", 3)


def log_of(project: Project) -> str:
    return "".join(file.read_text() for file in (project.lake / "_deltaworks" / "logs").glob("r1/*"))


def test_a_run_waits_in_the_queue_and_a_canceled_one_goes_without_what_hangs(here: Here) -> None:
    of_module(here, STEPS, '[queue]\ntags = { "team" = 1 }\n')
    with started(here, "job", "run", "hung", "--run-id", "r1", "--json") as hung:
        reached(here, "never")
        with started(here, "job", "run", "hung", "--run-id", "r2", "--json") as other:
            wait_until(lambda: latest(here).waits_for == "the queue: r1", "the other one waits")
            (here.folder / "never.reached").unlink()
            canceled = here.run("runs", "cancel", "r1", "--json")
            out, _ = hung.communicate(timeout=PATIENCE_S)
            reached(here, "never")
            other.send_signal(signal.SIGTERM)
            ended, _ = other.communicate(timeout=PATIENCE_S)

    assert (canceled.code, canceled.json["status"]) == (0, "canceled")
    for process, answer in ((hung, json.loads(out)), (other, json.loads(ended))):
        assert (process.returncode, answer["status"]) == (1, "canceled")
        assert [each["reason"] for each in answer["steps"]] == ["the run was canceled while it ran"]
    assert latest(here).reason == "canceled by SIGTERM"


def test_steps_and_assets_share_a_pool_across_runs(tmp_path: Any) -> None:
    inside, most, lock = [0], [0], threading.Lock()

    def use() -> None:
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        threading.Event().wait(0.02)
        with lock:
            inside[0] -= 1

    @dw.asset(pool="warehouse")
    def table() -> pl.LazyFrame:
        use()
        return pl.LazyFrame({"n": [1]})

    @dw.op(pool="warehouse", retry=dw.RetryPolicy(max_retries=1, delay_s=0))
    def load(attempt: dw.Attempt) -> int:
        use()
        if attempt.number == 1:
            raise ValueError("not yet")
        return 1

    @dw.job
    def loads() -> None:
        for number in range(3):
            load.alias(f"load{number}")()

    succeeded: list[bool] = []

    def in_thread(call: Callable[[], Any]) -> threading.Thread:
        thread = threading.Thread(target=lambda: succeeded.append(call()))
        thread.start()
        return thread

    jobs = [in_thread(lambda: loads.execute_in_process(lake=tmp_path, workers=3).success) for _ in range(2)]
    made = in_thread(lambda: dw.materialize([table], lake=tmp_path).entry.status == "success")
    for thread in (*jobs, made):
        thread.join()

    assert (most[0], succeeded) == (1, [True] * 3)
    assert not list((tmp_path / "_deltaworks" / "claims" / "pools" / "warehouse").iterdir())


def test_a_call_that_waits_for_a_worker_holds_no_place_in_its_pool(tmp_path: Any) -> None:
    began, goes_on, order = threading.Event(), threading.Event(), list[str]()

    @dw.op
    def holds() -> None:
        began.set()
        assert goes_on.wait(PATIENCE_S)

    @dw.op(pool="warehouse")
    def loads() -> None:
        order.append("loads")

    @dw.op
    def another() -> None:
        order.append("another")

    @dw.job
    def busy() -> None:
        holds()
        loads()
        another()
        another()

    @dw.asset(pool="warehouse")
    def table() -> pl.LazyFrame:
        return pl.LazyFrame({"n": [1]})

    first = threading.Thread(target=lambda: busy.execute_in_process(lake=tmp_path, workers=1))
    first.start()
    assert began.wait(PATIENCE_S)
    try:
        report = dw.materialize([table], lake=tmp_path)
    finally:
        goes_on.set()
        first.join()

    assert report.entry.status == "success"
    assert order == ["another", "loads", "another"], "what is in no pool does not go by it for ever"
