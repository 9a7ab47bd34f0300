"""The first page: what needs attention is named, the gravest first, with where to go."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import pytest

from deltaworks.io.heartbeats import Heartbeat, write_heartbeat
from deltaworks.io.marks import Mark, advance_mark
from deltaworks.io.process import Process
from deltaworks.io.store import Store
from deltaworks.io.ticks import TickEntry, TickKind, TickOutcome, decide_tick, instant_id
from tests.acceptance.conftest import Here
from tests.web.client import Client

TABLES = """
import datetime as dt
import deltaworks as dw
import polars as pl

@dw.asset(freshness=dw.FreshnessPolicy(dt.timedelta(days=1)))
def orders() -> pl.DataFrame:
    return pl.DataFrame({"n": [1, 2]})

@dw.asset_check(orders, when="after")
def few(result: pl.LazyFrame) -> dw.CheckResult:
    return dw.CheckResult(False, message="2 rows, 1 expected", severity="fail")

make = dw.define_asset_job("make", orders)
nightly = dw.define_schedule("nightly", job=make, cron="0 5 * * *")

@dw.sensor(job=make, is_on=False)
def mail(): ...
"""


@pytest.fixture
def here(tmp_path: Path) -> Here:
    found = Here(tmp_path)
    found.write("tables.py", TABLES)
    return found


def needs(folder: Path) -> list[tuple[str, str, str]]:
    """Status, address and words of each line."""
    text = Client.of(folder).get("/").text.partition('aria-labelledby="needs"')[2].partition("</section>")[0]
    lines = [line for line in text.split("<li>") if 'class="glyph' in line]
    return [
        (
            re.findall(r"glyph s-(\w+)", line)[0],
            re.findall(r'href="(/[^"]*)"><strong>', line)[0],
            " ".join(re.sub(r"<[^>]*>", " ", line).split()),
        )
        for line in lines
    ]


def lake(here: Here) -> Store:
    return Store.at(str(here.lake))


def test_a_daemon_that_is_gone_is_missed_only_by_what_is_on(here: Here) -> None:
    [(status, href, told)] = needs(here.folder)
    assert (status, href) == ("failed", "/daemon")
    assert "has never run: nothing begins by itself, and 1 schedule should" in told

    own, now = Process.current(), dt.datetime.now(dt.UTC).isoformat()
    write_heartbeat(lake(here), Heartbeat("one", own.host, own.pid, now, now, born=own.born))

    assert needs(here.folder) == []


def test_a_schedule_that_owes_a_tick_is_late_and_one_that_was_never_watched_is_not(here: Here) -> None:
    long_ago = dt.datetime.now(dt.UTC).replace(hour=5, minute=0, second=0, microsecond=0) - dt.timedelta(days=2)
    assert len(needs(here.folder)) == 1

    advance_mark(lake(here), "nightly", Mark(instant_id(long_ago)))

    late = needs(here.folder)[-1]
    assert late[:2] == ("stale", "/schedules/nightly")
    assert "is late: nobody has decided the tick that was due 1" in late[2]


def test_a_tick_that_failed_is_told_with_its_reason(here: Here) -> None:
    at = dt.datetime.now(dt.UTC).replace(second=0, microsecond=0)
    text = f"ValueError: no ({here.folder}/tables.py:3)\nmore"
    told = ("nightly", TickKind.SCHEDULE, instant_id(at), at.isoformat(), at.isoformat(), TickOutcome.FAILED)
    decide_tick(lake(here), TickEntry(*told, error=text))

    assert ("failed", "/schedules/nightly") in [each[:2] for each in needs(here.folder)]
    assert any("its last tick failed: ValueError: no (tables.py:3)" in each[2] for each in needs(here.folder))


def test_a_check_that_did_not_hold_is_told_until_it_does(here: Here) -> None:
    here.run("materialize", "orders")

    [told] = [each for each in needs(here.folder) if each[1] == "/assets/orders/checks"]
    assert told[0] == "failed"
    assert "check few failed: 2 rows, 1 expected" in told[2]

    checks = Client.of(here.folder).get("/assets/orders/checks").text
    row = checks.partition("<strong>few</strong>")[2].partition("</tr>")[0]
    assert 'class="f-failed"' in row

    here.edit("tables.py", "CheckResult(False", "CheckResult(True")
    here.run("materialize", "orders")

    assert "/assets/orders/checks" not in [each[1] for each in needs(here.folder)]


def test_the_next_tick_of_what_is_on_is_told(here: Here) -> None:
    text = Client.of(here.folder).get("/").text
    assert re.search(r'<a href="/schedules/nightly" title="runs make">nightly</a><em><time[^>]*>in ', text)

    here.run("schedule", "stop", "nightly")

    assert "Every schedule is off." in Client.of(here.folder).get("/").text


def test_the_time_line_is_as_long_as_the_address_says_or_as_the_runs_need(here: Here) -> None:
    client = Client.of(here.folder)
    assert "Last 24 hours" in client.get("/").text
    here.run("materialize", "orders")

    assert "Last 15 minutes" in Client.of(here.folder).get("/").text
    assert "Last 6 hours" in client.get("/?window=6h").text
    assert client.get("/?window=7h").status == 422


def test_a_project_is_called_by_its_name_or_else_its_folder(here: Here) -> None:
    assert f"<span>{here.folder.name}</span>" in Client.of(here.folder).get("/").text


def test_a_new_lake_is_told_what_can_be_made(tmp_path):
    (tmp_path / "tables.py").write_text(
        "import deltaworks as dw, polars as pl\n@dw.asset\ndef orders() -> pl.LazyFrame: ...\n"
    )

    text = Client.of(tmp_path).get("/").text

    assert "Nothing was made yet" in text
    assert "no asset has failed" not in text
    assert 'href="/backfills/new"' in text
