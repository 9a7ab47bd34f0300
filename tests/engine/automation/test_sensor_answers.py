"""What the function of a sensor answers: requests, keys and a cursor go together, and garbage is refused whole."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import deltaworks as dw
from deltaworks.errors import InvalidDefinition, RequestError
from deltaworks.io.partition_keys import add_keys
from tests.engine.automation.sensed import NOW, Watching

customers = dw.DynamicPartitions("customers")


@dw.asset(partitions=customers, partition_by="customer")
def ledger(partition: dw.Partition) -> pl.LazyFrame:
    return pl.LazyFrame({"customer": [partition.key]})


load = dw.define_asset_job("load", "ledger", partitions=customers)


def answering(tmp_path: Path, answer: Callable[[dw.Tick], Any]) -> Watching:
    @dw.sensor(job=load, interval_s=30, tags={"by": "sensor"})
    def look(tick: dw.Tick) -> Any:
        return answer(tick)

    return Watching(tmp_path, look, ledger)


def test_requests_keys_and_cursor_advance_together(tmp_path: Path) -> None:
    def answer(tick: dw.Tick) -> dw.SensorResult:
        number = int(tick.cursor or 0) + 1
        return dw.SensorResult(
            [dw.RunRequest(partition=f"c{number}")], str(number), {customers: [f"c{number}"]}, {"customers": ["old"]}
        )

    sensor = answering(tmp_path, answer)
    add_keys(sensor.store, "customers", ["old"], "a test", NOW)

    first, second = sensor.ask(), sensor.ask()

    assert [(each.requests[0].partition, each.cursor) for each in (first, second)] == [("c1", "1"), ("c2", "2")]
    assert (second.new_keys, second.gone_keys) == ({"customers": ("c2",)}, {"customers": ("old",)})
    assert first.requests[0].tags == {"by": "sensor"}


class Shop(StrEnum):
    NORTH = "north"
    PARTITIONS = "customers"


def test_texts_of_other_classes_are_taken_as_plain_ones(tmp_path: Path) -> None:
    keys = {Shop.PARTITIONS: [Shop.NORTH]}

    found = answering(tmp_path, lambda _: dw.SensorResult((), Shop.NORTH, keys, keys, Shop.NORTH)).ask()

    assert b"Shop" not in pickle.dumps(found)
    assert (found.cursor, found.new_keys, found.skip_reason) == ("north", {"customers": ("north",)}, "north")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (None, "it asked for nothing"),
        (dw.SkipReason("closed"), "closed"),
        (dw.SensorResult(skip="closed"), "closed"),
        (dw.SensorResult(skip=dw.SkipReason("closed")), "closed"),
    ],
)
def test_nothing_to_run_has_a_reason(tmp_path: Path, answer: Any, reason: str) -> None:
    assert answering(tmp_path, lambda _: answer).ask().skip_reason == reason


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (7, "sensor 'look' answered 7; expected RunRequest, SkipReason, None or several RunRequests"),
        ([dw.RunRequest(), "x"], "sensor 'look' answered 'x'"),
        ([dw.RunRequest(run_key=str(n)) for n in range(1_001)], "sensor 'look' asks for more than 1,000 runs"),
        (dw.SensorResult(7), "sensor 'look' answered 7"),  # type: ignore[arg-type]
        (dw.SensorResult(cursor=7), "gives 7 as its cursor; expected a text, such as '7'"),  # type: ignore[arg-type]
        (dw.SensorResult(cursor="x" * 100_001), "gives a cursor of 100,001 characters; at most 100,000 are recorded"),
        (dw.SensorResult(add_partitions={"custmers": ["a"]}), "names 'custmers', which are no dynamic partitions. Did"),
        (dw.SensorResult(add_partitions={"customers": "a"}), "of 'customers' is 'a'; expected a list of keys"),
        (dw.SensorResult(add_partitions={"customers": [""]}), "a partition key is empty"),
        (dw.SensorResult(remove_partitions=["a"]), "gives ['a'] as remove_partitions"),  # type: ignore[arg-type]
        (
            dw.SensorResult(add_partitions={"customers": map(str, range(3))}),
            "expected a list of keys",
        ),
        (
            dw.SensorResult(add_partitions={"customers": list(map(str, range(10_001)))}),
            "10,001 keys at one tick are more than 10,000",
        ),
    ],
)
def test_garbage_is_refused_whole_in_one_sentence(tmp_path: Path, answer: Any, sentence: str) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        answering(tmp_path, lambda _: answer).ask()

    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_partition_that_is_not_there_and_is_not_added_is_refused(tmp_path: Path) -> None:
    sensor = answering(tmp_path, lambda _: dw.RunRequest(partition="c1"))

    with pytest.raises(RequestError, match="sensor 'look' asks for what cannot be run: Job 'load' has no partition"):
        sensor.ask()


def test_a_partition_that_the_answer_removes_is_refused(tmp_path: Path) -> None:
    gone = dw.SensorResult([dw.RunRequest(partition="c1")], remove_partitions={customers: ["c1"]})
    sensor = answering(tmp_path, lambda _: gone)
    add_keys(sensor.store, "customers", ["c1"], "a test", NOW)

    with pytest.raises(RequestError, match="Job 'load' has no partition 'c1'"):
        sensor.ask()


def test_the_engine_keeps_the_cursor_of_what_it_reads_itself(tmp_path: Path) -> None:
    (tmp_path / "a.csv").touch()

    @dw.file_sensor(tmp_path / "*.csv", settle_s=0)
    def look(arrivals: dw.Arrivals) -> dw.SensorResult:
        return dw.SensorResult(cursor="7")

    with pytest.raises(
        InvalidDefinition, match="sensor 'look' gives a cursor, but the engine keeps that of sensors on"
    ):
        Watching(tmp_path, look, ledger).ask()


def test_a_sensor_that_looks_for_itself_is_asked_at_intervals(tmp_path: Path) -> None:
    sensor = answering(tmp_path, lambda tick: dw.SensorResult(cursor=f"{tick.cursor}."))
    watch = sensor.watch()

    due = [sensor.is_due(watch, after_s) for after_s in (0.0, 15.0, 15.0, 15.0, 15.0)]

    assert due == [True, False, True, False, True]
    assert sensor.cursor == "None..."
    assert sensor.next_tick == "000000000004"
