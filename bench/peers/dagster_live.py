"""Dagster's development server: what it holds when idle, and how long an event takes to become a run.

`dagster_live.py run IDLE_S TRIALS` starts `dagster dev` on two assets and a sensor on the first, prints a line of JSON,
and ends what it started. An event is a materialization that somebody reports; its run has begun when Dagster says so.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import TypeVar

import dagster as dg

sys.path.insert(0, str(Path(__file__).parents[1]))

from measure import cpu_s, pss_mb, tree

PATIENCE_S = 600

T = TypeVar("T")


@dg.asset
def given() -> int:
    """What others make."""
    return 1


@dg.asset(deps=[given])
def taken() -> int:
    """What is made of it."""
    return 2


carry_on = dg.define_asset_job("carry_on", selection=[taken])


@dg.asset_sensor(asset_key=dg.AssetKey("given"), job=carry_on, default_status=dg.DefaultSensorStatus.RUNNING)
def on_given(context: dg.SensorEvaluationContext) -> dg.RunRequest:
    """Ask for a run for every event."""
    return dg.RunRequest(run_key=context.cursor)


defs = dg.Definitions(assets=[given, taken], jobs=[carry_on], sensors=[on_given])


def main() -> None:
    """Start, measure, end."""
    idle_s, trials = float(sys.argv[2]), int(sys.argv[3])
    with tempfile.TemporaryDirectory() as home:
        Path(home, "dagster.yaml").write_text("telemetry: {enabled: false}\n")
        os.environ["DAGSTER_HOME"] = home
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [str(Path(sys.executable).with_name("dagster")), "dev", "-f", __file__, "-h", "127.0.0.1"]
        server = subprocess.Popen(
            [*command, "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        try:
            print(json.dumps(measured(server.pid, port, idle_s, trials)))
        finally:
            os.killpg(server.pid, signal.SIGINT)
            try:
                server.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)


def measured(pid: int, port: int, idle_s: float, trials: int) -> dict[str, object]:
    """Return what the server takes, and how long each event waited."""
    until(lambda: answers(port))
    instance = dg.DagsterInstance.get()
    until(lambda: all(each.healthy for each in instance.get_daemon_statuses().values()))
    time.sleep(40)  # every loop of the daemon has come round once
    pids, before = tree(pid), cpu_s(*tree(pid))
    time.sleep(idle_s)
    idle = {
        "pss_mb": round(pss_mb(*pids), 1),
        "cpu_percent": round(100 * (cpu_s(*tree(pid)) - before) / idle_s, 2),
        "processes": len(pids),
    }
    waited = [trial(instance, 7.3 * number) for number in range(trials)]
    latency = {"median_s": round(median(waited), 2), "longest_s": round(max(waited), 2)}
    return {"idle": idle, "latency": latency}


def trial(instance: dg.DagsterInstance, offset_s: float) -> float:
    """Report an event, at another moment of the daemon's rhythm each time, and return how long its run waited."""
    time.sleep(offset_s)
    known = {run.run_id for run in instance.get_runs()}
    instance.report_runless_asset_event(dg.AssetMaterialization("given"))
    reported_at = time.time()

    def begun() -> float:
        new = [each for each in instance.get_run_records(limit=20) if each.dagster_run.run_id not in known]
        return next((each.start_time for each in new if each.start_time), 0.0)

    started_at = until(begun)
    until(lambda: all(run.is_finished for run in instance.get_runs()))
    return started_at - reported_at


def until(ask: Callable[[], T]) -> T:
    """Ask until the answer is yes, and return it.

    Raises:
        SystemExit: it was no for too long.
    """
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if answer := ask():
            return answer
        time.sleep(0.2)
    raise SystemExit(f"dagster dev gave no answer in {PATIENCE_S} s")


def answers(port: int) -> bool:
    """Return whether the server answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/server_info", timeout=10):
            return True
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False


if __name__ == "__main__":
    main()
