"""What the browser UI weighs: `python bench/web.py`.

A server of its own process, as `deltaworks ui` starts it, over a project of a thousand tables and over one with a table
of a hundred thousand partitions, whose commit logs are written as if they had been run. Each line has its budget beside
it. `web.py tiny` runs every case once, on next to nothing.
"""

from __future__ import annotations

import datetime as dt
import gzip
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError

from lakes import write_daily_project, write_hourly_project, write_logs
from measure import cpu_s, pss_mb
from rows import Row, keep
from starlette.routing import Route

from deltaworks.engine.workspace.project import Origin
from deltaworks.web.app import inner_app
from deltaworks.web.http.roles import Auth
from deltaworks.web.http.static import contents
from deltaworks.web.workspace import Workspace

TINY = sys.argv[1:] == ["tiny"]
ASSETS, DAYS, HOURS = (20, 10, 240) if TINY else (1_000, 365, 100_000)
ROUNDS = 1 if TINY else 5

PAGE_KB, SCRIPTS_KB, MEMORY_MB, FIRST_S, LARGE_S = 100, 20, 180, 0.8, 1.0
"""The budgets: a page and all scripts, compressed; the server after all views; its first page after its start; its CPU
for a page of the asset with very many partitions."""

EXAMPLE = Path(__file__).parents[1] / "examples" / "flights"


def main() -> None:
    """Write the lakes, serve them, and print what is measured."""
    print(f"{'what':64} {'measured':>10} {'budget':>8}")
    scripts = {name: gzip.compress(each) for name, each in contents().items() if name.endswith(".js")}
    _row("all scripts, compressed", sum(map(len, scripts.values())) / 1000, SCRIPTS_KB, "kB")
    _row("first page after the start, flights", min(_first_page_s() for _ in range(ROUNDS)), FIRST_S, "s")
    with tempfile.TemporaryDirectory() as folder:
        wide, long = Path(folder) / "wide", Path(folder) / "long"
        write_daily_project(wide, ASSETS, DAYS)
        write_logs(wide, 3, has_files=False)
        write_hourly_project(long, HOURS, 2)
        write_logs(long, 100, has_files=False)
        _show_pages(wide)
        _show_large(long)


def _show_pages(folder: Path) -> None:
    """Print how large pages are, and what the server holds after all of them."""
    with _served(folder) as (address, pid):
        _fetch(f"{address}/health/ready")
        bare_mb = pss_mb(pid)
        sizes = {path: _fetch(address + path) for path in _pages(folder)}
        after_mb = pss_mb(pid)
    path, size = max(sizes.items(), key=lambda each: each[1])
    _row(f"largest page of {ASSETS:,} assets, compressed: {path}", size / 1000, PAGE_KB, "kB")
    _row(f"server of {ASSETS:,} assets, loaded", bare_mb, None, "MB PSS")
    _row(f"the same after {len(sizes)} views", after_mb, MEMORY_MB, "MB PSS")


def _show_large(folder: Path) -> None:
    """Print what pages of a table with very many partitions cost, once the server knows the lake."""
    with _served(folder) as (address, pid):
        _fetch(f"{address}/health/ready")
        for tab in ("", "/partitions", "/history", "/data"):
            took: list[float] = []
            for _ in range(ROUNDS):
                time.sleep(1.1)  # so that the lake is looked at anew
                before_s = cpu_s(pid)
                _fetch(f"{address}/assets/h0{tab}")
                took.append(cpu_s(pid) - before_s)
            _row(f"CPU of /assets/h0{tab}, {HOURS:,} partitions", sorted(took)[len(took) // 2], LARGE_S, "s")
        _row("memory of its server", pss_mb(pid), MEMORY_MB, "MB PSS")


def _first_page_s() -> float:
    """Return how long after its start a server answers with the first page."""
    started_s = time.perf_counter()
    with _served(EXAMPLE) as (address, _):
        _fetch(f"{address}/")
        return time.perf_counter() - started_s


def _pages(folder: Path) -> Iterator[str]:
    """Yield the addresses of all pages, those of an asset for one that has much above and below it."""
    workspace = Workspace(Origin(folder=folder), os.environ, lambda: dt.datetime.now(dt.UTC))
    routes: list[Route] = inner_app(workspace, Auth()).state.routes
    for route in routes:
        path = route.path.replace("{key}", f"table_{ASSETS // 2}").replace("{partition}", "2000-01-02")
        if "GET" in (route.methods or ()) and not path.startswith(("/api/", "/health/", "/static/")):
            yield re.sub(r"\{[^}]*\}", "x", path)
    yield from ("/lineage?select=*", "/assets?sort=status", "/api/v1/assets?limit=500", "/api/v1/graph")


@contextmanager
def _served(folder: Path) -> Generator[tuple[str, int]]:
    """Serve a project; yields the address, and the id of the process."""
    command = [sys.executable, "-m", "deltaworks", "ui", "--port", "0", "--project", str(folder)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None, "a pipe was asked for"
        found = re.search(r"http://\S+(?=/)", process.stderr.readline())
        try:
            if found is None:
                raise RuntimeError(f"{' '.join(command)} does not say where it listens")
            yield found[0], process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def _fetch(address: str) -> int:
    """Return how many bytes a page has as it is sent; one that is not there has some too."""
    asked = urllib.request.Request(address, headers={"Accept-Encoding": "gzip"})
    try:
        with urllib.request.urlopen(asked, timeout=600) as answer:
            return len(answer.read())
    except HTTPError as error:
        with error:
            if error.code >= 500:
                raise
            return len(error.read())


def _row(what: str, measured: float, budget: float | None, unit: str) -> None:
    told = "" if budget is None else f"{budget:g}"
    print(f"{what:64} {measured:10.2f} {told:>8} {unit}", flush=True)
    sizes = {"assets": ASSETS, "partitions": HOURS}
    keep(Row("browser UI", what, {unit.replace(" ", "_"): round(measured, 3)}, sizes=sizes))


if __name__ == "__main__":
    main()
