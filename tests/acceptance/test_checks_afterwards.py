"""Checks after the commit: they see what readers see, and what they say is told and kept in the run's entry."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import deltaworks as dw
from deltaworks import LazyFrame
from deltaworks.io.folding import find_foldable, fold_runs
from deltaworks.io.ledger import read_runs
from tests.acceptance.checked import KEYS, Sale, Work, failures, height, sales


def test_what_is_committed_is_judged_and_stays(tmp_path: Path) -> None:
    @dw.asset_check(sales, when="after")
    def few(result: LazyFrame[Sale], yesterday: dw.Previous[Sale], partition: dw.Partition) -> dw.CheckResult:
        visible = Work(tmp_path).heights()
        assert visible[partition.key] == height(result), "readers see it already"
        assert visible.get(KEYS[KEYS.index(partition.key) - 1], 0) == height(yesterday) or partition.key == KEYS[0]
        return dw.CheckResult(height(result) < 5, {"rows": height(result)}, message=f"{height(result)} rows")

    work = Work(tmp_path, [few], rows=dict.fromkeys(KEYS, 3) | {KEYS[2]: 7})

    report = work.make(workers=2)

    assert (failures(report), report.entry.status) == ({}, "success")
    assert work.heights() == work.rows
    (kept,) = read_runs(work.store)
    assert kept.checks_passed == len(KEYS) - 1
    (failure,) = kept.check_failures
    assert (failure.asset, failure.partition, failure.check, failure.severity) == ("sales", KEYS[2], "few", "warn")
    assert (failure.problem, failure.version, failure.metadata) == ("check few failed: 7 rows", 1, {"rows": 7})
    assert work.warnings == [f"{KEYS[2]}: check few failed: 7 rows"]


def test_one_that_raises_or_fails_makes_the_run_a_failure_and_no_partition(tmp_path: Path) -> None:
    @dw.asset_check(sales, when="after")
    def raises(result: LazyFrame[Sale], partition: dw.Partition) -> dw.CheckResult:
        if partition.key == KEYS[1]:
            raise LookupError("who knows")
        return dw.CheckResult(passed=partition.key != KEYS[2], severity="fail")

    work = Work(tmp_path, [raises])

    report = work.make()

    assert (report.entry.status, report.entry.failed, report.entry.materialized) == ("failure", 0, len(KEYS))
    problems = {each.partition: each.problem for each in report.entry.check_failures}
    assert problems[KEYS[1]].startswith("check raises could not be judged: LookupError: who knows")
    assert problems[KEYS[2]] == "check raises failed"
    assert work.status("sales") == "ffffff"


def test_it_is_not_called_on_what_was_not_committed(tmp_path: Path) -> None:
    seen: list[str] = []

    @dw.asset_check(sales, blocking=True)
    def some(result: LazyFrame[Sale]) -> bool:
        return height(result) > 0

    @dw.asset_check(sales, when="after")
    def noted(result: LazyFrame[Sale], partition: dw.Partition) -> bool:
        seen.append(partition.key)
        return True

    Work(tmp_path, [some, noted], rows={KEYS[1]: 1, KEYS[4]: 1}).make()

    assert sorted(seen) == [KEYS[1], KEYS[4]]


def test_a_run_s_checks_survive_the_folding_of_the_ledger(tmp_path: Path) -> None:
    @dw.asset_check(sales, when="after")
    def never(result: LazyFrame[Sale]) -> dw.CheckResult:
        return dw.CheckResult(passed=False, metadata={"rows": height(result), "note": None})

    work = Work(tmp_path, [never])
    work.make(KEYS[0])
    before = read_runs(work.store)

    fold_runs(work.store, find_foldable(work.store, dt.date(2100, 1, 1)))

    assert read_runs(work.store) == before
    assert before[0].check_failures[0].metadata == {"rows": 4, "note": None}
    assert not list((tmp_path / "_deltaworks" / "ledger" / "runs").rglob("*.json"))
