"""Ticks on real tables: what runs do between them is read from the lake."""

from __future__ import annotations

import datetime as dt
import os
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from deltalake import write_deltalake

import deltaworks as dw
from deltaworks.engine.automation.conditions.rounds import Rounds
from deltaworks.engine.execution.entry import begin_entry
from deltaworks.engine.execution.observe import observe
from deltaworks.engine.execution.sharing import Sharing
from deltaworks.engine.execution.turn import turn
from deltaworks.engine.planning.plan import Only, plan
from deltaworks.engine.planning.request import Request
from deltaworks.errors import StorageError
from deltaworks.io.condition_notes import DECISIONS, FOLDER, read_decisions
from deltaworks.io.ledger import read_runs, write_run
from deltaworks.io.run_entry import RunStatus
from tests.acceptance.lake import NOW, Lake

days = dw.DailyPartitions("2024-01-01", "2024-01-04")
EAGER = dw.AutomationCondition.eager()


@dw.asset(partitions=days, partition_by="day", automation=EAGER)
def raw(partition: dw.Partition) -> pl.LazyFrame:
    return pl.LazyFrame({"day": [partition.start], "value": [1]})


BAD = {"2024-01-02"}


@dw.asset(partitions=days, partition_by="day", automation=EAGER)
def clean(raw: pl.LazyFrame, partition: dw.Partition) -> pl.LazyFrame:
    if partition.key in BAD:
        raise ValueError("it broke")
    return raw


@dw.asset(automation=EAGER)
def total(clean: pl.LazyFrame) -> pl.LazyFrame:
    return clean.select(pl.col("value").sum())


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake", raw, clean, total)


def wait_for_the_clock(lake: Lake) -> None:
    """Let the folders of the logs look as if nothing had changed for long."""
    past = 1_700_000_000
    for folder in lake.folder.rglob("_delta_log"):
        os.utime(folder, (past, past))


class Daemon:
    def __init__(self, lake: Lake, cursor: str | None = None) -> None:
        self.lake, self.rounds, self.cursor = lake, Rounds(lake.graph, lake.store), cursor

    def tick(self) -> dict[str, list[str]]:
        tick = self.rounds.tick(NOW, self.cursor)
        self.cursor = self.rounds.keep() or self.cursor
        found = {key: tick.conditions.graph.nodes[key].partitions for key in tick.requests}
        return {str(key): [found[key].key(each) for each in chosen] for key, chosen in tick.requests.items()}

    def carry_out(self) -> dict[str, list[str]]:
        asked = self.tick()
        assert self.rounds.last is not None
        if asked:
            status = observe(self.lake.graph, self.lake.store).status
            self.lake.run(plan(self.lake.graph, status, Request(self.rounds.last.requests), frozenset({Only.ALL})))
        return asked

    def sentences(self, name: str) -> list[str]:
        notes = read_decisions(self.lake.store)
        assert notes is not None
        return [each.sentence for each in notes.decisions if each.asset == name]


def test_a_lake_becomes_fresh_and_stays_quiet(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.BAD", set[str]())
    daemon = Daemon(lake)
    every = ["2024-01-01", "2024-01-02", "2024-01-03"]

    assert daemon.carry_out() == {"raw": every, "clean": every, "total": [""]}
    assert daemon.tick() == {}
    write_deltalake(str(lake.folder / "raw"), pl.DataFrame({"day": [dt.date(2024, 1, 2)], "value": [5]}), mode="append")
    assert daemon.carry_out() == {"clean": ["2024-01-02"], "total": [""]}
    assert daemon.tick() == {}
    assert lake.status("total") == ("f", 0)


def test_what_failed_is_tried_again_when_its_upstream_changes_and_not_before(lake: Lake) -> None:
    daemon = Daemon(lake)
    daemon.carry_out()
    run = read_runs(lake.store)[-1].run_id
    held = f"it failed in run {run}, and nothing that it is made from has changed since"

    assert daemon.tick() == {}
    assert daemon.sentences("clean") == [f"not requested: {held}"]
    assert Daemon(lake, daemon.cursor).tick() == {}, "another process sees the same"
    write_deltalake(str(lake.folder / "raw"), pl.DataFrame({"day": [dt.date(2024, 1, 2)], "value": [5]}), mode="append")
    assert daemon.carry_out() == {"clean": ["2024-01-02"], "total": [""]}
    assert daemon.tick() == {}


def test_of_several_runs_that_failed_the_newest_tells(lake: Lake) -> None:
    daemon = Daemon(lake)
    daemon.carry_out()
    write_deltalake(str(lake.folder / "raw"), pl.DataFrame({"day": [dt.date(2024, 1, 2)], "value": [5]}), mode="append")
    (first,) = read_runs(lake.store)
    daemon.carry_out()
    (second,) = (run for run in read_runs(lake.store) if run.run_id != first.run_id)
    later = (NOW + dt.timedelta(seconds=1)).isoformat()
    write_run(lake.store, replace(second, started_at=later, ended_at=later))

    assert daemon.tick() == {}
    assert [each.partition(",")[0] for each in daemon.sentences("clean")] == [
        f"not requested: it failed in run {second.run_id}"
    ]
    later = (NOW + dt.timedelta(seconds=2)).isoformat()
    write_run(lake.store, replace(second, run_id="canceled", status=RunStatus.CANCELED, started_at=later, failures=()))
    assert daemon.tick() == {}, "nothing is kept of what that one was to make"


def test_what_failed_is_tried_again_when_its_code_changes(lake: Lake) -> None:
    daemon = Daemon(lake)
    daemon.carry_out()
    assert daemon.tick() == {}

    edited = Lake(lake.folder, raw, replace(clean, code_version="2"), total)
    daemon.lake = edited

    tick = daemon.rounds.tick(NOW, daemon.cursor, graph=edited.graph)
    assert [len(chosen) for chosen in tick.requests.values()] == [3, 1]


def test_runs_that_were_canceled_or_lost_are_told_apart(lake: Lake) -> None:
    daemon = Daemon(lake)
    daemon.carry_out()
    run = read_runs(lake.store)[-1]

    write_run(lake.store, replace(run, status=RunStatus.CANCELED, failures=()))
    assert daemon.tick() == {}
    assert daemon.sentences("clean")[0].startswith(f"not requested: run {run.run_id} was canceled, and nothing")
    write_run(lake.store, replace(run, status=RunStatus.RUNNING, failures=(), heartbeat_at=None, pid=None))
    assert daemon.tick() == {"clean": ["2024-01-02"], "total": [""]}, "its machine may have gone down"


def test_what_is_being_made_is_not_asked_for(lake: Lake) -> None:
    daemon = Daemon(lake)
    decided = lake.plan("raw", named=("2024-01-01",))
    entry = begin_entry("a test", dt.datetime.now(dt.UTC))
    write_run(lake.store, entry)

    with turn(lake.store, lake.graph, entry, decided, Sharing()) as waiting:
        assert waiting.is_over()
        assert daemon.tick()["raw"] == ["2024-01-02", "2024-01-03"]
        assert daemon.sentences("total") == ["waits: upstream clean 2024-01-01 is made first"]
    assert daemon.tick()["raw"] == ["2024-01-01", "2024-01-02", "2024-01-03"]


def test_what_a_tick_asked_for_and_nobody_has_started_yet_is_not_asked_for_again(lake: Lake) -> None:
    rounds = Rounds(lake.graph, lake.store)
    asked = rounds.tick(NOW).requests

    assert not rounds.tick(NOW, pending=asked).requests
    assert rounds.tick(NOW).requests.keys() == asked.keys()


def test_an_idle_tick_reads_no_log(lake: Lake) -> None:
    daemon = Daemon(lake)
    daemon.carry_out()
    wait_for_the_clock(lake)
    daemon.tick(), daemon.tick()

    for commit in lake.folder.rglob("_delta_log/*.json"):
        commit.write_text("nobody reads this")

    assert daemon.rounds.tick(NOW, daemon.cursor).evaluated == 0
    assert daemon.rounds.keep() is None


def test_a_tick_that_could_not_be_kept_loses_nothing(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.BAD", set[str]())
    condition = dw.AutomationCondition.any_upstream_match(dw.AutomationCondition.newly_updated())
    daemon = Daemon(Lake(lake.folder, raw, clean, replace(total, automation=condition)))
    daemon.carry_out()
    assert [daemon.carry_out(), daemon.carry_out()] == [{"total": [""]}, {}]
    write_deltalake(
        str(lake.folder / "clean"), pl.DataFrame({"day": [dt.date(2024, 1, 2)], "value": [5]}), mode="append"
    )
    decisions = Path(lake.store.root) / DECISIONS
    decisions.unlink()
    (decisions / "in the way").mkdir(parents=True)

    with pytest.raises(StorageError):
        daemon.tick()
    (decisions / "in the way").rmdir()
    decisions.rmdir()
    assert daemon.tick() == {"total": [""]}
    assert daemon.tick() == {}


def test_notes_that_are_damaged_are_said_to_be(lake: Lake) -> None:
    daemon = Daemon(lake)
    daemon.tick()
    (lake.folder / DECISIONS).write_text("{")
    (lake.folder / FOLDER / f"{daemon.cursor}.json").write_text("{}")

    with pytest.raises(StorageError, match=r"decisions.json is damaged .* delete it: conditions begin anew"):
        read_decisions(lake.store)
    with pytest.raises(StorageError, match=r"json is damaged \(KeyError: 'at'\); delete it: conditions begin anew"):
        Daemon(lake, daemon.cursor).tick()


def test_a_memory_that_somebody_has_deleted_lets_conditions_begin_anew(lake: Lake) -> None:
    daemon = Daemon(lake)
    asked = daemon.tick()
    (lake.folder / FOLDER / f"{daemon.cursor}.json").unlink()

    heir = Daemon(lake, daemon.cursor)

    assert heir.tick() == asked
    assert (heir.cursor or "").startswith("000000000002-")


def test_of_what_ticks_remembered_only_the_last_few_are_kept(lake: Lake) -> None:
    daemon = Daemon(lake)
    for _ in range(6):
        assert daemon.tick()

    kept = sorted(each.name for each in (lake.folder / FOLDER).iterdir())
    assert [each.partition("-")[0][-1] for each in kept] == ["4", "5", "6"]
    assert f"{daemon.cursor}.json" == kept[-1]
