"""What fails in a job is tried again within its run, and a retry of the run goes on with what was stored and read."""

from __future__ import annotations

import datetime as dt
import math
from typing import Annotated, Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import deltaworks as dw
from deltaworks.errors import RequestError, RunError
from deltaworks.io.ledger import read_runs
from deltaworks.io.store import Store
from tests.acceptance.ops import Carrier, carriers, cups, days, every_carrier, letters, word


def test_a_call_that_fails_is_tried_again_and_then_what_waits_for_it_is_not_run() -> None:
    tried: list[int] = []

    @dw.op(retry=dw.RetryPolicy(max_retries=2, delay_s=0.01))
    def flaky(attempt: dw.Attempt) -> int:
        tried.append(attempt.number)
        if attempt.number < 3:
            raise ConnectionError("not there yet")
        return attempt.number

    @dw.op
    def never() -> int:
        raise ValueError("no luck")

    @dw.op(run_when="any_failed")
    def clean_up(n: int | None = None) -> str:
        return f"cleaned up without {n}"

    @dw.job
    def unlucky() -> None:
        flaky()
        lost = never()
        cups(lost)
        clean_up(lost)

    result = unlucky.execute_in_process(raise_on_failure=False)

    assert tried == [1, 2, 3]
    assert result.steps["flaky"].tries == 3
    assert result.failures.keys() == {"never"}
    assert "ValueError: no luck" in result.failures["never"]
    assert result.steps["cups"].reason == "never failed"
    assert result.output("clean_up") == "cleaned up without None"
    assert not result.success, "whatever ran because of a failure, it is one"
    with pytest.raises(RunError, match="step never failed: ValueError: no luck"):
        unlucky.execute_in_process()


def test_a_retry_goes_on_from_the_failure_with_what_was_stored(tmp_path: Any) -> None:
    ran: list[str] = []
    broken = {"e1"}

    @dw.op
    def table() -> pl.LazyFrame:
        ran.append("table")
        return pl.LazyFrame({"n": [1, 2]})

    @dw.op
    def check(letter: str, table: pl.DataFrame, attempt: dw.Attempt) -> int:
        ran.append(attempt.step)
        if letter == "e" and broken:
            raise ValueError("not yet")
        return table.height

    @dw.op
    def total(counts: list[int]) -> int:
        ran.append("total")
        return sum(counts)

    @dw.job
    def counted() -> Any:
        rows = table()
        return total(letters(word()).map(lambda letter: check(letter, rows)).collect())

    first = counted.execute_in_process(lake=tmp_path, raise_on_failure=False)
    assert sorted(ran) == ["check[a2]", "check[e1]", "check[t0]", "table"]
    assert first.steps["total"].ending is dw.Ending.SKIP

    ran.clear()
    broken.clear()
    second = counted.execute_in_process(lake=tmp_path, retry_of=first.run_id)
    assert ran == ["check[e1]", "total"]
    assert second.output() == 6
    assert second.steps["check[t0]"].is_kept
    assert_frame_equal(second.output("table").collect(), pl.DataFrame({"n": [1, 2]}))

    ran.clear()
    third = counted.execute_in_process(lake=tmp_path, retry_of=second.run_id)
    assert not ran
    assert third.output() == 6


def test_ops_read_tables_at_one_version_and_a_retry_reads_the_same_one(tmp_path: Any) -> None:
    is_broken = True

    @dw.op
    def busiest(rows: Annotated[dw.DataFrame[Carrier], dw.In(asset="every_carrier")]) -> int:
        if is_broken:
            raise ValueError("not yet")
        return rows["flights"].sum()

    @dw.op
    def of_day(rows: Annotated[pl.DataFrame, dw.In(asset="carriers")]) -> int:
        return rows["flights"].sum()

    @dw.graph
    def announced() -> Any:
        return {"all": busiest(), "day": of_day()}

    assets = [carriers, every_carrier]
    job = announced.to_job(partitions=days)
    with pytest.raises(RequestError, match="There is no table every_carrier"):
        job.execute_in_process(lake=tmp_path, assets=assets, partition="2024-01-02")
    dw.materialize(assets, lake=tmp_path)
    first = job.execute_in_process(lake=tmp_path, assets=assets, partition="2024-01-02", raise_on_failure=False)
    pl.DataFrame({"carrier": ["DL"], "flights": [100]}).write_delta(str(tmp_path / "every_carrier"), mode="append")
    is_broken = False

    again = job.execute_in_process(lake=tmp_path, assets=assets, retry_of=first.run_id)
    anew = job.execute_in_process(lake=tmp_path, assets=assets, partition="2024-01-02")

    assert again.outputs == {"all": 3, "day": 2}
    assert anew.outputs == {"all": 103, "day": 2}
    with pytest.raises(RequestError, match="runs for one partition: give --partition"):
        job.execute_in_process(lake=tmp_path, assets=assets)


def test_a_retry_is_given_the_dates_and_numbers_of_a_config_again(tmp_path: Any) -> None:
    class Since(dw.Config):
        day: dt.date
        at: dt.time
        limits: list[float]

    seen: list[Since] = []

    @dw.op
    def dated(since: Since) -> None:
        seen.append(since)
        if len(seen) == 1:
            raise ValueError("not yet")

    @dw.job
    def daily() -> None:
        dated()

    given: dict[str, Any] = {"day": dt.date(2024, 1, 2), "at": dt.time(3, 4), "limits": [math.inf, math.nan, 0.5]}
    failed = daily.execute_in_process(lake=tmp_path, config={"dated": given}, raise_on_failure=False)
    again = daily.execute_in_process(lake=tmp_path, retry_of=failed.run_id)

    (entry, _) = read_runs(Store.at(str(tmp_path)))
    assert (failed.success, again.success) == (False, True)
    assert entry.config == {"dated": {"day": "2024-01-02", "at": "03:04:00", "limits": ["Infinity", "NaN", 0.5]}}
    assert repr(seen[1]) == repr(seen[0]) == repr(Since(**given))
