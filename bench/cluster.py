"""What a tiny task costs on a Dask cluster, beside a function of Dask's own that does nothing.

A scheduler and two workers of one thread each talk over TCP. A thousand tasks that do nothing go through the executor
of deltaworks, which keeps as many on their way as a run would; beside it Dask maps a function over as many numbers. The
two take turns, and the best turn of each counts. `python bench/cluster.py tiny` does it for next to nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import distributed
from nothing import Nothing
from rows import Row, keep
from ways import DASK_TASK, TINY_TASK

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.policies import Limits
from deltaworks.engine.execution.task import Outcome, Task
from deltaworks.engine.execution.workers.cluster import Cluster
from deltaworks.engine.execution.workers.dask.executor import DaskExecutor

TASKS, TURNS = 1_000, 3


def main() -> None:
    """Print milliseconds a task, each way, and how they compare."""
    tasks, turns = (20, 1) if sys.argv[1:] == ["tiny"] else (TASKS, TURNS)
    with tempfile.TemporaryDirectory() as folder, cluster(Path(folder)) as address:
        ways = {DASK_TASK: by_dask, TINY_TASK: by_executor}
        for way in ways.values():
            way(address, tasks // 10)  # what is loaded once is loaded by now
        best = dict.fromkeys(ways, float("inf"))
        for _ in range(turns):
            for name, way in ways.items():
                best[name] = min(best[name], way(address, tasks) / tasks * 1000)
    print(f"\n{tasks:,} tasks that do nothing, on a scheduler and two workers over TCP")
    for name, ms in best.items():
        print(f"{name:30} {ms:8.2f} ms/task")
    ours, bare = best[TINY_TASK], best[DASK_TASK]
    for name, ms in best.items():
        keep(Row("a tiny task on Dask", name, {"wall_ms": round(ms, 3)}, sizes={"tasks": tasks}))
    print(f"{'ratio':30} {ours / bare:8.2f}, goal: at most 1.50")


def by_dask(address: str, tasks: int) -> float:
    """Return how long Dask takes by itself."""
    with distributed.Client(address, set_as_default=False) as client:
        began_s = time.perf_counter()
        client.gather(client.map(abs, range(tasks), pure=False))
        return time.perf_counter() - began_s


def by_executor(address: str, tasks: int) -> float:
    """Return how long the executor takes, once its workers are ready."""
    executor: DaskExecutor[Task, Outcome] = DaskExecutor(
        Cluster(address),
        2,
        Nothing(),
        limits_of=lambda _: Limits(),
        resources_of=lambda _: {},
        environ={},
        line=lambda _: None,
        note=print,
    )
    try:
        turn(executor, executor.capacity)  # each worker has its processes by now
        began_s = time.perf_counter()
        turn(executor, tasks)
        return time.perf_counter() - began_s
    finally:
        executor.close()


def turn(executor: DaskExecutor[Task, Outcome], tasks: int) -> None:
    """Have tasks carried out, with as many on their way as the executor has room for."""
    sent = done = 0
    while done < tasks:
        while sent < tasks and sent - done < executor.capacity:
            sent += 1
            executor.submit(Task("bench", sent, AssetKey("tiny"), 0, 0, {}, is_small=True))
        done += sum(1 for _ in executor.wait(0.1))


@contextmanager
def cluster(folder: Path) -> Iterator[str]:
    """Start a scheduler and two workers."""
    file = folder / "scheduler.json"
    options = (
        "--host",
        "127.0.0.1",
        "--port",
        "0",
        "--dashboard-address",
        "127.0.0.1:0",
        "--scheduler-file",
        str(file),
    )
    program = [sys.executable, "-P", "-m"]
    environ = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parent),  # where `nothing` is
        "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0",
    }
    with (folder / "log").open("wb") as log:
        started = [
            subprocess.Popen(
                [*program, "distributed.cli.dask_scheduler", *options], stdout=log, stderr=log, env=environ
            )
        ]
        try:
            while not (file.exists() and file.read_text().endswith("}")):
                time.sleep(0.05)
            address = str(json.loads(file.read_text())["address"])
            worker = (address, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(folder))
            started += [
                subprocess.Popen(
                    [*program, "distributed.cli.dask_worker", *worker], stdout=log, stderr=log, env=environ
                )
                for _ in range(2)
            ]
            with distributed.Client(address, set_as_default=False) as client:
                client.wait_for_workers(2)
            yield address
        finally:
            for process in started:
                process.kill()
                process.wait()


if __name__ == "__main__":
    main()
