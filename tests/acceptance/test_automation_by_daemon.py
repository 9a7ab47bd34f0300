"""A daemon acts on conditions: it starts so much at a time, is stopped and started, and does what was simulated."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from tests.acceptance.conftest import Here, Project
from tests.acceptance.running import started, wait_until
from tests.acceptance.shop import open_shop

EAGER = "automation=dw.AutomationCondition.eager()"


MANY = """
import polars as pl
import deltaworks as dw

hours = dw.HourlyPartitions(start="2010-01-01T00:00Z", end="2021-06-01T00:00Z")

@dw.asset(partitions=hours, partition_by="hour", automation=dw.AutomationCondition.eager(), max_per_tick=2)
def many(partition: dw.Partition) -> pl.LazyFrame:
    return pl.LazyFrame({"hour": [partition.start], "n": [1]})

@dw.asset(automation=dw.AutomationCondition.eager())
def other() -> pl.LazyFrame:
    return pl.LazyFrame({"n": [1]})
"""


def ticks(project: Project) -> list[dict[str, Any]]:
    """Those that asked for something, the oldest first."""
    done = project.run("automation", "ticks", "-n", "1000", "--json")
    assert done.code == 0, done.err
    return [each for each in reversed(done.json["ticks"]) if each["requests"]]


def asked(project: Project) -> list[dict[str, list[list[str]]]]:
    """What the ticks asked for: ranges by asset."""
    return [
        {asset: ends for each in tick["requests"] for asset, ends in each["assets"].items()} for tick in ticks(project)
    ]


def commits(project: Project, asset: str) -> int:
    return len(list((project.lake / asset / "_delta_log").glob("*.json")))


def quiet(project: Project) -> bool:
    """Whether no run of conditions is awaited or goes on."""
    return not list((project.lake / "_deltaworks/claims/ticks/_conditions").glob("*/*/*"))


def test_a_daemon_does_what_a_simulation_of_its_history_says(here: Here) -> None:
    shop = open_shop(here)
    here.edit("tables.py", "@dw.asset\n", f"@dw.asset({EAGER})\n")
    here.edit("tables.py", "@dw.asset(partitions=days", f"@dw.asset({EAGER}, partitions=days")
    began = dt.datetime.now(dt.UTC)

    def made(deed: Callable[[], object]) -> None:
        """Wait until what somebody did has led to another total."""
        before = commits(here, "total")
        deed()
        wait_until(lambda: commits(here, "total") > before and quiet(here), "what is made from it")

    with started(here, "daemon", "-f", "tables.py") as daemon:
        wait_until(lambda: commits(here, "total") > 0 and quiet(here), "the first tick")
        made(lambda: shop.order(2, 5))
        here.run("automation", "stop")
        wait_until(lambda: here.run("daemon", "--status", "--json").json["daemons"][0]["on"] == 0, "the stop")
        shop.rate(2.0)
        assert here.run("automation", "list", "--json").json["is_on"] is False
        made(lambda: here.run("automation", "start"))
        daemon.terminate()
        assert daemon.wait(60) == 0

    done = asked(here)
    since = ["--since", began.isoformat(), "--every", "0.001"]
    simulated = here.run("automation", "simulate", *since, "--json")
    assert simulated.code == 0, simulated.err
    ranges = [
        {each["asset"]: each["partitions"]["ranges"] for each in tick["requests"]} for tick in simulated.json["ticks"]
    ]
    every = [["2024-01-01", "2024-01-05"]]
    whole = [["", ""]]
    assert done == [
        {"daily": [["2024-01-01", "2024-01-04"]], "total": whole},
        {"daily": [["2024-01-02", "2024-01-02"], ["2024-01-05", "2024-01-05"]], "total": whole},
        {"daily": every, "total": whole},
    ]
    assert ranges == done


def test_a_hundred_thousand_missing_partitions_begin_with_a_few_and_are_stopped_at_once(here: Here) -> None:
    here.write("tables.py", MANY)

    made = here.run("automation", "tick", "--json")

    assert (made.code, made.json["totals"]["materialized"]) == (0, 3), made.err
    (tick,) = ticks(here)
    assert tick["left"] == {"many": 100_054}
    assert tick["requests"][0]["assets"]["many"] == [["2021-05-31T22:00Z", "2021-05-31T23:00Z"]]
    told = "1 run: many 2021-05-31T22:00Z..2021-05-31T23:00Z, other; 100,054 partitions wait"
    assert told in here.run("automation", "ticks").out
    many, other = here.run("automation", "list", "--json").json["conditions"]
    assert (many["asset"], many["is_on"], many["requested"], many["waiting"]) == ("many", True, 2, 100_054)
    assert other["is_on"] is True
    assert here.run("automation", "stop", "many").out == "automation of many: stopped\n"
    assert here.run("automation", "tick", "--json").json["requests"] == []
    assert [each["is_on"] for each in here.run("automation", "list", "--json").json["conditions"]] == [False, True]
    assert here.run("automation", "start", "many").code == 0
    assert here.run("automation", "tick", "--json").json["totals"]["materialized"] == 2
    assert (
        "There is no asset 'man' that has a condition. Did you mean 'many'?"
        in here.run("automation", "stop", "man").sentence
    )


def test_a_run_makes_what_its_tick_asked_for_unless_somebody_has_stopped_that(here: Here) -> None:
    shop = open_shop(here)
    here.edit("tables.py", "@dw.asset(partitions=days", f"@dw.asset({EAGER}, partitions=days")
    assert here.run("automation", "tick").code == 0
    (tick,) = ticks(here)
    (request,) = tick["requests"]
    again = ("automation", "run", "--tick", f"_conditions/{tick['tick']}", "--run-id", request["run_id"])

    assert commits(here, "daily") == 2
    assert here.run(*again).code == 0
    assert commits(here, "daily") == 2, "what an earlier attempt has committed is not made again"
    assert "has not asked for run 'r1'" in here.run(*again[:-1], "r1").sentence
    shop.order(1)
    here.run("automation", "stop", "daily")
    assert here.run(*again).sentence.startswith("Automation was stopped meanwhile")
    assert commits(here, "daily") == 2
