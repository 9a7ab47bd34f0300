"""Whoever looks at a lake in an object store again and again asks little, and still sees what runs commit at once."""

from __future__ import annotations

import datetime as dt
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.execution.observer import Observer
from deltaworks.engine.workspace.project import Origin, load_project
from deltaworks.web.workspace import Workspace
from tests.stores.conftest import reach
from tests.stores.home import Home, Housed
from tests.stores.proxy import Proxy, proxied
from tests.stores.servers import Server

TABLES = """
@dw.asset
def first() -> pl.LazyFrame:
    return pl.LazyFrame({"n": [1]})

@dw.asset
def second() -> pl.LazyFrame:
    return pl.LazyFrame({"n": [2]})
"""


@pytest.fixture
def proxy(s3: Server) -> Iterator[Proxy]:
    with proxied(s3) as found:
        yield found


@pytest.fixture
def housed(proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Housed:
    reach(proxy.server, monkeypatch)
    project = Housed(tmp_path, home=Home(f"{proxy.server.root}/{tmp_path.name}")).given(TABLES)
    project.did("backfill")
    return project


def version(observer: Observer, asset: str, *, patient: bool) -> int:
    return observer.observe(patient=patient).tables[AssetKey(asset)].version


def be_patient_for(wait_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deltaworks.engine.execution.observer.FAR_LEAST_S", wait_s)
    monkeypatch.setattr("deltaworks.engine.execution.observer.FAR_TABLE_S", 0.0)


def test_a_patient_observer_looks_at_the_logs_when_a_run_has_written_and_else_now_and_then(
    housed: Housed, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    be_patient_for(3600.0, monkeypatch)
    project = load_project(Origin(folder=housed.folder), os.environ, dt.datetime.now(dt.UTC))
    observer = Observer(project.graph, project.store)
    made = version(observer, "first", patient=True)  # the first look is at everything
    assert made >= 0

    proxy.counted()
    before = observer.observe(patient=True)
    assert proxy.counted() == {"list": 2}  # runs, and those that are folded

    housed.home.append("lake/first", pl.DataFrame({"n": [3]}))
    proxy.counted()
    assert version(observer, "first", patient=True) == made  # others have committed
    assert version(observer, "first", patient=False) == made + 1
    assert proxy.counted()["head"] > 0

    housed.did("materialize", "second")
    assert version(observer, "second", patient=True) == made + 1
    assert observer.observe(patient=True).status[AssetKey("second")] is not before.status[AssetKey("second")]

    housed.home.append("lake/second", pl.DataFrame({"n": [4]}))
    assert version(observer, "second", patient=True) == made + 1
    be_patient_for(0.0, monkeypatch)
    assert version(observer, "second", patient=True) == made + 2
    project.close()


def test_a_page_is_of_the_lake_as_it_is_also_right_after_a_part_that_was_patient(
    housed: Housed, monkeypatch: pytest.MonkeyPatch
) -> None:
    be_patient_for(3600.0, monkeypatch)
    monkeypatch.setattr("deltaworks.web.workspace.LOOK_S", 3600.0)
    workspace = Workspace(Origin(folder=housed.folder), os.environ, lambda: dt.datetime.now(dt.UTC))
    made = workspace.sight(patient=True).observation.tables[AssetKey("first")].version

    housed.home.append("lake/first", pl.DataFrame({"n": [3]}))

    assert workspace.sight(patient=True).observation.tables[AssetKey("first")].version == made
    assert workspace.sight().observation.tables[AssetKey("first")].version == made + 1
    assert workspace.sight() is workspace.sight(patient=True)
    workspace.close()


def test_an_observer_of_other_assets_looks_at_once(housed: Housed, monkeypatch: pytest.MonkeyPatch) -> None:
    be_patient_for(3600.0, monkeypatch)
    project = load_project(Origin(folder=housed.folder), os.environ, dt.datetime.now(dt.UTC))
    observer = Observer(project.graph, project.store)
    observer.observe()
    housed.given(TABLES + "\n@dw.asset\ndef third() -> pl.LazyFrame:\n    return pl.LazyFrame({'n': [3]})\n")
    monkeypatch.delitem(sys.modules, "tables")
    again = load_project(Origin(folder=housed.folder), os.environ, dt.datetime.now(dt.UTC))

    observer.follow(again.graph)

    assert set(map(str, observer.observe(patient=True).tables)) == {"first", "second", "third"}
    project.close()
    again.close()
