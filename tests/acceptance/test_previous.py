"""Assets that are made from earlier partitions of their own: order, staleness, what is left out."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from threading import Event as Flag
from typing import Annotated, TypeAlias

import pandera.polars as pa
import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

import deltaworks as dw
from deltaworks import LazyFrame
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.execution.launch import launch
from deltaworks.engine.execution.observe import observe
from deltaworks.engine.execution.report import RunReport
from deltaworks.engine.planning.causes import status_groups
from deltaworks.engine.planning.explain import explain
from deltaworks.engine.planning.graph import AssetGraph, build_graph
from deltaworks.engine.planning.plan import DEFAULT_ONLY, Only, Plan, plan
from deltaworks.engine.planning.request import request
from deltaworks.engine.planning.status import Status
from deltaworks.errors import InvalidDefinition, RequestError
from deltaworks.io.store import Store

NOW = dt.datetime(2024, 6, 1, tzinfo=dt.UTC)
DAYS = 8
days = dw.DailyPartitions("2024-01-01", "2024-01-09")
KEYS = [days.key(number) for number in range(DAYS)]


class Amount(pa.DataFrameModel):
    day: pl.Date
    amount: int


@dw.asset(partitions=days, partition_by="day")
def flows(partition: dw.Partition) -> LazyFrame[Amount]:
    row = {"day": partition.start, "amount": partition.start.day}
    return pl.LazyFrame([row], schema_overrides={"amount": pl.Int64})


Balance: TypeAlias = dw.Asset[..., LazyFrame[Amount]]


def balance_of(factor: int = 1, fails_on: str | None = None) -> Balance:
    @dw.asset(
        partitions=days, partition_by="day", backfill=dw.BackfillPolicy.ranges(100), code_version=f"times {factor}"
    )
    def balance(flows: LazyFrame[Amount], yesterday: dw.Previous[Amount], partition: dw.Partition) -> LazyFrame[Amount]:
        assert partition.key != fails_on
        both = pl.concat([flows.select(pl.col("amount") * factor), yesterday.select("amount")])
        return both.select(day=pl.lit(partition.start), amount=pl.col("amount").sum())

    return balance


class Lake:
    """A lake with the two assets."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.store = folder, Store(folder, durable=False)

    def graph(self, balance: Balance) -> AssetGraph:
        return build_graph(dw.Definitions([flows, balance]), NOW)

    def plan(
        self,
        balance: Balance,
        keys: tuple[str, ...] = (),
        only: frozenset[Only] = DEFAULT_ONLY,
    ) -> Plan:
        graph = self.graph(balance)
        asked = request(graph, [graph.node("balance").key] if keys else tuple(graph.nodes), (), *(keys or (None, None)))
        return plan(graph, observe(graph, self.store).status, asked, only)

    def run(
        self,
        balance: Balance,
        keys: tuple[str, ...] = (),
        only: frozenset[Only] = DEFAULT_ONLY,
    ) -> RunReport:
        graph = self.graph(balance)
        seen = observe(graph, self.store)
        return launch(
            dw.Definitions([flows, balance]),
            graph,
            self.store,
            seen.tables,
            self.plan(balance, keys, only),
            workers=2,
            command="a test",
            environ={},
            now=lambda: NOW,
            tell=lambda _: None,
            stop=Flag(),
        )

    def status(self, balance: Balance) -> str:
        """One letter a day: m, f, s or e."""
        status = observe(self.graph(balance), self.store).status
        found = status[self.graph(balance).node("balance").key].status
        return "".join(Status(value).word[0] for value in found)

    def amounts(self) -> list[int]:
        return dw.read("balance", lake=self.folder).sort("day").collect()["amount"].to_list()

    def overwrite(self, table: str, day: str, amount: int) -> None:
        df = pl.DataFrame({"day": [dt.date.fromisoformat(day)], "amount": [amount]})
        write_deltalake(str(self.folder / table), df, mode="overwrite", predicate=f"day = '{day}'")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


def test_each_day_is_made_from_the_one_before_it_in_order(lake: Lake) -> None:
    report = lake.run(balance_of())

    assert (report.entry.materialized, report.entry.failed) == (2 * DAYS, 0)
    assert lake.amounts() == [sum(range(1, day + 1)) for day in range(1, DAYS + 1)]
    assert lake.status(balance_of()) == "f" * DAYS
    commits = DeltaTable(str(lake.folder / "balance")).history()
    made = [commit["deltaworks"]["groups"] for commit in commits if "deltaworks" in commit]
    assert [[group["keys"] for group in groups] for groups in made] == [[[key]] for key in reversed(KEYS)]


def test_a_change_makes_everything_after_it_stale_and_one_backfill_mends_it(lake: Lake) -> None:
    lake.run(balance_of())

    lake.overwrite("flows", KEYS[3], 100)

    assert lake.status(balance_of()) == "fffsssss"
    graph = lake.graph(balance_of())
    status = observe(graph, lake.store).status
    balance = status[graph.node("balance").key]
    direct, carried = [each for each in status_groups(balance, status) if each.status is Status.STALE]
    assert re.match(rf"data: flows {KEYS[3]} changed at version \d+ by an outside writer", direct.causes[0])
    assert re.match(
        rf"upstream: balance {KEYS[3]}\.\.{KEYS[6]} is stale, since data: flows {KEYS[3]} changed", carried.causes[0]
    )
    (last,) = explain(status, balance.node.key, PartitionSet.of([DAYS - 1], DAYS))
    assert [(list(each.partitions), each.own_causes != ()) for each in last.upstream] == [
        ([3], True),
        ([4, 5, 6], False),
    ]
    assert lake.run(balance_of()).entry.materialized == 5
    assert lake.status(balance_of()) == "f" * DAYS
    assert lake.amounts()[3:5] == [106, 111]


def test_a_day_in_the_middle_takes_those_after_it_along(lake: Lake) -> None:
    lake.run(balance_of())
    middle = (KEYS[2], KEYS[2])

    planned = lake.plan(balance_of(), only=frozenset({Only.ALL}), keys=(KEYS[2], KEYS[4]))
    assert planned.partition_count == 3
    lake.overwrite("balance", KEYS[2], 1000)

    assert lake.status(balance_of()) == "ffesssss"
    assert lake.run(balance_of(), middle).entry.materialized == 0
    assert lake.run(balance_of()).entry.materialized == 5
    assert lake.amounts()[2:5] == [1000, 1004, 1009]


def test_plans_are_closed_over_what_comes_after(lake: Lake) -> None:
    lake.run(balance_of())
    lake.overwrite("flows", KEYS[5], 100)

    decided = lake.plan(balance_of())

    assert {str(key): list(part) for key, part in decided.planned.items()} == {"balance": [5, 6, 7]}


def test_a_day_without_the_one_before_is_left_out_with_the_command_that_makes_both(lake: Lake) -> None:
    dw.materialize([flows], lake=lake.folder)
    lake.run(balance_of(), (KEYS[0], KEYS[0]))

    lacks = (
        f"balance {KEYS[3]}..{KEYS[5]}: it is made from balance {KEYS[2]}, which is missing. "
        f"Make both: `deltaworks backfill +balance --from {KEYS[1]} --to {KEYS[5]}`"
    )
    with pytest.raises(RequestError, match=re.escape(lacks)):
        lake.plan(balance_of(), (KEYS[3], KEYS[5]))
    dw.materialize([flows, balance_of()], lake=lake.folder, partition=KEYS[1])
    decided = lake.plan(balance_of(), (KEYS[1], KEYS[5]), only=frozenset({Only.ALL}))
    assert (decided.partition_count, decided.left_out) == (5, ())


def test_a_failed_day_blocks_those_after_it_and_the_rest_is_made_next_time(lake: Lake) -> None:
    report = lake.run(balance_of(fails_on=KEYS[4]))

    assert [failure.partition for failure in report.entry.failures] == [KEYS[4]]
    assert [blocked.key for blocked in report.blocked] == KEYS[5:]
    assert lake.status(balance_of()) == "ffffmmmm"
    assert lake.run(balance_of()).entry.materialized == 4
    assert lake.amounts()[-1] == 36


def test_changed_code_makes_all_days_again(lake: Lake) -> None:
    lake.run(balance_of())

    assert lake.status(balance_of(factor=2)) == "s" * DAYS
    assert lake.run(balance_of(factor=2)).entry.materialized == DAYS
    assert lake.amounts()[-1] == 72


def test_a_season_is_read_by_a_window_on_the_asset_itself(tmp_path: Path) -> None:
    @dw.asset(partitions=days, partition_by="day")
    def seasonal(
        partition: dw.Partition,
        before: Annotated[
            LazyFrame[Amount], dw.Input(asset="seasonal", mapping=dw.TimeWindowMapping(start_offset=-4, end_offset=-2))
        ],
    ) -> LazyFrame[Amount]:
        return before.select(day=pl.lit(partition.start), amount=pl.len().cast(pl.Int64))

    report = dw.materialize([seasonal], lake=tmp_path)

    assert report.entry.materialized == DAYS
    assert dw.read("seasonal", lake=tmp_path).sort("day").collect()["amount"].to_list() == [0, 0, 1, 2, 3, 3, 3, 3]


def test_a_missing_upstream_is_read_as_nothing_where_that_is_allowed(tmp_path: Path) -> None:
    @dw.asset(partitions=dw.DailyPartitions("2024-01-03", "2024-01-12"), partition_by="day")
    def counted(
        flows: Annotated[LazyFrame[Amount], dw.Input(allow_missing=True)], partition: dw.Partition
    ) -> LazyFrame[Amount]:
        return flows.select(day=pl.lit(partition.start), amount=pl.len().cast(pl.Int64))

    dw.materialize([flows], lake=tmp_path, partition=KEYS[:4])
    lake = Lake(tmp_path)
    graph = build_graph(dw.Definitions([flows, counted]), NOW)

    def decide(*names: str) -> Plan:
        keys = [graph.node(name).key for name in names]
        return plan(graph, observe(graph, lake.store).status, request(graph, keys))

    decided = decide("counted")
    assert (decided.partition_count, decided.left_out) == (9, ())
    report = launch(
        dw.Definitions([flows, counted]),
        graph,
        lake.store,
        observe(graph, lake.store).tables,
        decided,
        workers=1,
        command="a test",
        environ={},
        now=lambda: NOW,
        tell=lambda _: None,
        stop=Flag(),
    )
    assert report.entry.failed == 0
    found = dw.read("counted", lake=tmp_path).sort("day").collect()["amount"].to_list()
    assert found == [1, 1, 0, 0, 0, 0, 0, 0, 0]
    assert decide("counted").partition_count == 0, "what is still missing is no cause of staleness"

    dw.materialize([flows], lake=tmp_path, partition=KEYS[4])
    (part,) = decide("counted").planned.values()
    assert [graph.node("counted").partitions.key(each) for each in part] == [KEYS[4]]


def test_what_may_be_missing_may_also_fail_and_is_waited_for_no_longer(lake: Lake) -> None:
    @dw.asset(partitions=days, partition_by="day")
    def flows(partition: dw.Partition) -> LazyFrame[Amount]:
        assert partition.key != KEYS[2]
        return pl.LazyFrame([{"day": partition.start, "amount": partition.start.day}])

    @dw.asset(partitions=days, partition_by="day")
    def sums(
        flows: Annotated[LazyFrame[Amount], dw.Input(mapping=dw.TimeWindowMapping(-1, 0), allow_missing=True)],
        partition: dw.Partition,
    ) -> LazyFrame[Amount]:
        return flows.select(day=pl.lit(partition.start), amount=pl.col("amount").sum())

    definitions = dw.Definitions([flows, sums])
    graph = build_graph(definitions, NOW)
    seen = observe(graph, lake.store)

    report = launch(
        definitions,
        graph,
        lake.store,
        seen.tables,
        plan(graph, seen.status, request(graph, tuple(graph.nodes))),
        workers=2,
        command="a test",
        environ={},
        now=lambda: NOW,
        tell=lambda _: None,
        stop=Flag(),
    )

    assert [(failure.asset, failure.partition) for failure in report.entry.failures] == [("flows", KEYS[2])]
    assert report.blocked == ()
    assert dw.read("sums", lake=lake.folder).sort("day").collect()["amount"].to_list() == [1, 3, 2, 4, 9, 11, 13, 15]


def reads_itself(mapping: object) -> Balance:
    read = Annotated[LazyFrame[Amount], dw.Input(mapping=mapping)]  # type: ignore[arg-type]

    @dw.asset(partitions=days, partition_by="day")
    def own(own: read) -> LazyFrame[Amount]:  # type: ignore[valid-type]
        return own

    return own


@pytest.mark.parametrize(
    "mapping", [None, dw.IdentityMapping(), dw.TimeWindowMapping(-3, 0), dw.AllPartitionsMapping()]
)
def test_an_asset_reads_only_what_came_before(mapping: object) -> None:
    with pytest.raises(InvalidDefinition, match=r"argument 'own' reads the asset itself.*Previous\[Model\]"):
        build_graph(dw.Definitions([reads_itself(mapping)]), NOW)


def test_previous_needs_partitions_of_time() -> None:
    @dw.asset(partitions=dw.StaticPartitions(["2024-01-01"]), partition_by="day")
    def own(before: dw.Previous[Amount]) -> LazyFrame[Amount]:
        return before

    with pytest.raises(
        InvalidDefinition, match="'before': Previous needs partitions of one time, but the asset's are the key"
    ):
        build_graph(dw.Definitions([own]), NOW)
