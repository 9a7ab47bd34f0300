"""A Dask cluster of real processes that talk over TCP, any of which a test may kill."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PATIENCE_S = 120.0


def wait_until(condition: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


class DaskCluster:
    """A scheduler, and workers with a thread each. What was killed is there again after `heal`."""

    def __init__(self, folder: Path, workers: int = 2) -> None:
        self._folder = folder
        self._scheduler: subprocess.Popen[bytes] | None = None
        self._workers: list[subprocess.Popen[bytes] | None] = [None] * workers
        self.address = ""

    def heal(self) -> DaskCluster:
        if self._scheduler is None or self._scheduler.poll() is not None:
            self.end()
            self._start_scheduler()
        for place, worker in enumerate(self._workers):
            if worker is None or worker.poll() is not None:
                self._workers[place] = self.start_worker()
        return self

    def start_worker(self, **environ: str) -> subprocess.Popen[bytes]:
        options = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(self._folder))
        return self._start("dask_worker", self.address, *options, **environ)

    def kill_worker(self, place: int) -> None:
        worker = self._workers[place]
        assert worker is not None
        worker.kill()
        worker.wait()
        self._workers[place] = self.start_worker()

    def kill_scheduler(self) -> None:
        assert self._scheduler is not None
        self._scheduler.kill()
        self._scheduler.wait()

    def end(self) -> None:
        for process in (*self._workers, self._scheduler):
            if process is not None:
                process.kill()
                process.wait()
        self._workers = [None] * len(self._workers)

    def _start_scheduler(self) -> None:
        said = self._folder / "scheduler.json"
        said.unlink(missing_ok=True)
        options = ("--host", "127.0.0.1", "--port", "0", "--dashboard-address", "127.0.0.1:0")
        no_retries = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}
        self._scheduler = self._start("dask_scheduler", *options, "--scheduler-file", str(said), **no_retries)
        wait_until(lambda: said.exists() and said.read_text().endswith("}"), "the scheduler says where it is")
        self.address = json.loads(said.read_text())["address"]

    def _start(self, program: str, *arguments: str, **environ: str) -> subprocess.Popen[bytes]:
        with (self._folder / f"{program}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.{program}", *arguments],
                env={**os.environ, **environ},
                stdout=log,
                stderr=log,
            )


@contextmanager
def dask_cluster(folder: Path, workers: int = 2) -> Iterator[DaskCluster]:
    cluster = DaskCluster(folder, workers)
    try:
        yield cluster.heal()
    finally:
        cluster.end()
