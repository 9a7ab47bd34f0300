"""Whoever looks at a lake sees the same of it through Python, the pages and the REST API, wherever it lies."""

from __future__ import annotations

import datetime as dt
import os

import polars as pl
import pytest

import deltaworks as dw
from deltaworks.engine.workspace.project import Origin
from deltaworks.web.app import create_app
from deltaworks.web.http.roles import Auth
from deltaworks.web.workspace import Workspace
from tests.stores.home import CHAIN, Housed
from tests.web.client import Client


@pytest.fixture
def made(housed: Housed) -> Housed:
    """A project of which some days are made."""
    housed.given(CHAIN)
    housed.did("backfill", "base", "child", "--from", "2024-01-01", "--to", "2024-01-03")
    return housed


def client(housed: Housed) -> Client:
    origin = Origin(folder=housed.folder)
    return Client(create_app(Workspace(origin, os.environ, lambda: dt.datetime.now(dt.UTC)), Auth()))


@pytest.mark.telling
def test_pages_and_the_api_tell_what_the_commands_tell(made: Housed) -> None:
    asked = client(made)

    for page in ("/", "/assets", "/assets/base", "/runs"):
        answer = asked.get(page)
        assert answer.status == 200, page
    told = {each["asset"]: each for each in asked.get("/api/v1/assets").json["assets"]}

    known = made.status()
    assert {asset: each["version"] for asset, each in told.items()} == {
        asset: each["version"] for asset, each in known.items()
    }
    assert asked.get("/api/v1/assets/base/history").json == made.did("history", "base")
    preview = asked.get("/api/v1/assets/base/preview?partition=2024-01-02").json
    assert preview == made.did("show", "base", "--partition", "2024-01-02")
    (run,) = made.did("runs", "list")
    assert run["run_id"] in asked.get(f"/runs/{run['run_id']}").text


def test_a_page_of_a_lake_that_is_absent_says_that_everything_is_missing(housed: Housed) -> None:
    housed.given(CHAIN)

    answer = client(housed).get("/assets/base")

    assert answer.status == 200
    assert "missing" in answer.text
    assert housed.home.objects() == {}


def test_python_reads_and_makes_tables_where_it_is_told(made: Housed) -> None:
    lf = dw.read("base", lake=made.lake_uri, partition="2024-01-02")
    assert lf.collect()["n"].to_list() == [2]
    days = dw.DailyPartitions(start="2024-01-01", end="2024-01-03")

    @dw.asset(partitions=days, partition_by="day")
    def other(partition: dw.Partition) -> pl.LazyFrame:
        return pl.LazyFrame({"day": [partition.start], "n": [9]})

    report = dw.materialize([other], lake=made.lake_uri, partition="2024-01-02")

    assert report.entry.status == "success"
    assert made.rows("other") == [(dt.date(2024, 1, 2), 9)]
