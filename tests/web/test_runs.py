"""Runs in the browser: which there were, how each went, and what is asked of one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.conftest import Here
from tests.web.client import Client

TABLES = """
import polars as pl
import deltaworks as dw

days = dw.DailyPartitions(start="2024-01-01", end="2024-01-04")

@dw.asset(partitions=days, partition_by="day")
def orders(partition: dw.Partition) -> pl.LazyFrame:
    print("ordering", partition.key)
    return pl.LazyFrame({"day": [partition.start], "amount": [1.5]})

@dw.asset(partitions=days, partition_by="day", name="mart/daily")
def daily(orders: pl.LazyFrame) -> pl.LazyFrame:
    raise ConnectionError("the <b>bank</b> is closed")

@dw.asset
def rates() -> pl.LazyFrame:
    return pl.LazyFrame({"rate": [1.1]})
"""


@pytest.fixture(scope="module")
def here(tmp_path_factory) -> Here:
    """A project with three runs: the first made the rates, the second failed at a table, the third made a day."""
    found = Here(tmp_path_factory.mktemp("runs"))
    found.write("tables.py", TABLES)
    lake = ("--lake", str(found.lake))
    assert found.run("materialize", "rates", *lake).code == 0
    assert found.run("backfill", "orders", "mart/daily", *lake, "--tag", "team=shop").code == 1
    assert found.run("materialize", "orders", "--partition", "2024-01-02", *lake).code == 0
    return found


@pytest.fixture(scope="module")
def client(here: Here) -> Client:
    return Client.of(Path(here.folder))


@pytest.fixture(scope="module")
def ids(client: Client) -> list[str]:
    """The ids of the runs, the first of them first."""
    return [each["run_id"] for each in client.get("/api/v1/runs").json["runs"]][::-1]


def test_runs_are_told_as_the_command_tells_them(client, here):
    assert client.get("/api/v1/runs").json["runs"] == here.run("runs", "list", "--json", "--lake", str(here.lake)).json


def test_runs_come_in_pages_the_latest_first(client, ids):
    first = client.get("/api/v1/runs?limit=2").json
    second = client.get(f"/api/v1/runs?limit=2&after={first['next']}").json

    assert [each["run_id"] for each in first["runs"] + second["runs"]] == ids[::-1]
    assert (first["total"], second["next"]) == (3, None)
    assert client.get("/api/v1/runs?after=nothing").status == 422


def test_the_list_is_filtered_by_its_address(client, ids):
    def shown(query: str) -> list[int]:
        text = client.get(f"/runs?{query}").text
        return [number for number, run in enumerate(ids) if f'href="/runs/{run}"' in text]

    assert shown("") == [0, 1, 2]
    assert shown("status=failure") == [1]
    assert shown("asset=orders") == [1, 2]
    assert shown("asset=orders&status=success") == [2]
    assert shown(f"after={ids[1]}") == [0]
    assert "No run is like that" in client.get("/runs?job=nothing").text
    assert client.get("/runs?status=bad").status == 422


def test_a_lake_without_runs_says_how_to_start_one(tmp_path):
    (tmp_path / "tables.py").write_text(TABLES)

    assert "No run yet." in Client.of(tmp_path).get("/runs").text
