"""Daemons observe the sources that ask for it, and what is made from them follows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from deltaworks.engine.automation.alerts.event import run_events
from deltaworks.engine.automation.asking import Surroundings, ask, described
from deltaworks.engine.automation.location_load import load_surroundings
from deltaworks.engine.definitions.automation.tick import Tick
from deltaworks.engine.workspace.project import Origin
from deltaworks.io.ledger import read_runs
from deltaworks.io.log import commit_path
from tests.acceptance.conftest import own_imports
from tests.engine.automation.house import DUE, House

SOURCES = """
from pathlib import Path

versions = Path(__file__).with_name("versions.txt")

@dw.observable_source(name="raw/orders", partitions=days, interval_s=0.1)
def orders() -> dict[str, int]:
    return {key: int(version) for key, version in (line.split() for line in versions.read_text().splitlines())}

@dw.asset(automation=dw.AutomationCondition.eager())
def total(orders: Annotated[pl.LazyFrame, dw.Input(asset="raw/orders")]) -> pl.LazyFrame:
    return orders.select(pl.col("version").cast(pl.Int64).sum().alias("n"))

quiet = dw.file_source("quiet", str(versions))
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[House]:
    home = House(tmp_path, "from typing import Annotated\n" + SOURCES)
    (tmp_path / "versions.txt").write_text("2026-01-01 1\n")
    yield home
    home.close()


def around_of(home: House) -> Surroundings:
    with own_imports(home.folder):
        return load_surroundings(Origin(file=home.folder / "tables.py", lake=str(home.folder / "lake")))


def observed_by(around: Surroundings, now: dt.datetime = DUE) -> str | None:
    (name,) = (each.name for each in described(around.definitions) if each.name.startswith("_observe"))
    return ask(
        Surroundings(around.definitions, around.store, {}, now, sources=around.sources), Tick(name, now)
    ).skip_reason


def has_version(home: House, name: str, version: int) -> bool:
    return home.store.exists(commit_path(name, version))


def test_what_is_made_from_a_source_follows_it_though_nobody_runs_anything(home: House) -> None:
    daemon = home.daemon(warm=1)
    home.work_until(daemon, lambda: has_version(home, "total", 1))

    (home.folder / "versions.txt").write_text("2026-01-01 2\n")

    home.work_until(daemon, lambda: has_version(home, "total", 2))
    assert has_version(home, "raw/orders", 2)
    assert not has_version(home, "quiet", 0), "nobody asked for that one to be observed"
    assert "watching 0 schedules and sensors, and automation conditions" in home.told


def test_what_goes_on_failing_is_written_down_once_and_is_over_when_it_goes_well(home: House) -> None:
    around, versions = around_of(home), home.folder / "versions.txt"
    at = (DUE + dt.timedelta(minutes=number) for number in count())
    assert observed_by(around, next(at)) == "raw/orders version 1: 1 new or changed, 0 gone"
    assert observed_by(around, next(at)) == "nothing has changed in raw/orders"
    versions.rename(home.folder / "elsewhere.txt")

    said = [observed_by(around, next(at)) for _ in range(3)]

    assert all("FileNotFoundError" in str(each) for each in said)
    (home.folder / "elsewhere.txt").rename(versions)
    assert observed_by(around, next(at)) == "nothing has changed in raw/orders"
    runs = read_runs(home.store)
    assert [each.status.value for each in runs] == ["success", "failure", "success"]
    events = [event for run in runs[1:] for event in run_events(run, run.status, DUE)]
    assert [(each.key, each.is_over) for each in events] == [("asset:raw/orders", False), ("asset:raw/orders", True)]


def test_partitions_that_come_while_the_project_is_loaded_are_observed(home: House) -> None:
    around = around_of(home)
    (home.folder / "versions.txt").write_text("2026-01-01 1\n2126-01-01 1\n")
    assert observed_by(around) == "raw/orders version 1: 1 new or changed, 0 gone"

    later = DUE.replace(year=2126)

    assert observed_by(around, later) == "raw/orders version 2: 1 new or changed, 0 gone"
