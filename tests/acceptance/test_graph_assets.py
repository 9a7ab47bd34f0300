"""A table that ops make together: steps inside, one commit at the end; ports of what Dagster's users know."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pandera.polars as pa
import polars as pl
import pytest

import deltaworks as dw
from deltaworks import LazyFrame
from deltaworks.errors import InvalidDefinition, RunError
from tests.acceptance.conftest import Here


class Order(pa.DataFrameModel):
    shop: str
    amount: int


class Total(pa.DataFrameModel):
    shop: str
    amount: int = pa.Field(gt=0)


@dw.asset
def orders() -> LazyFrame[Order]:
    return pl.LazyFrame({"shop": ["a", "a", "b"], "amount": [1, 2, 4]})


@dw.op
def cleaned(orders: LazyFrame[Order]) -> LazyFrame[Order]:
    return orders.filter(pl.col("amount") > 1)


@dw.op
def totals(orders: LazyFrame[Order]) -> LazyFrame[Total]:
    return orders.group_by("shop").agg(pl.col("amount").sum()).sort("shop")


@dw.graph_asset
def per_shop(orders: LazyFrame[Order]) -> LazyFrame[Total]:
    """What each shop took."""
    return totals(cleaned(orders))


def read(asset: dw.Asset[..., Any], lake: Path) -> list[dict[str, Any]]:
    return dw.read(asset, lake=lake).collect().to_dicts()


def test_ops_make_a_table_that_is_committed_once(tmp_path: Path) -> None:
    report = dw.materialize([orders, per_shop], lake=tmp_path)

    assert report.entry.commits == 2
    assert read(per_shop, tmp_path) == [{"shop": "a", "amount": 2}, {"shop": "b", "amount": 4}]
    assert per_shop(orders().lazy()).collect().height == 2, "an asset stays a plain callable"
    assert per_shop.description == "What each shop took."


def test_the_contract_is_judged_on_what_the_graph_gives(tmp_path: Path) -> None:
    @dw.op
    def nothing(orders: LazyFrame[Order]) -> pl.LazyFrame:
        return orders.with_columns(amount=pl.col("amount") - 1)

    @dw.graph_asset
    def poor(orders: LazyFrame[Order]) -> LazyFrame[Total]:
        return nothing(orders)

    with pytest.raises(RunError, match=r"poor: .*amount"):
        dw.materialize([orders, poor], lake=tmp_path)

    assert not (tmp_path / "poor" / "_delta_log").exists()


class Rate(dw.Resource):
    factor: int = 10


class Offset(dw.Config):
    by: int = 0


def test_ops_fan_out_are_tried_again_and_get_resources_config_and_the_partition(tmp_path: Path) -> None:
    days = dw.DailyPartitions(start="2024-01-01", end="2024-01-03")
    tries: list[int] = []

    @dw.op(out=dw.DynamicOut())
    def parts(partition: dw.Partition) -> Iterator[dw.DynamicOutput[str]]:
        for shop in ("x", "y"):
            yield dw.DynamicOutput(f"{partition.key} {shop}", mapping_key=shop)

    @dw.op(retry=dw.RetryPolicy(max_retries=2, delay_s=0.0))
    def fetched(part: str, rate: Rate, offset: Offset, log: dw.Logger) -> pl.DataFrame:
        tries.append(len(tries))
        if len(tries) == 1:
            raise ConnectionError("not yet")
        log.info("fetched")
        day, shop = part.split()
        return pl.DataFrame({"day": [day], "shop": [shop], "amount": [rate.factor + offset.by]})

    @dw.op
    def joined(parts: list[pl.DataFrame]) -> dw.MaterializeResult[Any]:
        return dw.MaterializeResult(pl.concat(parts).with_columns(pl.col("day").str.to_date()), {"parts": len(parts)})

    @dw.graph
    def every() -> Any:
        return parts().map(fetched).collect()

    @dw.graph_asset(partitions=days, partition_by="day")
    def fetched_days() -> dw.MaterializeResult[Any]:
        return joined(every())

    dw.materialize(
        [fetched_days],
        lake=tmp_path,
        resources={"rate": Rate(factor=3)},
        config={"fetched_days": {"every": {"fetched": {"by": 1}}}},
        workers=1,
    )

    rows = dw.read(fetched_days, lake=tmp_path).sort("day", "shop").collect()
    assert len(tries) == 5
    assert rows["amount"].to_list() == [4, 4, 4, 4]
    assert rows["shop"].to_list() == ["x", "y", "x", "y"]


def test_an_op_that_fails_for_good_fails_the_step_by_its_name(tmp_path: Path) -> None:
    @dw.op(retry=dw.RetryPolicy(max_retries=1, delay_s=0.0))
    def broken(orders: LazyFrame[Order]) -> pl.LazyFrame:
        raise ValueError("no way")

    @dw.graph_asset(name="hopeless")
    def hope(orders: LazyFrame[Order]) -> LazyFrame[Total]:
        return totals(broken(orders))

    with pytest.raises(RunError, match=r"hopeless: op broken failed: ValueError: no way \(.*.py:\d+\)"):
        dw.materialize([orders, hope], lake=tmp_path)


def test_a_graph_ends_in_an_asset_and_a_job_makes_it(tmp_path: Path) -> None:
    @dw.graph
    def summed(orders: LazyFrame[Order]) -> LazyFrame[Total]:
        return totals(cleaned(orders))

    table = dw.graph_asset(name="shop/totals", group="gold")(summed)
    job = dw.define_asset_job("totals", [orders, table])

    dw.materialize([orders, table], lake=tmp_path)

    assert job.selection == ("orders", "shop/totals")
    assert [row["amount"] for row in read(table, tmp_path)] == [2, 4]


TABLES = """
import polars as pl
import deltaworks as dw

class Limit(dw.Config):
    least: int = 1

@dw.asset
def numbers() -> pl.LazyFrame:
    return pl.LazyFrame({"n": [1, 2, 3]})

@dw.op
def kept(numbers: pl.LazyFrame, limit: Limit) -> pl.LazyFrame:
    return numbers.filter(pl.col("n") >= limit.least)

@dw.graph_asset(config_counts=True)
def most(numbers: pl.LazyFrame) -> pl.LazyFrame:
    return kept(numbers)
"""


def test_the_code_and_the_config_of_its_ops_are_those_of_the_asset(here: Here) -> None:
    here.write("tables.py", TABLES)
    first = here.run("materialize", "*", "--config", "most.kept.least=1", "--json")
    assert first.code == 0, first.err
    checked = here.run("check", "--json")

    here.edit("tables.py", "least: int = 1", "least: int = 2")
    by_config = here.run("status", "most", "--partitions").out
    here.run("backfill")
    here.edit("tables.py", ">= limit", "> limit")
    by_code = here.run("status", "most", "--partitions").out
    here.run("backfill")

    assert checked.json["ok"], checked.out
    assert "config changed" in by_config
    assert "code: most changed" in by_code
    assert here.run("show", "most", "--json").json["rows"] == [{"n": 3}]


def test_definitions_that_make_no_sense_are_refused() -> None:
    @dw.op(pool="mail")
    def scarce() -> pl.LazyFrame: ...

    @dw.op
    def table(orders: Annotated[pl.LazyFrame, dw.In(asset="orders")]) -> pl.LazyFrame: ...

    @dw.op
    def number() -> int: ...

    with pytest.raises(InvalidDefinition, match="op 'scarce' has pool, which holds for steps of jobs only"):

        @dw.graph_asset
        def first() -> pl.LazyFrame:
            return scarce()

    with pytest.raises(InvalidDefinition, match="op 'table' reads table orders by itself; make it an argument"):

        @dw.graph_asset
        def second() -> pl.LazyFrame:
            return table()

    with pytest.raises(InvalidDefinition, match="does not fit its return annotation: int is no"):

        @dw.graph_asset
        def third() -> pl.LazyFrame:
            return number()

    with pytest.raises(InvalidDefinition, match="'rate' is no upstream asset; the function is called once, at load"):

        @dw.graph_asset
        def fourth(rate: Rate) -> pl.LazyFrame:
            return number()


@pytest.mark.parametrize(("retry_on", "calls"), [(ConnectionError, 2), (TimeoutError, 1)])
@pytest.mark.parametrize("of_op", [True, False])
def test_policies_of_ops_and_of_the_asset_tell_errors_apart(
    tmp_path: Path, retry_on: type[Exception], calls: int, *, of_op: bool
) -> None:
    tries: list[int] = []
    policy = dw.RetryPolicy(max_retries=1, delay_s=0.0, retry_on=[retry_on])

    @dw.op(retry=policy if of_op else None)
    def down(orders: LazyFrame[Order]) -> pl.LazyFrame:
        tries.append(1)
        raise ConnectionResetError("not yet")

    @dw.graph_asset(name="unreached", retry=None if of_op else policy)
    def reach(orders: LazyFrame[Order]) -> LazyFrame[Total]:
        return totals(down(orders))

    with pytest.raises(RunError, match="op down failed: ConnectionResetError: not yet"):
        dw.materialize([orders, reach], lake=tmp_path)

    assert len(tries) == calls
