"""Conditions through the commands: why something was not asked for, and what would have been."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import deltaworks as dw
from deltaworks.engine.automation.conditions.evaluate import groups
from deltaworks.engine.automation.conditions.rounds import Rounds
from deltaworks.engine.execution.launch import launch
from deltaworks.engine.execution.observe import observe
from deltaworks.engine.execution.stop import Stop
from deltaworks.engine.planning.plan import Only, plan
from deltaworks.engine.planning.request import Request
from deltaworks.engine.workspace.project import Origin, load_project
from deltaworks.errors import InvalidDefinition
from tests.acceptance.conftest import Here, own_imports
from tests.acceptance.shop import Shop, open_shop

EAGER = "automation=dw.AutomationCondition.eager()"


@pytest.fixture
def shop(here: Here) -> Shop:
    shop = open_shop(here)
    here.edit("tables.py", "@dw.asset\n", f"@dw.asset({EAGER})\n")
    text = (here.folder / "tables.py").read_text()
    here.write("tables.py", text.replace("@dw.asset(partitions=days", f"@dw.asset({EAGER}, partitions=days"))
    return shop


class Daemon:
    """Does in this process what a daemon does: ticks, and carries out what is asked for."""

    def __init__(self, shop: Shop) -> None:
        with own_imports(shop.project.folder):
            self.project = load_project(Origin(file=shop.project.folder / "tables.py"), {}, dt.datetime.now(dt.UTC))
        self.rounds = Rounds(self.project.graph, self.project.store)
        self.cursor: str | None = None

    def carry_out(self) -> dict[str, int]:
        project, tick = self.project, self.rounds.tick(dt.datetime.now(dt.UTC), self.cursor)
        self.cursor = self.rounds.keep() or self.cursor
        if tick.requests:
            seen = observe(project.graph, project.store)
            launch(
                project.definitions,
                project.graph,
                project.store,
                seen.tables,
                plan(project.graph, seen.status, Request(tick.requests), frozenset({Only.ALL})),
                workers=1,
                command="a test",
                environ={},
                now=lambda: dt.datetime.now(dt.UTC),
                tell=lambda _: None,
                stop=Stop(),
            )
        return {str(key): len(chosen) for key, chosen in tick.requests.items()}


def automation(shop: Shop, *arguments: str) -> Any:
    done = shop.project.run("why", *arguments, "--json")
    assert done.code == 0, done.err
    return done.json["automation"]


def test_why_says_what_would_be_decided_where_nobody_decides(shop: Shop) -> None:
    found = automation(shop, "daily")

    assert (found["condition"], found["at"]) == ("eager()", None)
    assert [(each["partitions"]["ranges"], each["sentence"]) for each in found["decisions"]] == [
        ([["2024-01-05", "2024-01-05"]], "not requested: upstream orders missing for 2024-01-05"),
        ([["2024-01-01", "2024-01-04"]], "requested: eager() asks for it"),
    ]
    told = shop.project.run("why", "daily", "--partition", "2024-01-05")
    assert "automation: eager(), if it were evaluated now" in told.out
    assert "daily 2024-01-05 not requested: upstream orders missing for 2024-01-05" in told.out


def test_why_says_what_a_daemon_decided(shop: Shop) -> None:
    daemon = Daemon(shop)
    assert daemon.carry_out() == {"daily": 4, "total": 1}
    daemon.carry_out()

    found = automation(shop, "daily")
    assert found["at"].endswith("Z")
    assert found["unasked"]["ranges"] == [["2024-01-01", "2024-01-04"]]
    assert (
        automation(
            shop,
            "total",
        )["decisions"]
        == []
    )
    assert automation(shop, "orders") is None


def test_a_simulation_lists_what_a_daemon_really_made(shop: Shop) -> None:
    daemon, began = Daemon(shop), dt.datetime.now(dt.UTC)
    did = [daemon.carry_out()]
    shop.order(2)
    did += [daemon.carry_out(), daemon.carry_out()]
    shop.order(5)
    did.append(daemon.carry_out())
    shop.rate(2.0)
    did.append(daemon.carry_out())

    since = ["--since", began.isoformat(), "--every", "0.001"]
    done = shop.project.run("automation", "simulate", *since, "--json")

    assert done.code == 0, done.err
    found = [{each["asset"]: each["partitions"]["count"] for each in tick["requests"]} for tick in done.json["ticks"]]
    counts = ((4, 1), (1, 1), (1, 1), (5, 1))
    assert found == [each for each in did if each] == [{"daily": daily, "total": total} for daily, total in counts]
    assert done.json["totals"] == {"ticks": 4, "partitions": 15}
    assert "15 partitions would have been made at 4 ticks" in shop.project.run("automation", "simulate", *since).out


def test_a_simulation_replays_commits_by_their_versions_where_a_writer_s_clock_went_back(shop: Shop) -> None:
    shop.order(2)
    commit = Path(shop.orders) / "_delta_log" / f"{1:020}.json"
    told = re.sub(r'"timestamp":(\d+)', lambda found: f'"timestamp":{int(found[1]) - 60_000}', commit.read_text())
    commit.write_text(told)

    done = shop.project.run("automation", "simulate", "--since", "2024-01-01", "--json")

    assert done.code == 0, done.err
    assert [each["partitions"]["count"] for each in done.json["ticks"][-1]["requests"]] == [4, 1]


def test_a_tick_makes_what_is_asked_for_and_the_next_one_nothing(shop: Shop) -> None:
    run = shop.project.run
    dry = run("automation", "tick", "--dry-run")
    assert "daily 2024-01-01..2024-01-04 requested: eager() asks for it" in dry.out
    assert "2 conditions: 5 partitions asked for" in dry.out
    assert automation(shop, "daily")["at"] is None, "a dry run leaves nothing"

    made = run("automation", "tick", "--json")
    assert (made.code, made.json["totals"]["materialized"]) == (0, 5), made.err
    assert run("automation", "tick", "--json").json["requests"] == []
    shop.order(3)
    assert run("automation", "tick", "--json").json["totals"]["materialized"] == 2
    assert {each["job"] for each in run("runs", "list", "--json").json} == {None}


def test_what_a_tick_could_not_begin_is_asked_for_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    run = shop.project.run

    class Stopped(BaseException):
        pass

    def stop(*_: object, **_named: object) -> None:
        raise Stopped

    with monkeypatch.context() as patched:
        patched.setattr("deltaworks.engine.workspace.doing.launch", stop)
        with pytest.raises(Stopped):
            run("automation", "tick")

    made = run("automation", "tick", "--json")
    assert (made.code, made.json["totals"]["materialized"]) == (0, 5), made.err


def test_a_simulation_needs_a_condition_and_a_time_that_is_over(here: Here) -> None:
    open_shop(here)

    assert "No asset has a condition" in here.run("automation", "simulate", "--since", "2024-01-01").sentence
    here.edit("tables.py", "@dw.asset\n", f"@dw.asset({EAGER})\n")
    assert "'soon' is no time" in here.run("automation", "simulate", "--since", "soon").sentence
    assert "is not over yet" in here.run("automation", "simulate", "--since", "2999-01-01").sentence


SEVERAL = """
from collections.abc import Mapping
from pathlib import Path
import polars as pl
import deltaworks as dw

eager = dw.AutomationCondition.eager()
days = dw.DailyPartitions(start="2024-01-01", end="2024-01-04")

@dw.multi_asset(
    outs={"small": dw.AssetSpec(), "large": dw.AssetSpec(), "still": dw.AssetSpec(automation=~eager)},
    partitions=days, partition_by="day", automation=eager, max_per_tick=2,
)
def cut(partition: dw.Partition) -> Mapping[str, pl.LazyFrame]:
    with Path(__file__).with_name("calls.txt").open("a") as calls:
        calls.write(f"{partition.key}\\n")
    return {name: pl.LazyFrame({"day": [partition.start], "n": [1]}) for name in ("small", "large", "still")}

@dw.op
def counted(small: pl.LazyFrame) -> pl.LazyFrame:
    return small.select(pl.len().cast(pl.Int64))

@dw.graph_asset(automation=eager, max_per_tick=1)
def count(small: pl.LazyFrame) -> pl.LazyFrame:
    return counted(small)
"""


def test_outputs_of_one_function_and_tables_of_ops_have_conditions_too(here: Here) -> None:
    here.write("tables.py", SEVERAL)

    with own_imports(here.folder):
        project = load_project(Origin(file=here.folder / "tables.py"), {}, dt.datetime.now(dt.UTC))
    asked = Rounds(project.graph, project.store).tick(dt.datetime.now(dt.UTC)).requests
    ticks = [here.run("automation", "tick", "--json").json for _ in range(3)]

    assert {str(key): list(chosen) for key, chosen in asked.items()} == {"small": [1, 2], "large": [1, 2]}
    assert [sorted(map(str, each)) for each in groups(project.graph, asked)] == [["large", "small"]], "one call"
    assert [tick.get("totals", {}).get("materialized") for tick in ticks] == [4, 3, None]
    assert sorted((here.folder / "calls.txt").read_text().split()) == ["2024-01-01", "2024-01-02", "2024-01-03"]


def test_a_condition_of_outputs_that_is_none_is_refused() -> None:
    def make() -> dict[str, pl.LazyFrame]:
        return {"one": pl.LazyFrame({"n": [1]})}

    with pytest.raises(InvalidDefinition, match="asset 'one': automation must be a condition such as"):
        dw.multi_asset(outs={"one": dw.AssetSpec()}, automation="eager")(make)  # type: ignore[arg-type]
