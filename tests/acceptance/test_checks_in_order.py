"""Checks that hang on earlier partitions, and commits by others in between: the verdicts are those of one by one."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, ClassVar

import pandera.polars as pa
import polars as pl
import pytest

import deltaworks as dw
from deltaworks import LazyFrame
from deltaworks.engine.planning.plan import Only
from tests.acceptance.checked import KEYS, Counts, Sale, Work, days, failures, height, sales


@dw.asset_check(sales, blocking=True)
def not_fewer(result: LazyFrame[Sale], yesterday: dw.Previous[Sale]) -> dw.CheckResult:
    is_now, was = height(result), height(yesterday)
    return dw.CheckResult(is_now >= was, message=f"{is_now} rows, {was} on the day before")


def test_previous_is_what_is_staged_with_it_and_nothing_for_the_first(tmp_path: Path) -> None:
    work = Work(tmp_path, [not_fewer], rows=dict(zip(KEYS, [1, 2, 3, 3, 2, 2], strict=True)))

    report = work.make()

    assert failures(report) == {
        KEYS[4]: f"sales {KEYS[4]}: check not_fewer failed: 2 rows, 3 on the day before. Nothing was committed for it."
    }
    assert work.records()[-1]["groups"][0]["keys"] == [key for key in KEYS if key != KEYS[4]]
    (pin,) = work.records()[-1]["groups"][0]["reads"].values()
    assert (pin["asset"], pin["version"]) == ("sales", 0)


def test_it_is_what_the_table_has_where_the_staged_one_drops_out(tmp_path: Path) -> None:
    @dw.asset_check(sales, blocking=True)
    def not_nine(result: LazyFrame[Sale]) -> bool:
        return height(result) != 9

    work = Work(tmp_path, [not_fewer, not_nine], rows=dict.fromkeys(KEYS, 3))
    work.make()
    work.rows |= {KEYS[1]: 9, KEYS[2]: 4, KEYS[3]: 2, KEYS[4]: 4, KEYS[5]: 4}

    report = work.again()

    # The 2nd fails by itself, so the 3rd is compared with the old 2nd; the 4th fails by the new 3rd.
    assert list(failures(report)) == [KEYS[1], KEYS[3]]
    assert list(work.heights().values()) == [3, 3, 4, 3, 4, 4]


def test_a_refused_one_lets_the_next_be_compared_with_what_was_there(tmp_path: Path) -> None:
    work = Work(tmp_path, [not_fewer], rows=dict.fromkeys(KEYS, 5))
    work.make()
    work.rows |= {KEYS[1]: 2, KEYS[2]: 3}

    report = work.again()

    assert failures(report)[KEYS[1]].endswith("2 rows, 5 on the day before. Nothing was committed for it.")
    assert failures(report)[KEYS[2]].endswith("3 rows, 5 on the day before. Nothing was committed for it.")


def test_a_day_that_comes_late_is_waited_for(tmp_path: Path) -> None:
    tries: list[str] = []

    @dw.asset(partitions=days, partition_by="day", retry=dw.RetryPolicy(max_retries=1, delay_s=0.3))
    def slow(partition: dw.Partition, counts: Counts) -> LazyFrame[Sale]:
        tries.append(partition.key)
        if partition.key == KEYS[1] and tries.count(KEYS[1]) == 1:
            raise OSError("not yet")
        rows = pl.LazyFrame({"amount": range(counts.rows[partition.key])}, schema={"amount": pl.Int64})
        return rows.select(day=pl.lit(partition.start), shop=pl.lit("a"), amount="amount")

    @dw.asset_check(slow, blocking=True)
    def grows(result: LazyFrame[Sale], before: dw.Previous[Sale]) -> bool:
        return height(result) > height(before)

    work = Work(tmp_path, [grows], (slow,), rows=dict(zip(KEYS, [1, 5, 3, 4, 5, 6], strict=True)))

    report = work.make(workers=2)

    assert list(failures(report)) == [KEYS[2]], "the 3rd has fewer rows than the 2nd, which came after it"
    assert work.heights("slow") == {key: work.rows[key] for key in KEYS if key != KEYS[2]}


def test_one_whose_day_before_fails_is_committed_all_the_same(tmp_path: Path) -> None:
    @dw.asset(partitions=days, partition_by="day")
    def frail(partition: dw.Partition) -> LazyFrame[Sale]:
        if partition.key == KEYS[1]:
            time.sleep(0.2)
            raise OSError("gone")
        return pl.LazyFrame([{"day": partition.start, "shop": "a", "amount": 1}])

    @dw.asset_check(frail, blocking=True)
    def not_fewer(result: LazyFrame[Sale], before: dw.Previous[Sale]) -> bool:
        return height(result) >= height(before)

    report = Work(tmp_path, [not_fewer], (frail,)).make(workers=2)

    assert list(failures(report)) == [KEYS[1]]
    assert report.entry.materialized == len(KEYS) - 1


def test_a_window_of_earlier_days_is_read_like_the_day_before(tmp_path: Path) -> None:
    found: dict[str, list[int]] = {}
    window = dw.Input(asset="sales", mapping=dw.TimeWindowMapping(start_offset=-2, end_offset=-1))

    @dw.asset_check(sales)
    def seen(result: LazyFrame[Sale], before: Annotated[LazyFrame[Sale], window], partition: dw.Partition) -> bool:
        found[partition.key] = sorted(before.collect()["day"].dt.day().unique())
        return True

    Work(tmp_path, [seen]).make()

    assert list(found.values()) == [[], [1], [1, 2], [2, 3], [3, 4], [4, 5]]


def test_the_unique_values_of_a_table_and_an_order_of_days_are_judged_together(tmp_path: Path) -> None:
    class Numbered(pa.DataFrameModel):
        day: pl.Date
        number: int = pa.Field(unique=True)

        class Config:
            metadata: ClassVar = {"unique_scope": "table"}

    numbers = dict(zip(KEYS, [[1, 2], [3], [3, 4], [5, 6], [6, 7], [8, 9]], strict=True))

    @dw.asset(partitions=days, partition_by="day", code_version="1")
    def orders(partition: dw.Partition) -> LazyFrame[Numbered]:
        rows = pl.LazyFrame({"number": numbers[partition.key]})
        return rows.select(day=pl.lit(partition.start), number="number")

    @dw.asset_check(orders, blocking=True)
    def not_fewer(result: LazyFrame[Numbered], before: dw.Previous[Numbered]) -> bool:
        return height(result) >= height(before)

    report = Work(tmp_path, [not_fewer], (orders,)).make()

    # The 2nd has fewer rows than the 1st; without it, the number 3 of the 3rd is the only one.
    assert list(failures(report)) == [KEYS[1], KEYS[4]]


def once(action: Callable[[], None]) -> Callable[[], None]:
    """Do something the first time only."""
    calls = itertools.count()

    def act() -> None:
        if next(calls) == 0:
            action()

    return act


def test_somebody_else_s_day_before_counts_if_it_is_committed_first(tmp_path: Path) -> None:
    work = Work(tmp_path, rows=dict.fromkeys(KEYS, 2))
    work.make()
    outside = once(lambda: work.append_outside(KEYS[0]))
    seen: list[int] = []

    @dw.asset_check(sales, blocking=True)
    def not_fewer(result: LazyFrame[Sale], yesterday: dw.Previous[Sale]) -> bool:
        seen.append(height(yesterday))
        outside()  # while this is judged, somebody makes the day before larger
        return height(result) >= seen[-1]

    work.checks = [not_fewer]

    report = work.again(KEYS[1])

    assert seen == [2, 3], "it was judged again on what the commit had to follow"
    assert list(failures(report)) == [KEYS[1]]
    assert work.heights() == dict.fromkeys(KEYS, 2) | {KEYS[0]: 3}


def test_a_commit_to_other_days_in_between_changes_nothing_for_what_a_day_holds(tmp_path: Path) -> None:
    work = Work(tmp_path)
    work.make()
    outside = once(lambda: work.append_outside(KEYS[5]))

    @dw.asset_check(sales, blocking=True)
    def not_half_empty(result: LazyFrame[Sale], before: dw.Committed[Sale]) -> bool:
        outside()
        return height(result) * 2 >= height(before)

    work.checks = [not_half_empty]

    report = work.again(KEYS[0])

    assert (failures(report), report.entry.commits) == ({}, 1)
    (group,) = work.records()[-1]["groups"]
    assert [pin["version"] for pin in group["reads"].values()] == [2], "what was there when it was committed"
    assert work.heights()[KEYS[5]] == 5


def test_a_commit_to_the_day_itself_in_between_is_not_overwritten_by_what_was_compared_with_less(
    tmp_path: Path,
) -> None:
    work = Work(tmp_path)
    work.make()
    outside = once(lambda: work.append_outside(KEYS[0]))

    @dw.asset_check(sales, blocking=True)
    def not_fewer(result: LazyFrame[Sale], before: dw.Committed[Sale]) -> bool:
        is_fine = height(result) >= height(before)
        outside()
        return is_fine

    work.checks = [not_fewer]

    told = work.again(KEYS[0])
    decided = work.make(KEYS[0], only=frozenset({Only.EXTERNAL}))

    assert "changed at version 2 while this run worked from version 1" in failures(told)[KEYS[0]]
    assert failures(decided) == {KEYS[0]: f"sales {KEYS[0]}: check not_fewer failed. Nothing was committed for it."}
    assert work.heights()[KEYS[0]] == 5


CHECKS = (
    not_fewer,
    dw.checks.row_count_change(sales, max_change=0.4, trailing=2, blocking=True, name="by_two"),
    dw.checks.null_rate_drift(sales, "shop", max_change=0.2, trailing=3, blocking=True),
)


@pytest.mark.parametrize("seed", range(8))
def test_calls_and_commits_of_any_size_come_to_the_same_verdicts(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(seed)
    before, after = ({key: rng.choice([0, 2, 3, 4, 5]) for key in KEYS} for _ in range(2))
    checks = [rng.choice(CHECKS), rng.choice(CHECKS)]

    def verdicts(name: str, size: int, workers: int) -> tuple[list[dict[str | None, str]], dict[str, int]]:
        monkeypatch.setattr("deltaworks.engine.execution.batch.BATCH_PARTITIONS", size)
        work = Work(tmp_path / name, list(dict.fromkeys(checks)), rows=before)
        first = failures(work.make(workers=workers))
        work.rows = after
        second = failures(work.again(workers=workers))
        return [first, second], work.heights()

    def one_by_one(name: str) -> tuple[list[dict[str | None, str]], dict[str, int]]:
        work = Work(tmp_path / name, list(dict.fromkeys(checks)), rows=before)
        found: list[dict[str | None, str]] = []
        for rows in (before, after):
            work.rows = rows
            each = [failures(work.again(key)) for key in KEYS]
            found.append({key: error for one in each for key, error in one.items()})
        return found, work.heights()

    alone = one_by_one("alone")

    assert verdicts("together", 50, workers=1) == alone
    assert verdicts("pairs", 2, workers=1) == alone
    assert verdicts("singles", 1, workers=2) == alone
