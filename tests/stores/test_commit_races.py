"""Who commits at the same time: one of them is first, the other sees it, and no row is doubled or lost."""

from __future__ import annotations

import datetime as dt
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from deltalake import write_deltalake
from deltalake.exceptions import CommitFailedError

from deltaworks.errors import ClaimHeld
from deltaworks.io.claim import claimed
from deltaworks.io.partition_keys import add_keys, read_keys
from deltaworks.io.store import Store
from tests.acceptance.running import PATIENCE_S, reached, release, started
from tests.stores.home import CHAIN, DAYS, Housed, day

HOLDING = """
@dw.asset(partitions=days, partition_by="day")
def slow(partition: dw.Partition) -> LazyFrame[Row]:
    if partition.key == "2024-01-03":
        hold("third")
    return rows(partition)
"""


@pytest.mark.telling
def test_of_many_that_write_a_name_at_once_exactly_one_does(housed: Housed) -> None:
    store, racers = Store.at(housed.lake_uri, durable=False), 8
    gate = threading.Barrier(racers)

    def race(number: int) -> list[bool]:
        won: list[bool] = []
        for name in range(6):
            gate.wait(PATIENCE_S)
            won.append(store.put_new_surely(f"race/{name}", f"by {number}".encode()))
        return won

    with ThreadPoolExecutor(racers) as pool:
        won = list(pool.map(race, range(racers)))

    for name in range(6):
        (winner,) = [number for number in range(racers) if won[number][name]]
        assert store.read(f"race/{name}") == f"by {winner}".encode()


def test_two_backfills_of_the_same_days_make_each_day_once(housed: Housed) -> None:
    housed.given(HOLDING)

    with started(housed, "backfill", "--json") as first:
        reached(housed, "third")
        with started(housed, "backfill", "--json") as second:
            release(housed, "third")
            said = [json.loads(process.communicate(timeout=PATIENCE_S)[0]) for process in (first, second)]

    assert [each["status"] for each in said] == ["success", "success"]
    made = housed.home.made("lake/slow")
    assert sorted(key for key, _ in made) == DAYS, made
    assert sum(each["totals"]["materialized"] for each in said) == 5
    assert len(housed.rows("slow")) == 5


@pytest.mark.telling
def test_what_somebody_writes_meanwhile_is_kept_and_not_doubled(housed: Housed) -> None:
    housed.given(HOLDING)
    housed.did("backfill", "--from", "2024-01-05", "--to", "2024-01-05")

    with started(housed, "backfill", "--json") as running:
        reached(housed, "third")
        version = housed.home.append("lake/slow", day(3, 33))
        release(housed, "third")
        out, err = running.communicate(timeout=PATIENCE_S)

    said = json.loads(out)
    assert (said["status"], said["totals"]["failed"]) == ("success", 0), err
    assert said["totals"]["materialized"] + said["totals"]["skipped"] == 4
    assert housed.rows("slow") == [(dt.date(2024, 1, n), 33 if n == 3 else 1) for n in range(1, 6)]
    assert housed.counts("slow") == {"fresh": 4, "external": 1}
    assert housed.did("history", "slow", "-n", "1")[0]["version"] >= version


def test_materialize_says_who_wrote_what_it_was_about_to_write(housed: Housed) -> None:
    housed.given(HOLDING)
    housed.did("backfill", "--from", "2024-01-05", "--to", "2024-01-05")

    with started(housed, "materialize", "slow", "--partition", "2024-01-03", "--json") as running:
        reached(housed, "third")
        housed.home.append("lake/slow", day(3, 33))
        release(housed, "third")
        said = json.loads(running.communicate(timeout=PATIENCE_S)[0])

    (failure,) = said["failures"]
    assert (said["status"], failure["partition"]) == ("failure", "2024-01-03")
    assert housed.rows("slow") == [(dt.date(2024, 1, 3), 33), (dt.date(2024, 1, 5), 1)]


def test_what_somebody_writes_to_another_day_costs_nothing(housed: Housed) -> None:
    housed.given(HOLDING)
    housed.did("backfill", "--from", "2024-01-05", "--to", "2024-01-05")

    with started(housed, "backfill", "--json") as running:
        reached(housed, "third")
        housed.home.write("lake/slow", day(5, 55), mode="overwrite", predicate="day = '2024-01-05'")
        release(housed, "third")
        said = json.loads(running.communicate(timeout=PATIENCE_S)[0])

    assert (said["status"], said["totals"]["materialized"]) == ("success", 4)
    assert housed.rows("slow")[-1] == (dt.date(2024, 1, 5), 55)
    assert len(housed.rows("slow")) == 5


def test_an_outside_writer_that_looked_before_is_refused_by_our_commit(housed: Housed) -> None:
    housed.given(CHAIN)
    housed.did("backfill", "base")
    looked = housed.home.table("lake/base")

    housed.did("materialize", "base", "--partition", "2024-01-02")

    with pytest.raises(CommitFailedError):
        write_deltalake(looked, day(2, 22), mode="overwrite", predicate="day = '2024-01-02'")
    assert housed.rows("base") == [(dt.date(2024, 1, n), n) for n in range(1, 6)]


def test_two_that_create_a_table_at_once_share_it(housed: Housed) -> None:
    housed.given(HOLDING)

    with started(housed, "materialize", "slow", "--partition", "2024-01-03", "--json") as first:
        reached(housed, "third")
        other = housed.did("materialize", "slow", "--partition", "2024-01-01")
        release(housed, "third")
        said = json.loads(first.communicate(timeout=PATIENCE_S)[0])

    assert [each["totals"]["materialized"] for each in (other, said)] == [1, 1]
    assert [row[0].day for row in housed.rows("slow")] == [1, 3]


def test_a_claim_is_held_by_one_and_free_again(housed: Housed) -> None:
    store = Store.at(housed.lake_uri, durable=False)

    with (
        claimed(store, "upkeep", "the first"),
        pytest.raises(ClaimHeld, match="the first"),
        claimed(store, "upkeep", "the second"),
    ):
        raise AssertionError("both hold it")

    with claimed(store, "upkeep", "the third") as claim:
        assert claim.taken_over_from is None
    assert housed.held() == []


def test_keys_that_two_add_at_once_are_all_there(housed: Housed) -> None:
    store, added_by = Store.at(housed.lake_uri, durable=False), 4
    gate = threading.Barrier(added_by)

    def add(number: int) -> None:
        for turn in range(3):
            gate.wait(PATIENCE_S)
            add_keys(store, "customers", [f"c{number}{turn}", "all"], f"writer {number}", dt.datetime.now(dt.UTC))

    with ThreadPoolExecutor(added_by) as pool:
        list(pool.map(add, range(added_by)))

    expected = {f"c{number}{turn}" for number in range(added_by) for turn in range(3)} | {"all"}
    assert set(read_keys(store, "customers")) == expected
