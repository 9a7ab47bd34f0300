"""Maintenance changes no status, breaks nobody who reads or runs, and says what it did."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Event as Flag
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable, QueryBuilder

import deltaworks as dw
from deltaworks.engine.definitions.asset import AssetKind
from deltaworks.engine.execution.launch import launch
from deltaworks.engine.execution.observe import observe
from deltaworks.engine.execution.repairs.upkeep import Care, TableUpkeep, UpkeepReport, find_upkeep, maintain
from deltaworks.engine.planning.plan import Only, plan
from deltaworks.engine.planning.request import request
from deltaworks.engine.planning.status import Status
from deltaworks.errors import FilesGone, RequestError
from deltaworks.io.ledger import read_runs, write_run
from deltaworks.io.log import commit_path
from deltaworks.io.record import Kind
from deltaworks.io.run_entry import RunEntry, RunStatus
from deltaworks.io.scan import scan_table
from deltaworks.io.scattered import Layout
from deltaworks.io.silence import CLOCK_FOLDER
from deltaworks.io.step_records import StepRecords
from deltaworks.io.store import Store
from deltaworks.io.table import Table
from tests.engine.execution.conftest import DAYS, NOW, Work, doubled, numbers, total, window
from tests.exactness.failing_store import METHODS, Crash, FailingStore, Moment, Trigger

FIRST, SECOND, THIRD, _ = DAYS
ALL = frozenset({Only.ALL})
AT_ONCE = Care(retention=dt.timedelta(0))
NOTHING = dt.timedelta(0)


def care_for(work: Any, *names: str, care: Care = AT_ONCE, store: Store | None = None) -> dict[str, TableUpkeep]:
    return {str(each.node.key): each for each in report(work, *names, care=care, store=store).tables if each.node}


def report(work: Any, *names: str, care: Care = AT_ONCE, store: Store | None = None) -> UpkeepReport:
    graph = work.graph
    nodes = [node for key, node in graph.nodes.items() if not names or str(key) in names]
    return maintain(graph, store or work.store, nodes, care, lambda: dt.datetime.now(dt.UTC))


def seen(work: Any) -> dict[str, Any]:
    """Everything that status knows, but for the versions of tables, which compaction raises."""
    found = observe(work.graph, work.store).status
    return {
        str(key): (
            [Status(value).word for value in each.status],
            each.state.columns.drop("materialization").rows(),
            [(made.version, made.inputs) for made in map(each.state.materializations.__getitem__, numbers)]
            if (numbers := each.state.columns["materialization"].drop_nulls().to_list())
            else [],
            dict(each.state.failures),
            each.state.undefined,
        )
        for key, each in found.items()
    }


def pins(work: Any) -> set[tuple[str, int]]:
    """Every version that the present content of a table was made from."""
    return {
        (pin.asset, pin.version)
        for each in observe(work.graph, work.store).status.values()
        for number in each.state.columns["materialization"].drop_nulls().to_list()
        for pin in each.state.materializations[number].inputs.values()
    }


def files(work: Any, name: str) -> int:
    return len(list((work.folder / name).rglob("*.parquet")))


def remade(work: Any, times: int = 2) -> Any:
    """Make the source again and again, and what is made from it sometimes and in part."""
    for number in range(1, times + 1):
        for more in (1, 2):
            work.n = dict.fromkeys(DAYS, number * 10 + more)
            work.make("numbers", only=ALL)
        work.make("doubled", only=ALL, partitions=(DAYS[number],))
    return work


def scattered(work: Any) -> Any:
    """Append to two days of the source from outside."""
    for number in range(3):
        work.append_outside("numbers", FIRST, number)
        work.append_outside("numbers", SECOND, number)
    return work


def test_no_status_changes_and_every_pinned_version_still_reads(work: Any) -> None:
    scattered(remade(work))
    work.append_outside("doubled", THIRD)
    before, pinned = seen(work), pins(work)
    rows = {pin: work.rows(*pin) for pin in pinned}
    latest = {name: work.rows(name) for name in ("numbers", "doubled", "window", "total")}

    done = care_for(work)

    assert len(pinned) > 4
    assert len(done["numbers"].vacuumed) > 0
    assert done["numbers"].compacted.partitions == 2
    assert seen(work) == before
    assert {pin: work.rows(*pin) for pin in pinned} == rows
    assert {name: work.rows(name) for name in latest} == latest


def test_a_second_time_there_is_nothing_to_do_but_to_vacuum_what_the_first_left(work: Any) -> None:
    work.make(only=ALL)
    scattered(work)
    first = care_for(work)
    assert first["numbers"].compacted.files_before == 8
    second, third = care_for(work), care_for(work)

    assert (
        len(second["numbers"].vacuumed) == 8 - sum("appended" in str(file) for file in second["numbers"].vacuumed) - 2
    )
    assert not any(each.did_anything for each in third.values())
    assert find_upkeep(work.graph, work.store, list(work.graph.nodes.values()), AT_ONCE, NOW).folded_runs == 0


def test_what_is_pinned_can_be_made_again_and_what_is_not_is_refused_with_the_reason(work: Any) -> None:
    remade(work)
    care_for(work, "numbers", care=Care(retention=NOTHING, layout=Layout(z_order=("n",))))
    care_for(work)

    for name in ("numbers", "doubled", "window", "total"):
        state = observe(work.graph, work.store).status[work.graph.node(name).key].state
        for version in set(state.columns["version"].to_list()):
            again = work.rerun(name, version)
            assert again.is_equal, (name, version, again)
    with pytest.raises(FilesGone, match="were removed, as vacuum does; there is nothing left to compare with"):
        work.rerun("numbers", 2, FIRST)


def test_the_retention_keeps_what_was_removed_of_late(work: Any) -> None:
    remade(work)
    assert care_for(work, care=Care())["numbers"].vacuumed == ()
    for path in (work.folder / "numbers" / "_delta_log").iterdir():
        age_commit(path, days=20)
    assert care_for(work, care=Care())["numbers"].vacuumed == ()

    graph = replace(work, assets=[replace(numbers, retention_days=15), doubled, window, total]).graph
    done = maintain(graph, work.store, [graph.node("numbers")], Care(), lambda: NOW)
    assert done.tables[0].vacuumed


def age_commit(path: Any, days: float) -> None:
    """Make a commit look as if it had been made so long ago, by both clocks."""
    if not path.name.endswith(".json"):
        return
    at = dt.datetime.now(dt.UTC).timestamp() - days * 86400
    actions = [json.loads(line) for line in path.read_text().splitlines()]
    for action in actions:
        if "remove" in action:
            action["remove"]["deletionTimestamp"] = int(at * 1000)
    path.write_text("".join(f"{json.dumps(action)}\n" for action in actions))
    os.utime(path, (at, at))


@pytest.mark.parametrize(("heartbeat", "are_kept"), [(NOTHING, True), (dt.timedelta(days=2), False)])
def test_a_run_that_is_at_work_keeps_what_it_may_read(work: Any, heartbeat: dt.timedelta, are_kept: bool) -> None:
    """It pinned what was there when it began, and its records do not say so yet."""
    remade(work, times=1)
    now = dt.datetime.now(dt.UTC)
    for path in (work.folder / "numbers" / "_delta_log").iterdir():
        age_commit(path, days=3)
    started = now - dt.timedelta(days=4)
    entry = RunEntry("slow", RunStatus.RUNNING, "backfill", started.isoformat())
    write_run(work.store, replace(entry, heartbeat_at=(now - heartbeat).isoformat()))

    assert bool(care_for(work, "numbers")["numbers"].vacuumed) is not are_kept


def test_a_run_in_between_is_not_lost_and_its_partition_is_left_to_it(work: Any) -> None:
    scattered(work)
    work.n = dict.fromkeys(DAYS, 50)
    trigger = Trigger(
        "put_new", 1, Moment.BEFORE, lambda: work.make("numbers", only=ALL, partitions=(FIRST,)), "numbers/"
    )

    done = care_for(work, "numbers", store=FailingStore(work.folder, False, trigger))["numbers"]

    assert (done.compacted.partitions, done.compacted.dropped) == (1, (FIRST,))
    assert [row[1] for row in work.rows("numbers") if row[0] == dt.date.fromisoformat(FIRST)] == [50, 51]
    assert work.statuses("numbers")[FIRST] == "fresh"


def test_a_run_that_was_planned_before_a_compaction_commits_after_it(work: Any) -> None:
    scattered(work)
    work.n = dict.fromkeys(DAYS, 50)
    trigger = Trigger("put_new", 1, Moment.BEFORE, lambda: care_for(work), "numbers/")
    graph = work.graph

    store = FailingStore(work.folder, False, trigger)
    found = observe(graph, store)
    asked = request(graph, [graph.node("numbers").key], [FIRST])
    told = launch(
        work.definitions,
        graph,
        store,
        found.tables,
        plan(graph, found.status, asked, ALL),
        workers=1,
        command="",
        environ={},
        now=lambda: dt.datetime.now(dt.UTC),
        tell=lambda _: None,
        stop=Flag(),
    )

    assert told.entry.status is RunStatus.SUCCESS
    assert [row[1] for row in work.rows("numbers") if row[0] == dt.date.fromisoformat(FIRST)] == [50, 51]
    assert len(Table.read(work.store, "numbers").files([FIRST])) == 1


def test_outside_readers_read_right_rows_after_each_step(work: Any) -> None:
    scattered(work)
    rows = sorted(work.rows("numbers"), key=str)
    for care in (AT_ONCE, Care(retention=NOTHING, layout=Layout(z_order=("n", "x"))), AT_ONCE):
        care_for(work, "numbers", care=care)
        uri = work.store.uri("numbers")
        query = QueryBuilder().register("t", DeltaTable(uri)).execute("select day, n, x from t")
        assert sorted(pl.DataFrame(query.read_all()).rows(), key=str) == rows
        assert sorted(pl.scan_delta(uri).select("day", "n", "x").collect().rows(), key=str) == rows


def test_one_table_that_fails_stops_none_of_the_others(work: Any) -> None:
    work.make("numbers", only=ALL)
    work.make("numbers", only=ALL)
    scattered(work)
    tear(work, "window")

    done = care_for(work)

    assert "of the log cannot be read" in str(done["window"].problem)
    assert done["numbers"].compacted.partitions == 2
    assert done["numbers"].vacuumed
    assert "nobody can say what was made from it" in str(done["doubled"].left_alone)
    assert done["doubled"].vacuumed == ()


def tear(work: Any, name: str) -> None:
    """Damage the latest commit of a table."""
    (work.folder / commit_path(name, Table.read(work.store, name).version)).write_bytes(b"{")


def test_a_table_of_another_project_keeps_what_it_was_made_from(work: Any) -> None:
    """Whoever shares the lake may read our tables."""
    remade(work)
    before = pins(work)
    rows = {pin: work.rows(*pin) for pin in before}
    alone = replace(work, assets=[numbers])

    assert care_for(alone)["numbers"].vacuumed
    assert {pin: work.rows(*pin) for pin in before} == rows

    shutil.rmtree(work.folder / "total")
    tear(work, "window")
    assert "nobody can say" in str(care_for(alone)["numbers"].left_alone)


def test_tables_that_others_write_and_that_ask_for_more_are_left_alone(work: Any) -> None:
    scattered(work)
    DeltaTable(work.store.uri("numbers")).alter.add_constraint({"positive": "n >= 0"})
    theirs = replace(
        work, assets=[numbers, replace(doubled, kind=AssetKind.EXTERNAL, location="/elsewhere/doubled"), window, total]
    )

    done = care_for(theirs)

    assert done["numbers"].left_alone is not None
    assert "so its files are left as they are" in done["numbers"].left_alone
    assert done["doubled"].left_alone == "others write this table, so it is theirs to care for"
    assert not done["numbers"].did_anything
    assert all(each.problem is None for each in done.values())


@pytest.mark.parametrize(
    ("names", "columns", "said"),
    [
        (("numbers",), ("day",), "numbers cannot be z-ordered by day: 'day' is a partition column"),
        (("numbers",), ("n", "m"), "there is no column 'm'; there are n, x"),
        (("numbers", "doubled"), ("n",), "2 assets are selected; name one"),
    ],
)
def test_columns_that_cannot_be_sorted_by_are_refused_in_one_sentence(
    work: Any, names: Sequence[str], columns: tuple[str, ...], said: str
) -> None:
    with pytest.raises(RequestError, match=said):
        care_for(work, *names, care=Care(layout=Layout(z_order=columns)))


def test_what_would_be_done_is_what_is_done(work: Any) -> None:
    scattered(remade(work))
    nodes = list(work.graph.nodes.values())
    told = find_upkeep(work.graph, work.store, nodes, AT_ONCE, dt.datetime.now(dt.UTC))
    done = report(work)

    for would, did in zip(told.tables, done.tables, strict=True):
        assert would.vacuumed == did.vacuumed
        assert would.compacted.files_before == did.compacted.files_before
        assert would.compacted.files_after == did.compacted.files_after
        assert (would.described, would.checkpoint) == (did.described, did.checkpoint)


def test_old_runs_are_folded_and_status_knows_their_failures_still(work: Any) -> None:
    work.n = {}
    broken = replace(work, assets=[failing])
    broken.make()
    runs, before = read_runs(work.store), seen(broken)
    assert before["failing"][3]

    assert report(broken, care=Care(fold_after=NOTHING)).folded_runs == len(runs) == 2
    assert list((work.folder / "_deltaworks" / "ledger" / "runs").rglob("*.json")) == []
    assert read_runs(work.store) == runs
    assert seen(broken) == before


@dw.asset
def failing() -> pl.LazyFrame:
    raise ValueError("broken")


def test_rejected_rows_stay_as_long_as_a_record_names_them(work: Any) -> None:
    old = dt.datetime.now(dt.UTC).timestamp() - 9 * 86400
    folder = work.folder / "_deltaworks" / "rejects" / "numbers"
    for name in ("20240101T000000-00000001/1-0.parquet", "20240101T000000-00000001/1-1.parquet", "notes/readme.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"rows")
        os.utime(folder / name, (old, old))
    path = work.folder / commit_path("numbers", 1)
    info, *rest = path.read_text().splitlines()
    document = json.loads(info)
    document["commitInfo"]["deltaworks"]["groups"][0]["rejects"] = ["20240101T000000-00000001/1-1.parquet", *[None] * 3]
    path.write_text("\n".join((json.dumps(document), *rest)))

    done = care_for(work)["numbers"]

    assert [file.name for file in done.removed] == ["1-0.parquet"]
    assert sorted(file.name for file in folder.rglob("*.*")) == ["1-1.parquet", "readme.txt"]


def test_files_that_other_engines_wrote_for_calls_that_died_are_swept(work: Any) -> None:
    folder = work.folder / "_deltaworks" / "staging" / "numbers"
    now = dt.datetime.now(dt.UTC)
    alive = RunEntry("job-7", RunStatus.RUNNING, "backfill", now.isoformat(), heartbeat_at=now.isoformat())
    write_run(work.store, alive)
    for name, days in (
        ("20240101T000000-00000001-3/day=2024-01-01/part-0.parquet", 9),
        ("20240101T000000-00000001-3/_SUCCESS", 9),
        ("job-1-12/part-0.parquet", 9),
        ("job-1-13/part-0.parquet", 6),
        ("job-7-1/part-0.parquet", 9),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"rows")
        os.utime(folder / name, (now.timestamp() - days * 86400,) * 2)
    (folder / "20240101T000000-00000002-1").mkdir()  # of a call that may be about to write

    done = care_for(work)["numbers"]

    assert sorted(file.name for file in done.removed) == ["_SUCCESS", "part-0.parquet", "part-0.parquet"]
    assert sorted(path.name for path in folder.iterdir()) == ["20240101T000000-00000002-1", "job-1-13", "job-7-1"]


def test_what_was_put_to_ask_the_store_for_the_time_goes_if_its_process_died(work: Any) -> None:
    path = work.folder / CLOCK_FOLDER / "0123"
    path.parent.mkdir(parents=True)
    path.touch()
    os.utime(path, (dt.datetime.now(dt.UTC).timestamp() - 99 * 86400,) * 2)

    report(work)

    assert not path.exists()


def test_what_steps_gave_stays_for_thirty_days(work: Any) -> None:
    for run, days in (("old", 31), ("young", 29)):
        StepRecords(work.store, run).write_run({"retry_of": None})
        written = dt.datetime.now(dt.UTC).timestamp() - days * 86400
        os.utime(work.folder / "_deltaworks" / "steps" / run / "run.json", (written, written))

    care_for(work)

    assert [each.name for each in (work.folder / "_deltaworks" / "steps").rglob("run.json")] == ["run.json"]
    assert StepRecords(work.store, "young").has_run()


def test_new_words_of_a_definition_reach_the_table_and_make_nothing_stale(work: Any) -> None:
    before = seen(work)
    wordy = replace(work, assets=[replace(numbers, description="Counted.", owners=("eve",)), doubled, window, total])

    assert care_for(wordy)["numbers"].described
    assert not any(each.described for each in care_for(wordy).values())

    found = DeltaTable(work.store.uri("numbers")).metadata()
    assert (found.description, found.configuration["deltaworks.owners"]) == ("Counted.", "eve")
    assert seen(wordy) == before


@pytest.fixture(scope="module")
def worn_once(made_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with much to do for maintenance; to be copied."""
    worn = Work(shutil.copytree(made_once, tmp_path_factory.mktemp("worn") / "lake"))
    return scattered(remade(worn, times=1)).folder


@pytest.fixture
def worn(tmp_path: Path, worn_once: Path) -> Work:
    return Work(shutil.copytree(worn_once, tmp_path, dirs_exist_ok=True))


@pytest.mark.parametrize("moment", [Moment.BEFORE, Moment.AFTER])
@pytest.mark.parametrize("method", METHODS)
def test_a_crash_at_any_call_leaves_a_lake_that_reads_as_before(worn: Work, method: str, moment: Moment) -> None:
    work = worn
    care = Care(retention=NOTHING, fold_after=NOTHING)
    before, runs = seen(work), read_runs(work.store)
    rows = {pin: work.rows(*pin) for pin in (*pins(work), ("numbers", None), ("doubled", None))}
    claim = work.folder / "_deltaworks" / "claims" / "maintain.json"
    for call in (1, 2, 4, 9, 20, 60):
        trigger = Trigger(method, call, moment)
        with suppress(Crash):
            care_for(work, care=care, store=FailingStore(work.folder, False, trigger))
        claim.unlink(missing_ok=True)
        assert seen(work) == before
        assert {pin: work.rows(*pin) for pin in rows} == rows
        assert read_runs(work.store) == runs
        if not trigger.is_dead:
            break  # all is done, and there are not so many calls
    last = care_for(work, care=care)
    assert all(each.problem is None for each in last.values())
    assert seen(work) == before


def test_what_a_dead_compaction_has_staged_is_a_leftover(work: Any) -> None:
    scattered(work)
    store = FailingStore(work.folder, False, Trigger("put_new", 1, Moment.BEFORE, below="numbers/"))
    with pytest.raises(Crash):
        care_for(work, "numbers", store=store)
    (work.folder / "_deltaworks" / "claims" / "maintain.json").unlink()
    old = dt.datetime.now(dt.UTC).timestamp() - 8 * 86400
    for path in work.folder.rglob("*.parquet"):
        os.utime(path, (old, old))

    done = care_for(work, "numbers", care=Care())["numbers"]

    assert len(done.removed) == 2
    assert done.compacted.partitions == 2
    assert len(scan_table(Table.read(work.store, "numbers")).collect()) == 8 + 6


def test_history_tells_maintenance_from_changes(work: Any) -> None:
    scattered(work)
    care_for(work, "numbers")

    table = Table.read(work.store, "numbers")
    assert table.writers[table.version].kind is Kind.MAINTAIN
    with pytest.raises(RequestError, match=f"Version {table.version} of numbers is maintenance by run"):
        work.rerun("numbers", table.version)


def test_an_absent_lake_is_not_made(tmp_path: Any) -> None:
    work = Work(tmp_path / "nowhere")

    assert not any(each.did_anything for each in care_for(work).values())
    assert not work.folder.exists()
