"""Several tables by one function: one call, a contract, a status and commits for each, and what is missing is made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandera.polars as pa
import polars as pl
import pytest

import deltaworks as dw
from deltaworks import LazyFrame
from deltaworks.errors import InvalidDefinition, RunError
from tests.acceptance.conftest import Here, Project

TABLES = """
import datetime as dt
from collections.abc import Mapping
from pathlib import Path
import pandera.polars as pa
import polars as pl
import deltaworks as dw
from deltaworks import LazyFrame

HERE = Path(__file__).parent

class Order(pa.DataFrameModel):
    day: pl.Date
    amount: int

class Large(pa.DataFrameModel):
    day: pl.Date
    amount: int = pa.Field(gt=FLOOR)

days = dw.DailyPartitions(start="2024-01-01", end="2024-01-07")

@dw.asset(partitions=days, partition_by="day")
def orders(partition: dw.Partition) -> LazyFrame[Order]:
    day = dt.date.fromisoformat(partition.key)
    return pl.LazyFrame({"day": [day] * 3, "amount": [1, 5, 10 + day.day]})

@dw.multi_asset(
    outs={"small": dw.AssetSpec(Order), "large": dw.AssetSpec(Large, key="shop/large", group="gold")},
    can_subset=True, partitions=days, partition_by="day", OPTIONS
)
def cut(orders: LazyFrame[Order], partition: dw.Partition, wanted: dw.Wanted) -> Mapping[str, pl.LazyFrame]:
    with (HERE / "calls.txt").open("a") as calls:
        calls.write(f"{partition.keys[0]}..{partition.keys[-1]} {','.join(sorted(wanted))}\\n")
    if (HERE / f"fails-{partition.keys[0]}").exists():
        (HERE / f"fails-{partition.keys[0]}").unlink()
        raise ConnectionError("try again")
    found = {"small": orders.filter(pl.col("amount") < 3), "large": orders.filter(pl.col("amount") > 3)}
    return {name: lf for name, lf in found.items() if name in wanted}

@dw.asset(partitions=days, partition_by="day")
def below_small(small: LazyFrame[Order]) -> LazyFrame[Order]:
    return small

@dw.asset(partitions=days, partition_by="day")
def below_large(large: Annotated[LazyFrame[Large], dw.Input(asset="shop/large")]) -> LazyFrame[Large]:
    return large
"""


def write(here: Here, options: str = "", floor: str = "3") -> None:
    text = TABLES.replace("OPTIONS", options).replace("FLOOR", floor)
    here.write("tables.py", text.replace("import pandera", "from typing import Annotated\nimport pandera"))


def calls(here: Here) -> list[str]:
    """The calls of the function since this was asked last."""
    path = here.folder / "calls.txt"
    found = path.read_text().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return sorted(found)


def fresh(here: Here) -> dict[str, int]:
    return {asset: each["partitions"]["fresh"] for asset, each in here.status().items()}


def day(number: int, wanted: str = "large,small") -> str:
    return f"2024-01-0{number}..2024-01-0{number} {wanted}"


def test_one_call_makes_all_outputs_and_each_has_commits_of_its_own_under_one_run(here: Here) -> None:
    write(here)

    done = here.run("backfill", "--json")

    assert done.json["totals"]["materialized"] == 30, done.err
    assert calls(here) == [day(number) for number in range(1, 7)]
    runs = {each["run_id"] for asset in ("small", "shop/large") for each in here.run("history", asset, "--json").json}
    assert runs == {done.json["run_id"]}
    assert set(fresh(here).values()) == {6}
    assert here.run("check").code == 0
    assert {each["group"] for each in here.run("list", "shop/large", "--json").json["assets"]} == {"gold"}


def test_a_call_makes_what_is_wanted_and_no_more(here: Here) -> None:
    write(here)
    here.run("backfill")
    calls(here)

    here.run("wipe", "shop/large", "--partition", "2024-01-02", "--yes")
    here.run("materialize", "orders", "--partition", "2024-01-04")
    here.run("backfill")

    assert calls(here) == [day(2, "large"), day(4)]
    assert set(fresh(here).values()) == {6}
    here.run("materialize", "small", "--partition", "2024-01-05")
    assert calls(here) == [day(5, "small")]


def test_ranges_share_calls_too(here: Here) -> None:
    write(here, "backfill=dw.BackfillPolicy.ranges(max_partitions=4)")
    here.run("backfill", "orders")

    here.run("backfill", "small", "--to", "2024-01-02", "--from", "2024-01-01")
    here.run("backfill", "--workers", "1")

    # What only one of them lacks is no part of a call for both.
    assert calls(here) == [
        "2024-01-01..2024-01-02 large",
        "2024-01-01..2024-01-02 small",
        "2024-01-03..2024-01-06 large,small",
    ]
    assert set(fresh(here).values()) == {6}


def test_a_failing_contract_of_one_output_stops_only_its_own_downstream(here: Here) -> None:
    write(here, floor="4 if True else 0")
    here.edit("tables.py", "[1, 5, 10 + day.day]", "[1, 4 if day.day == 3 else 5, 9]")

    done = here.run("backfill", "--json")

    assert [each["asset"] for each in done.json["failures"]] == ["shop/large"]
    assert done.json["totals"] | {"commits": 0} == done.json["totals"] | {
        "materialized": 28,
        "failed": 1,
        "skipped": 1,
        "commits": 0,
    }
    assert fresh(here) == {"orders": 6, "small": 6, "shop/large": 5, "below_small": 6, "below_large": 5}


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_a_call_that_fails_is_tried_again_once_for_all_that_it_was_to_make(here: Here, executor: str) -> None:
    write(here, "retry=dw.RetryPolicy(max_retries=1, delay_s=0.0)")
    (here.folder / "fails-2024-01-03").touch()

    done = here.run("backfill", "--json", "--executor", executor, "--workers", "2")

    assert done.code == 0, done.err
    assert calls(here) == sorted([*(day(number) for number in range(1, 7)), day(3)])


def test_a_range_that_fails_is_halved_for_all_that_it_was_to_make(here: Here) -> None:
    write(here, "backfill=dw.BackfillPolicy.single_run()")
    (here.folder / "fails-2024-01-01").touch()

    done = here.run("backfill", "--json")

    assert done.code == 0, done.err
    assert calls(here) == [
        "2024-01-01..2024-01-03 large,small",
        "2024-01-01..2024-01-06 large,small",
        "2024-01-04..2024-01-06 large,small",
    ]


def test_a_pool_holds_one_place_for_all_that_a_call_makes(here: Here) -> None:
    write(here, 'pool="scarce"')

    done = here.run("backfill", "--json", "--workers", "2")

    assert done.code == 0, done.err
    assert calls(here) == [day(number) for number in range(1, 7)]


def test_a_change_of_the_function_makes_all_outputs_stale_and_one_of_a_model_only_its_own(here: Here) -> None:
    write(here)
    here.run("backfill")

    here.edit("tables.py", "class Large(pa.DataFrameModel):", "class Large(pa.DataFrameModel):\n    note: str | None")

    stale = {asset: each["partitions"]["stale"] for asset, each in here.status("small", "shop/large").items()}
    assert stale == {"small": 0, "shop/large": 6}
    here.edit("tables.py", 'pl.col("amount") < 3', 'pl.col("amount") < 4')
    stale = {asset: each["partitions"]["stale"] for asset, each in here.status("small", "shop/large").items()}
    assert stale == {"small": 6, "shop/large": 6}


KILLING = """
@dw.asset_check(asset=cut["large"])
def in_order(result: LazyFrame[Large], before: dw.Previous[Large]) -> bool:
    if (HERE / "kills").exists():
        (HERE / "kills").unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    return True
"""


def test_a_run_that_is_killed_between_the_commits_of_a_call_goes_on_with_what_is_missing(here: Here) -> None:
    write(here)
    here.write("tables.py", "import os\nimport signal\n" + (here.folder / "tables.py").read_text() + KILLING)
    here.run("backfill", "orders")
    (here.folder / "kills").touch()

    killed = Project(here.folder).run("backfill", "small", "shop/large", "-f", "tables.py", "--partition", "2024-01-02")

    assert killed.code == -9
    assert fresh(here) | {"orders": 0} == {"orders": 0, "small": 1, "shop/large": 0, "below_small": 0, "below_large": 0}
    again = here.run("runs", "retry", "latest", "--json")
    assert again.json["totals"]["materialized"] == 1
    assert calls(here) == [day(2, "large"), day(2)]


class Row(pa.DataFrameModel):
    n: int


class Pair(NamedTuple):
    a: pl.LazyFrame
    b: pl.LazyFrame


def rows(*numbers: int) -> pl.LazyFrame:
    return pl.LazyFrame({"n": list(numbers)}, schema={"n": pl.Int64})


OUTS = {"a": dw.AssetSpec(Row), "b": dw.AssetSpec(Row)}


@pytest.mark.parametrize("returned", [(rows(1), rows(2)), Pair(rows(1), rows(2)), {"b": rows(2), "a": rows(1)}])
def test_outputs_are_told_apart_by_name_or_by_place(tmp_path: Path, returned: Any) -> None:
    @dw.multi_asset(outs=OUTS)
    def both() -> Any:
        return returned

    report = dw.materialize([both], lake=tmp_path)

    assert report.entry.materialized == 2
    assert [dw.read(both[each], lake=tmp_path).collect().item() for each in ("a", "b")] == [1, 2]
    assert both() is returned


@pytest.mark.parametrize(
    ("returned", "sentence"),
    [
        ({"a": rows(1), "c": rows(1)}, "both returned an output 'c', but its outputs are a, b"),
        ((rows(1),), r"both returned tuple, expected a mapping of outputs, or a tuple of all of them \(a, b\)"),
        (rows(1), "both returned LazyFrame, expected a mapping"),
        ({"b": rows(1)}, "both returned nothing for output 'a', which was wanted"),
        ({"a": 1, "b": rows(1)}, "returned int, expected a Polars frame"),
    ],
)
def test_what_is_no_output_fails_what_it_was_to_be(tmp_path: Path, returned: Any, sentence: str) -> None:
    @dw.multi_asset(outs=OUTS)
    def both() -> Any:
        return returned

    with pytest.raises(RunError, match=sentence):
        dw.materialize([both], lake=tmp_path)

    assert (tmp_path / "b" / "_delta_log").exists() is (isinstance(returned, dict) and "c" not in returned)


def test_each_output_has_metadata_checks_and_jobs_of_its_own(tmp_path: Path) -> None:
    @dw.multi_asset(outs=OUTS)
    def both() -> Mapping[str, Any]:
        return {"a": dw.MaterializeResult(rows(1), {"of": "a"}), "b": rows()}

    @dw.asset_check(asset=both["b"], blocking=True)
    def not_empty(result: LazyFrame[Row]) -> bool:
        return result.collect().height > 0

    job = dw.define_asset_job("pair", both)

    with pytest.raises(RunError, match=r"b: .*not_empty"):
        dw.materialize([both], lake=tmp_path, checks=[not_empty])

    assert job.selection == ("a", "b")
    assert dw.read("a", lake=tmp_path).collect().item() == 1
    assert '"metadata":{"of":"a"}' in (tmp_path / "a" / "_delta_log" / f"{1:020}.json").read_text().replace(" ", "")


def test_config_of_a_multi_asset_stands_under_its_name(tmp_path: Path) -> None:
    @dw.multi_asset(outs=OUTS)
    def both(start: Start) -> Any:
        return rows(start.first), rows(start.first + 1)

    dw.materialize([both], lake=tmp_path, config={"both": {"first": 7}})

    assert [dw.read(each, lake=tmp_path).collect().item() for each in ("a", "b")] == [7, 8]


class Start(dw.Config):
    first: int = 1


def test_config_that_would_be_of_two_functions_is_refused() -> None:
    @dw.multi_asset(outs=OUTS, name="start")
    def both(begin: Start) -> Any: ...

    @dw.asset
    def start(begin: Start) -> pl.LazyFrame: ...

    with pytest.raises(InvalidDefinition, match="has its config under the name 'start', as the function at"):
        dw.Definitions([both, start])


def test_definitions_that_make_no_sense_are_refused() -> None:
    with pytest.raises(InvalidDefinition, match="can_subset=True needs an argument of type Wanted"):

        @dw.multi_asset(outs=OUTS, can_subset=True)
        def first() -> Any: ...

    with pytest.raises(InvalidDefinition, match="'wanted' is Wanted, which means nothing without can_subset=True"):

        @dw.multi_asset(outs=OUTS)
        def second(wanted: dw.Wanted) -> Any: ...

    with pytest.raises(InvalidDefinition, match="is Previous, which is of one table, but it makes several"):

        @dw.multi_asset(outs=OUTS)
        def third(before: dw.Previous[Row]) -> Any: ...

    with pytest.raises(InvalidDefinition, match="output 'a' must be an AssetSpec"):

        @dw.multi_asset(outs={"a": Row})  # type: ignore[dict-item]  # pyright: ignore[reportArgumentType]
        def fourth() -> Any: ...

    with pytest.raises(InvalidDefinition, match="'wanted' is Wanted, which only a multi_asset is given"):

        @dw.asset
        def fifth(wanted: dw.Wanted) -> pl.LazyFrame: ...
