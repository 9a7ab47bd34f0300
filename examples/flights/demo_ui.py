"""Serve the UI of a lake in which something of everything happens: fresh, stale, failed, running, written by others.

    python demo_ui.py                          serves it until Ctrl-C
    python demo_ui.py --screenshots FOLDER     takes its pictures instead; needs Playwright and Chromium

It works on a copy of the example in a temporary folder. A run makes the weather of the autumn day by day, slowly, so
that there is something to watch.
"""

import argparse
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
from demo_png import with_few_colours

HERE = Path(__file__).parent
PICTURES = {
    "overview": ("/", "light"),
    "asset": ("/assets/daily_carrier", "dark"),
    "partitions": ("/assets/airport_days/partitions", "light"),
    "partition": ("/assets/trailing_week/partitions/2013-02-12", "light"),
    "lineage": ("/lineage", "dark"),
    "plan": ("/backfills/new?select=daily_carrier%2B", "light"),
    "run": ("/runs/{run}", "light"),
    "automation": ("/automation", "dark"),
}
"""By name, what each picture is of, and in which theme; `{run}` is the first run of the lake."""

SETTINGS = """
name = "New York flights"
lake = "./lake"
modules = ["flights", "demo_feed"]
"""


def main() -> None:
    """Make the lake, and show it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", default="3000")
    parser.add_argument("--screenshots", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        prepare(project)
        with going_on(project):
            if asked.screenshots is None:
                with served(project, asked.port) as server:
                    server.wait()
            else:
                with served(project, "0", stderr=subprocess.PIPE) as server:
                    picture(server, asked.screenshots)


def prepare(project: Path) -> None:
    """Make a lake in which some of everything happened."""
    for name in ("flights.py", "demo_feed.py", "flights.parquet", "carriers.csv"):
        shutil.copy(HERE / name, project)
    (project / "deltaworks.toml").write_text(SETTINGS)
    deltaworks(project, "backfill", "carriers", "flights", "daily_carrier", "trailing_week", *span("2013-10-31"))
    deltaworks(project, "backfill", "carrier_year", "weather", *span("2013-09-30"), fails=True)
    deltaworks(project, "backfill", "airport_days", *span("2013-04-30"))
    deltaworks(project, "backfill", "mart/wind_and_delay", "mart/summary", *span("2013-09-30"))
    deltaworks(project, "job", "run", "letter", "--config", "send.subject=the first one")
    correct_outside(project / "lake" / "flights", "2013-02-10")
    deltaworks(project, "materialize", "flights", "--partition", "2013-05-01")


def span(last: str, first: str = "2013-01-01") -> tuple[str, ...]:
    """Return the options that ask for some days."""
    return "--from", first, "--to", last


def correct_outside(table: Path, day: str) -> None:
    """Write a day as somebody does who knows nothing of deltaworks."""
    df = pl.read_delta(str(table)).filter(pl.col("flight_date") == pl.lit(day).str.to_date())
    options = {"predicate": f"flight_date = '{day}'"}
    df.with_columns(pl.col("dep_delay") + 1).write_delta(table, mode="overwrite", delta_write_options=options)


@contextmanager
def going_on(project: Path) -> Generator[None]:
    """Have a slow run and a daemon beside the block."""
    slowly = ("backfill", "weather", *span("2013-12-31", first="2013-10-01"), "--workers", "1")
    going = [start(project, *asked, stderr=subprocess.DEVNULL) for asked in (slowly, ("daemon",))]
    try:
        yield
    finally:
        for each in going:
            each.send_signal(signal.SIGTERM)
        for each in going:
            each.wait()


@contextmanager
def served(project: Path, port: str, stderr: int | None = None) -> Generator[subprocess.Popen[str]]:
    """Serve the project beside the block; it says on stderr where."""
    server = start(project, "ui", "--port", port, stderr=stderr)
    try:
        yield server
    except KeyboardInterrupt:
        pass
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()


def picture(server: subprocess.Popen[str], folder: Path) -> None:
    """Take a picture of each page."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only pictures need it

    assert server.stderr is not None, "it is a pipe"
    address = server.stderr.readline().split()[2].rstrip("/")
    folder.mkdir(parents=True, exist_ok=True)
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(address)
        page.get_by_text("its last tick failed").wait_for()  # the daemon is at work
        page.get_by_text(" of 92").wait_for()  # and so is the run
        run = page.request.get(f"{address}/api/v1/runs").json()["runs"][-1]["run_id"]
        for name, (path, theme) in PICTURES.items():
            page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
            page.goto(address + path.format(run=run), wait_until="networkidle")
            (folder / f"{name}.png").write_bytes(with_few_colours(page.screenshot()))
        browser.close()


def start(project: Path, *arguments: str, stderr: int | None) -> subprocess.Popen[str]:
    """Start a command."""
    return subprocess.Popen(  # noqa: S603 - this very interpreter, and arguments of this file
        [sys.executable, "-m", "deltaworks", *arguments],
        cwd=project,
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        text=True,
    )


def deltaworks(project: Path, *arguments: str, fails: bool = False) -> None:
    """Carry a command out, and show it."""
    print("$ deltaworks", *arguments, flush=True)
    program = [sys.executable, "-m", "deltaworks", *arguments]
    done = subprocess.run(program, cwd=project, check=False)  # noqa: S603 - as in `start`
    if done.returncode != (1 if fails else 0):
        sys.exit(done.returncode or 1)


if __name__ == "__main__":
    main()
