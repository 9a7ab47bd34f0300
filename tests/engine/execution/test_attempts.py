"""Attempts of one run that overlap commit each partition once, and a run in this process can be canceled, too."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event as Flag
from typing import Any

import polars as pl
import pytest

import deltaworks as dw
from deltaworks.engine.execution.entry import begin_entry
from deltaworks.engine.execution.launch import launch
from deltaworks.engine.execution.observe import observe
from deltaworks.engine.execution.report import RunReport
from deltaworks.engine.planning.graph import build_graph
from deltaworks.engine.planning.plan import Only, plan
from deltaworks.engine.planning.request import request
from deltaworks.errors import RunError
from deltaworks.io.ledger import read_runs
from deltaworks.io.run_entry import RunEntry, RunStatus
from deltaworks.io.stop_request import StopKind, StopRequest, ask_to_stop
from deltaworks.io.store import Store
from tests.engine.execution.conftest import NOW
from tests.exactness.naive import read_history

days = dw.DailyPartitions(start="2024-01-01", end="2024-01-04")
SECOND = "2024-01-02"


def counting(before: Callable[[str], None]) -> dw.Asset[..., Any]:
    @dw.asset(name="counts", partitions=days, partition_by="day", code_version="same")
    def counts(partition: dw.Partition) -> pl.LazyFrame:
        before(partition.key)
        return pl.LazyFrame({"day": [partition.start], "n": [1]})

    return counts


def make(lake: Path, asset: dw.Asset[..., Any], entry: RunEntry, *named: str) -> RunReport:
    definitions, store = dw.Definitions([asset]), Store(lake, durable=False)
    graph = build_graph(definitions, NOW)
    seen = observe(graph, store)
    return launch(
        definitions,
        graph,
        store,
        seen.tables,
        plan(graph, seen.status, request(graph, tuple(graph.nodes), named), frozenset({Only.ALL})),
        workers=1,
        command="a test",
        environ={},
        now=lambda: NOW,
        tell=lambda _: None,
        stop=Flag(),
        entry=entry,
    )


def test_an_attempt_that_was_taken_for_lost_replaces_nothing(tmp_path: Path) -> None:
    first = replace(begin_entry("a test", NOW), run_id="tick-7")
    second = replace(first, attempt=2, attempt_started_at=NOW.isoformat())

    def take_over(key: str) -> None:
        if key == SECOND:
            make(tmp_path, counting(lambda _: None), second, SECOND)

    report = make(tmp_path, counting(take_over), first)

    assert (report.entry.status, report.entry.materialized) == (RunStatus.SUCCESS, 2)
    (skipped,) = report.skipped
    assert (skipped.key, skipped.by) == (SECOND, "run tick-7")
    history = read_history(tmp_path / "counts")
    assert sorted(key for key, _ in history.materializations()) == ["2024-01-01", SECOND, "2024-01-03"]
    files = {file.name for file in (tmp_path / "counts").rglob("*.parquet")}
    assert len(files) == 3, "attempts name their files differently, and what is not committed is deleted"


def test_a_canceled_run_of_this_process_does_not_wait_for_a_call_that_hangs(tmp_path: Path) -> None:
    release = threading.Event()
    store = Store(tmp_path)

    def hang(key: str) -> None:
        if key == SECOND:
            ask_to_stop(store, read_runs(store)[-1].run_id, StopRequest(StopKind.CANCEL, "ann"))
            release.wait(60)

    try:
        with pytest.raises(RunError, match=r"^run \S+ was canceled by ann; what it committed stays$"):
            dw.materialize([counting(hang)], lake=tmp_path, workers=1)
    finally:
        release.set()

    (entry,) = read_runs(store)
    assert (entry.status, entry.materialized, entry.reason) == (RunStatus.CANCELED, 1, "canceled by ann")
    assert [(each.asset, each.planned, each.materialized) for each in entry.steps] == [("counts", 3, 1)]
    assert dw.read("counts", lake=tmp_path).collect()["n"].to_list() == [1]
