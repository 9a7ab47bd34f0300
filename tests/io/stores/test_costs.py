"""What a lake in an object store costs: requests, which somebody pays, counted by the server that answers them."""

from __future__ import annotations

import datetime as dt
from itertools import count

import polars as pl

import deltaworks as dw
from deltaworks.engine.automation.positions import Position, write_positions
from deltaworks.engine.automation.sensor_watch import WatchedSensor, WatchedTable
from deltaworks.engine.automation.turns import Turns
from deltaworks.engine.automation.watch import Moment
from deltaworks.io.marks import Mark, advance_mark
from deltaworks.io.store import Store
from deltaworks.io.ticks import number_id
from tests.io.stores.small_s3 import SmallS3

LAKE = "s3://bucket/lake"
DAYS = 12
TABLES = 8

days = dw.DailyPartitions(start="2024-01-01", end=(dt.date(2024, 1, 1) + dt.timedelta(days=DAYS)).isoformat())


@dw.asset(partitions=days, partition_by="day")
def numbers(partition: dw.Partition) -> pl.LazyFrame:
    return pl.LazyFrame({"day": [partition.start], "n": [1]})


@dw.asset(partitions=days, partition_by="day")
def doubled(numbers: pl.LazyFrame) -> pl.LazyFrame:
    return numbers.with_columns(pl.col("n") * 2)


def test_a_batched_backfill_costs_few_requests_a_partition(bucket: SmallS3) -> None:
    dw.materialize([numbers], lake=LAKE)
    dw.materialize([numbers, doubled], lake=LAKE, partition="2024-01-01")
    bucket.requests.clear()

    dw.materialize([numbers, doubled], lake=LAKE)

    made = 2 * DAYS
    puts, reads = len(bucket.asked("^PUT ")), len(bucket.asked("^(GET|HEAD) "))
    assert puts <= 3 * made, bucket.requests
    assert reads <= 6 * made, bucket.requests
    rows = dw.read("doubled", lake=LAKE).collect()
    assert (rows.height, rows["n"].sum()) == (DAYS, 2 * DAYS)


def test_an_idle_daemon_costs_one_look_a_poll_however_many_tables_it_watches(bucket: SmallS3) -> None:
    store, watched = Store.at(LAKE), dict[str, WatchedSensor]()
    for number in range(TABLES):
        name, table = f"on_{number}", f"t{number}"
        bucket.put(f"lake/{table}/_delta_log/{0:020d}.json", b"{}")
        advance_mark(store, name, Mark(number_id(1), write_positions({table: Position(0)})))
        watched[name] = WatchedSensor(name, (WatchedTable(table, None, table),), 0.0, True, 60.0)
    watches = {name: each.watch(store) for name, each in watched.items()}
    turns, polls = Turns(store), count()

    def poll() -> list[str]:
        moment = Moment(dt.datetime.now(dt.UTC), 0.4 * next(polls))
        return [name for name, watch in turns.whose(watches, watched) if watch.due(moment)]

    def round_of_polls() -> list[list[str]]:
        bucket.requests.clear()
        return [poll() for _ in range(TABLES)]

    round_of_polls()
    assert round_of_polls() == [[]] * TABLES
    assert len(bucket.requests) == len(bucket.asked(r"^GET \?list lake/t")) == TABLES
    turns.take()
    bucket.requests.clear()
    assert (poll(), bucket.requests) == ([], []), "the daemon has looked for something of its own at this poll"
    bucket.put(f"lake/t3/_delta_log/{1:020d}.json", b"{}")
    assert [found for found in round_of_polls() if found] == [["on_3"]]
    bucket.put(f"lake/t5/_delta_log/{0:020d}.json", b"{ }")
    assert ["on_5"] in round_of_polls(), "the table was made anew"
