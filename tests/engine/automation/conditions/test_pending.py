"""What ticks asked for counts as in progress until its run is over."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl

import deltaworks as dw
from deltaworks.engine.automation.conditions.pending import Pending
from deltaworks.engine.execution.entry import begin_entry
from deltaworks.io.condition_notes import NAME
from deltaworks.io.ledger import write_run
from deltaworks.io.process import Process
from deltaworks.io.run_entry import RunStatus
from deltaworks.io.ticks import AskedRun, TickClaim, TickEntry, TickKind, TickOutcome, claim_tick, decide_tick
from tests.acceptance.lake import NOW, Lake


@dw.asset()
def a() -> pl.LazyFrame:
    return pl.LazyFrame({"n": [1]})


@dw.asset()
def b() -> pl.LazyFrame:
    return pl.LazyFrame({"n": [1]})


def test_a_run_is_pending_until_it_ends_and_is_not_read_after_that(tmp_path: Path) -> None:
    lake, at = Lake(tmp_path / "lake", a, b), NOW.isoformat()
    asked = tuple(AskedRun(f"run-{name}", "", assets={name: (("", ""),)}) for name in "ab")
    claim_tick(lake.store, TickClaim(NAME, "1", TickKind.SENSOR, 1, "a daemon", Process.current()))
    decide_tick(lake.store, TickEntry(NAME, TickKind.SENSOR, "1", at, at, TickOutcome.REQUESTED, requests=asked))
    pending = Pending(lake.store)

    def names() -> list[str]:
        return sorted(map(str, pending.partitions(lake.graph, NOW)))

    assert names() == ["a", "b"]
    entry = replace(begin_entry("a test", NOW), run_id="run-a")
    write_run(lake.store, replace(entry, status=RunStatus.RUNNING))
    assert names() == ["a", "b"]
    write_run(lake.store, replace(entry, status=RunStatus.SUCCESS, ended_at=at))
    assert names() == ["b"]
    for path in (lake.folder / "_deltaworks/ledger/runs").rglob("run-a.json"):
        path.write_text("nobody reads this")
    assert names() == ["b"]
