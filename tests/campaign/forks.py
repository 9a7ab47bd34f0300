"""Commands as processes that cost a fork each: a server that has loaded the product, and forks itself for every one.

Run as a script it is the server: it takes one order a line and answers with one line. Polars is imported in it and
never used, so that its threads begin in the forks.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PATIENCE_S = 120


@dataclass(frozen=True)
class Ended:
    """A command that is over."""

    code: int
    """Below 0: the signal that killed it."""
    said: str


@dataclass(frozen=True)
class Fork:
    """A command that goes on."""

    server: Forks
    pid: int
    output: Path

    def kill_after(self, seconds: float, *, is_heard: bool = False) -> Ended:
        """Kill it in a while, unless it is over by then; `is_heard`: a while after it has said something."""
        deadline_s = time.monotonic() + seconds
        while (code := self.server.poll(self.pid)) is None:
            if is_heard and not self.has_said:
                deadline_s = time.monotonic() + seconds
            elif time.monotonic() >= deadline_s:
                os.kill(self.pid, signal.SIGKILL)  # nobody has waited for it, so that it is still this one
                return self.wait()
            time.sleep(0.001)
        return Ended(code, self.output.read_text("utf-8"))

    @property
    def has_said(self) -> bool:
        """Whether it has said anything yet."""
        return self.output.exists() and self.output.stat().st_size > 0

    def wait(self) -> Ended:
        """Wait for its end."""
        deadline_s = time.monotonic() + PATIENCE_S
        while (code := self.server.poll(self.pid)) is None:
            assert time.monotonic() < deadline_s, self.output.read_text("utf-8")
            time.sleep(0.002)
        return Ended(code, self.output.read_text("utf-8"))


@dataclass
class Forks:
    """The server, for whoever gives it orders."""

    process: subprocess.Popen[str]
    lock: threading.Lock = field(default_factory=threading.Lock)
    started: int = 0

    def start(self, folder: Path, *arguments: str, failpoints: str = "", environ: Mapping[str, str] = {}) -> Fork:
        """Start a command in a folder."""
        self.started += 1
        output = folder / f"said-{self.started}.txt"
        order = {"folder": str(folder), "arguments": arguments, "failpoints": failpoints, "environ": dict(environ)}
        return Fork(self, self._ask({**order, "output": str(output)}), output)

    def run(self, folder: Path, *arguments: str, failpoints: str = "", environ: Mapping[str, str] = {}) -> Ended:
        """Run a command to its end."""
        return self.start(folder, *arguments, failpoints=failpoints, environ=environ).wait()

    def poll(self, pid: int) -> int | None:
        """Return how a command has ended; none: it goes on."""
        return self._ask({"poll": pid})

    def _ask(self, order: dict[str, Any]) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with self.lock:
            print(json.dumps(order), file=self.process.stdin, flush=True)
            return json.loads(self.process.stdout.readline())


@contextmanager
def forks() -> Generator[Forks]:
    """Have a server."""
    environ = {**os.environ, "POLARS_MAX_THREADS": "1"}
    command = [sys.executable, __file__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ) as process:
        try:
            yield Forks(process)
        finally:
            process.kill()


def serve() -> None:
    """Answer orders until there are no more."""
    from importlib import import_module

    for name in ("cli.app", "engine.execution.decide", "engine.execution.launch", "engine.execution.observe"):
        import_module(f"deltaworks.{name}")
    for line in sys.stdin:
        order: dict[str, Any] = json.loads(line)
        if "poll" in order:
            pid, status = os.waitpid(order["poll"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        else:
            answer = os.fork()
            if answer == 0:
                carry_out(order)
        print(json.dumps(answer), flush=True)


def carry_out(order: Mapping[str, Any]) -> None:
    """Be the command; this does not return."""
    from deltaworks.cli import main
    from deltaworks.io.failpoints import Failpoints, acting

    output = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.chdir(order["folder"])
    os.environ.update(order["environ"])
    sys.argv = ["deltaworks", *order["arguments"]]
    code: object = 0
    try:
        with acting(Failpoints.parse(order["failpoints"])):
            main()
    except SystemExit as leaving:
        code = leaving.code or 0
    except Exception:  # noqa: BLE001 - the server must not go on in the fork
        sys.excepthook(*sys.exc_info())
        code = 70
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 1)


if __name__ == "__main__":
    serve()
