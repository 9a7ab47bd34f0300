"""Values between interpreters: what is written as JSON is read as it was, and code never travels."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import pandera.polars as pa
import polars as pl
import pytest

import deltaworks as dw
from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.execution.events import PartitionsCommitted
from deltaworks.engine.planning.graph import build_graph
from deltaworks.engine.planning.plan import Only
from deltaworks.engine.workspace.locations.description import describe, upstreams_within
from deltaworks.engine.workspace.locations.stubs import stubs
from deltaworks.engine.workspace.locations.values import Absent, from_json, to_json
from deltaworks.errors import Place, RunError
from deltaworks.validation import declare

NOW = dt.datetime(2024, 3, 1, tzinfo=dt.UTC)


def sent(value: Any) -> Any:
    """What the other side has."""
    return from_json(json.loads(json.dumps(to_json(value))))


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        1.5,
        "text",
        ("a", ("b",)),
        ["a"],
        {"a": 1},
        {AssetKey("a"): {1: "x"}},
        {"!": "no kind"},
        frozenset({Only.ALL, Only.STALE}),
        NOW,
        NOW.date(),
        NOW.time(),
        dt.timedelta(days=1, microseconds=3),
        Decimal("1.50"),
        b"\x00\xff",
        Path("/a/b"),
        Place("file.py", 3),
        PartitionsCommitted(AssetKey("a"), 3, 2, 10),
        PartitionSet.of([1, 2, 5], 9),
        pl.Schema(
            {
                "a": pl.Int64(),
                "b": pl.Datetime("us", "UTC"),
                "c": pl.List(pl.Struct({"d": pl.Decimal(10, 2), "e": pl.Enum(["x", "y"])})),
                "f": pl.Array(pl.Float32(), 3),
                "g": pl.Duration("ms"),
            }
        ),
        dw.DailyPartitions(start="2024-01-01", timezone="America/New_York"),
        dw.MultiPartitions(
            {"day": dw.DailyPartitions(start="2024-01-01"), "region": dw.StaticPartitions(["eu", "us"])}
        ),
        dw.TimeWindowMapping(start_offset=-6),
        dw.RetryPolicy(max_retries=2, retry_on=[ValueError]),
        dw.AutomationCondition.eager(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_comes_back_as_it_was(value: Any) -> None:
    assert sent(value) == value
    assert type(sent(value)) is type(value)


def test_partitions_that_come_back_have_the_same_keys() -> None:
    hourly = dw.HourlyPartitions(start="2024-01-01", end="2024-01-03")

    assert sent(hourly).until(NOW).key(30) == hourly.until(NOW).key(30)


def test_a_function_does_not_travel() -> None:
    def secret(key: str) -> str:
        return key

    found = sent(secret)

    assert isinstance(found, Absent)
    assert (found.__name__, found.__module__) == ("secret", __name__)
    with pytest.raises(RunError, match="is the function of another code location and runs only there"):
        found("key")


def test_what_no_other_process_knows_is_refused() -> None:
    class Own:
        pass

    with pytest.raises(TypeError, match="Own is known to its own process only"):
        to_json(Own())
    with pytest.raises(ValueError, match="is no kind of value"):
        from_json({"!": "errors:_restore"})


class Row(pa.DataFrameModel):
    day: pl.Date
    value: float = pa.Field(ge=0, nullable=True)

    @pa.dataframe_check
    def reads_secrets(cls, data: pa.PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(pl.lit(True))


def test_a_model_travels_as_its_columns() -> None:
    found = sent(Row)

    assert declare(found).schema() == declare(Row).schema()
    assert declare(found).place == declare(Row).place
    assert declare(found).checks == ()
    assert [column.checks for column in declare(found).columns] == [(), ()]


days = dw.DailyPartitions(start="2024-01-01", end="2024-01-10")


@dw.asset(partitions=days, partition_by="day")
def raw(partition: dw.Partition) -> dw.LazyFrame[Row]:
    return pl.LazyFrame({"day": [partition.start], "value": [1.0]})


@dw.asset(partitions=days, partition_by="day")
def week(raw: Annotated[dw.LazyFrame[Row], dw.Input(mapping=lambda key: [key])]) -> dw.LazyFrame[Row]:
    return raw


@dw.asset(partitions=days, partition_by="day")
def made_elsewhere(other: dw.LazyFrame[Row]) -> dw.LazyFrame[Row]:
    return other


@dw.asset(name="other", partitions=days, partition_by="day")
def other() -> dw.LazyFrame[Row]:
    return pl.LazyFrame()


def test_stubs_have_the_code_versions_that_the_code_has() -> None:
    every = Definitions([raw, made_elsewhere, other])
    here, there = Definitions([raw, made_elsewhere]), Definitions([other])

    def told(definitions: Definitions) -> Definitions:
        within = upstreams_within(definitions)
        alone = Definitions([asset for asset in definitions.assets if asset.key in within])
        found = describe("place", definitions, build_graph(alone, NOW))
        return stubs(sent(found), lambda address, key: ())

    graph = build_graph(Definitions([*told(here).assets, *told(there).assets]), NOW)

    true = build_graph(every, NOW)
    assert {key: node.code for key, node in graph.nodes.items()} == {key: node.code for key, node in true.nodes.items()}
    assert all(node.asset.foreign is not None for node in graph.nodes.values())
