"""A rollback gives partitions back what they were, in one commit that everybody reads; somebody chose that content."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable

from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.execution.observe import observe
from deltaworks.engine.execution.repairs.upkeep import CLAIM, Care, maintain
from deltaworks.engine.planning.explain import explain
from deltaworks.engine.planning.plan import Only
from deltaworks.errors import ClaimHeld, FilesGone, RequestError, TableMismatch, UnknownPartition, VersionGone
from deltaworks.io.claim import claimed
from deltaworks.io.index import load_table, save_index
from deltaworks.io.ledger import read_runs
from deltaworks.io.log import commit_path
from deltaworks.io.record import Kind, Restored
from deltaworks.io.run_entry import RunStatus
from deltaworks.io.table import Table
from deltaworks.io.table_state import Origin
from tests.exactness.failing_store import FailingStore, Moment, Trigger

FIRST, SECOND, THIRD, FOURTH = "2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"
NEWER = {FIRST: 5, SECOND: 6, THIRD: 7, FOURTH: 8}


def remade(work: Any) -> Any:
    """Make everything again from a source that has changed."""
    work.n = NEWER
    work.make(only=frozenset({Only.ALL}))
    return work


def latest(work: Any, name: str = "numbers") -> dict[str, Any]:
    return DeltaTable(work.store.uri(name)).history(1)[0]


def test_three_partitions_go_back_for_every_reader_at_once(work: Any) -> None:
    before = work.rows("numbers")
    after = remade(work).rows("numbers")

    done = work.roll_back("numbers", 1, FIRST, SECOND, THIRD)

    last = dt.date(2024, 1, 4)
    assert work.rows("numbers") == sorted([*(r for r in before if r[0] < last), *(r for r in after if r[0] == last)])
    assert (done.version, done.changed, done.unchanged) == (3, (FIRST, SECOND, THIRD), ())
    assert work.statuses("numbers") == {FIRST: "external", SECOND: "external", THIRD: "external", FOURTH: "fresh"}
    assert set(work.statuses("doubled").values()) == {"stale", "fresh"}
    assert work.causes("doubled") == [
        "data: numbers 2024-01-01..2024-01-03 was rolled back at version 3 "
        f"by run {done.entry.run_id}, version 2 was read"
    ]


def test_a_backfill_does_not_undo_it_and_makes_what_is_made_from_it(work: Any) -> None:
    remade(work).roll_back("numbers", 1, FIRST)
    rows = work.rows("numbers")

    work.make()

    assert work.rows("numbers") == rows
    assert work.rows("doubled")[0][:2] == (dt.date(2024, 1, 1), 2)
    assert set(work.statuses("doubled").values()) == {"fresh"}
    assert set(work.statuses("total").values()) == {"fresh"}
    work.n = {**NEWER, FIRST: 50}
    work.make("numbers", only=frozenset({Only.EXTERNAL}))
    assert work.rows("numbers")[0][1] == 50
    assert work.statuses("numbers")[FIRST] == "fresh"


def test_a_second_rollback_returns_the_content(work: Any) -> None:
    after = remade(work).rows("numbers")
    work.roll_back("numbers", 1)

    done = work.roll_back("numbers", 2)

    assert (done.version, done.changed) == (4, (FIRST, SECOND, THIRD, FOURTH))
    assert work.rows("numbers") == after
    table = Table.read(work.store, "numbers")
    (made,) = {table.materializations[number].content_from for number in table.partitions()["materialization"]}
    assert made == Restored(2, DeltaTable(work.store.uri("numbers")).history()[2]["deltaworks"]["run_id"])


def test_what_is_the_same_needs_nothing(work: Any) -> None:
    remade(work)
    work.roll_back("numbers", 1, FIRST)

    done = work.roll_back("numbers", 1, FIRST, SECOND)
    again = work.roll_back("numbers", 1, FIRST, SECOND)

    assert (done.changed, done.unchanged) == ((SECOND,), (FIRST,))
    assert (again.entry, again.version, again.unchanged) == (None, None, (FIRST, SECOND))
    assert Table.read(work.store, "numbers").version == 4


def test_a_compaction_in_between_is_no_change(work: Any) -> None:
    work.append_outside("numbers", FIRST)
    DeltaTable(work.store.uri("numbers")).optimize.compact()

    done = work.roll_back("numbers", 2)

    assert done.entry is None


def test_the_record_tells_whose_content_it_is(work: Any) -> None:
    first = latest(work)["deltaworks"]
    remade(work)

    work.roll_back("numbers", 1, FIRST)

    record = latest(work)["deltaworks"]
    (group,) = record["groups"]
    assert record["kind"] == "rollback"
    assert (group["keys"], group["rows"]) == ([FIRST], [2])
    assert group["code"]["source"] == first["groups"][0]["code"]["source"]
    assert group["inputs"] == first["groups"][0]["inputs"]
    assert group["restored_from"] == {"version": 1, "run_id": first["run_id"]}


def test_it_is_a_run_that_the_ledger_knows(work: Any) -> None:
    remade(work)

    done = work.roll_back("numbers", 1, FIRST)

    entry = next(run for run in read_runs(work.store) if run.run_id == done.entry.run_id)
    assert (entry.kind, entry.status, entry.command) == (Kind.ROLLBACK, RunStatus.SUCCESS, "rollback")
    assert (entry.replaced, entry.materialized, entry.commits) == (1, 0, 1)


def test_why_tells_who_made_what_was_restored(work: Any) -> None:
    (run, *_) = read_runs(work.store)
    remade(work)
    done = work.roll_back("doubled", 1, FIRST)

    lake = observe(work.graph, work.store).status
    (found,) = explain(lake, work.graph.node("doubled").key, PartitionSet.of([0], 4))

    assert found.causes == (f"rolled back at version {done.version} by run {done.entry.run_id}",)
    (made,) = found.made
    assert (made.run_id, made.versions, made.inputs) == (run.run_id, (1, 1), {"numbers": (1, 1)})


def test_partitions_that_were_not_there_then_are_emptied(work: Any) -> None:
    done = work.roll_back("numbers", 0)

    assert (done.changed, done.emptied) == ((), (FIRST, SECOND, THIRD, FOURTH))
    assert work.rows("numbers") == []
    assert set(work.statuses("numbers").values()) == {"missing"}
    assert work.causes("numbers") == [f"rolled back to nothing at version 2 by run {done.entry.run_id}"]
    assert work.roll_back("numbers", 1).changed == (FIRST, SECOND, THIRD, FOURTH)
    assert len(work.rows("numbers")) == 8


def test_a_partition_without_rows_comes_back_as_one(work: Any) -> None:
    work.n = {FIRST: 1}
    work.make("numbers", only=frozenset({Only.ALL}))
    work.wipe("numbers", SECOND)

    done = work.roll_back("numbers", 2, SECOND)

    assert done.changed == (SECOND,)
    assert work.statuses("numbers")[SECOND] == "external"


def test_what_others_wrote_comes_back_too(work: Any) -> None:
    work.append_outside("numbers", FIRST, n=77)
    rows = work.rows("numbers")
    work.overwrite_outside("numbers", FIRST)
    work.roll_back("numbers", 1, FIRST)
    assert 77 not in [row[1] for row in work.rows("numbers")]

    work.roll_back("numbers", 2, FIRST)

    assert work.rows("numbers") == rows
    (group,) = latest(work)["deltaworks"]["groups"]
    assert (group["rows"], group["code"]["source"], group["restored_from"]) == (
        [None],
        None,
        {"version": 2, "run_id": None},
    )
    assert work.statuses("numbers")[FIRST] == "external"


def test_an_append_is_undone_and_the_files_that_stay_are_read_once(work: Any) -> None:
    before = work.rows("numbers")
    work.append_outside("numbers", FIRST)

    done = work.roll_back("numbers", 1, FIRST)

    assert done.changed == (FIRST,)
    assert work.rows("numbers") == before
    DeltaTable(work.store.uri("numbers")).create_checkpoint()
    assert work.rows("numbers") == before
    assert load_table(work.store, "numbers").files([FIRST]) == Table.read(work.store, "numbers", 1).files([FIRST])


def test_rows_beyond_the_definition_go_back_as_well(work: Any) -> None:
    work.append_outside("numbers", "2023-12-31")

    assert work.roll_back("numbers", 1).emptied == ("2023-12-31",)
    assert work.roll_back("numbers", 2, "2023-12-31").changed == ("2023-12-31",)


def test_a_table_without_partitions_goes_back(work: Any) -> None:
    before = work.rows("total")
    remade(work)

    work.roll_back("total", 1)

    assert work.rows("total") == before
    assert work.statuses("total") == {"": "external"}
    assert latest(work, "total")["deltaworks"]["groups"][0]["keys"] is None


def test_removed_files_are_refused_before_anything_is_written(work: Any) -> None:
    remade(work).vacuum("numbers")
    version = Table.read(work.store, "numbers").version

    with pytest.raises(
        FilesGone, match="that version 1 had were removed, as vacuum does; nothing was written"
    ) as refused:
        work.roll_back("numbers", 1, SECOND, THIRD)

    assert refused.value.partitions == (SECOND, THIRD)
    assert Table.read(work.store, "numbers").version == version
    assert len(read_runs(work.store)) == 2


def test_one_removed_file_does_not_stop_other_partitions(work: Any) -> None:
    (file,) = Table.read(work.store, "numbers").files([SECOND])
    remade(work)
    work.store.delete(f"numbers/{file.path}")

    with pytest.raises(FilesGone, match=SECOND):
        work.roll_back("numbers", 1)

    assert work.roll_back("numbers", 1, FIRST, THIRD).changed == (FIRST, THIRD)


@pytest.mark.parametrize(
    ("version", "keys", "error", "sentence"),
    [
        (9, (), VersionGone, "numbers has no version 9: its versions are 0 to 1."),
        (1, ("2025-01-01",), UnknownPartition, "has no partition '2025-01-01'"),
    ],
)
def test_what_is_not_there_is_refused(
    work: Any, version: int, keys: tuple[str, ...], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        work.roll_back("numbers", version, *keys)


def test_without_a_table_there_is_nothing_to_undo(work: Any) -> None:
    work.folder = work.folder / "nowhere"

    with pytest.raises(RequestError, match="There is no table 'numbers'"):
        work.roll_back("numbers", 1)

    assert not work.folder.exists()


def test_a_column_that_was_added_since_is_null_in_what_comes_back(work: Any) -> None:
    table = DeltaTable(work.store.uri("numbers"))
    df = pl.DataFrame({"day": [dt.date(2024, 1, 1)], "n": [1], "x": [0.5], "more": ["x"]})
    df.write_delta(table, mode="append", delta_write_options={"schema_mode": "merge"})

    rolled = work.roll_back("numbers", 1)

    assert rolled.changed == ("2024-01-01",)
    assert pl.read_delta(work.store.uri("numbers"))["more"].null_count() == 8


def test_other_columns_are_refused(work: Any) -> None:
    table = DeltaTable(work.store.uri("numbers"))
    df = pl.DataFrame({"day": [dt.date(2024, 1, 1)], "n": ["one"], "x": [0.5]})
    options = {"schema_mode": "overwrite", "partition_by": ["day"]}
    df.write_delta(table, mode="overwrite", delta_write_options=options)

    with pytest.raises(TableMismatch, match="of version 1 are not those of version 2: column 'n' is Int64 instead of"):
        work.roll_back("numbers", 1)


# Others at the same time.


def race(work: Any, act: Callable[[], None], below: str = "numbers/_delta_log") -> FailingStore:
    """A store in which something happens just before the commit is put."""
    trigger = Trigger("put_new", 1, Moment.BEFORE, act, below)
    return FailingStore(work.store.root, False, trigger)


def test_a_partition_that_somebody_changes_meanwhile_is_refused_and_the_others_go_back(work: Any) -> None:
    remade(work)
    store = race(work, lambda: work.overwrite_outside("numbers", SECOND))

    done = work.roll_back("numbers", 1, FIRST, SECOND, store=store)

    (conflict,) = done.conflicts
    assert (conflict.partitions, conflict.read_version, conflict.version) == ((SECOND,), 2, 3)
    assert (done.version, done.changed) == (4, (FIRST,))
    assert (done.entry.status, done.entry.failed) == (RunStatus.FAILURE, 1)
    assert [row[1] for row in work.rows("numbers")[:3]] == [1, 2, 99]
    assert work.make().entry.status is RunStatus.SUCCESS


def test_a_change_of_other_partitions_meanwhile_is_no_conflict(work: Any) -> None:
    remade(work)
    store = race(work, lambda: work.overwrite_outside("numbers", FOURTH))

    done = work.roll_back("numbers", 1, FIRST, store=store)

    assert (done.version, done.conflicts) == (4, ())
    assert work.rows("numbers")[-1][1] == 99


def test_a_materialization_that_loses_to_a_rollback_is_told_so(work: Any) -> None:
    remade(work)
    store = race(work, lambda: work.make("numbers", only=frozenset({Only.ALL}), partitions=[FIRST]) and None)

    done = work.roll_back("numbers", 1, FIRST, store=store)

    assert [conflict.version for conflict in done.conflicts] == [3]
    assert (done.version, work.statuses("numbers")[FIRST]) == (None, "fresh")


def test_rollback_and_maintain_exclude_each_other(work: Any) -> None:
    remade(work)

    with (
        claimed(work.store, CLAIM, "deltaworks maintain"),
        pytest.raises(ClaimHeld, match="held by deltaworks maintain"),
    ):
        work.roll_back("numbers", 1)

    held: list[ClaimHeld] = []

    def tidy() -> None:
        try:
            graph = work.graph
            maintain(graph, work.store, list(graph.nodes.values()), Care(), lambda: dt.datetime.now(dt.UTC))
        except ClaimHeld as error:
            held.append(error)

    work.roll_back("numbers", 1, store=race(work, tidy))
    assert "held by deltaworks rollback numbers" in str(held[0])


def test_the_index_keeps_what_was_rolled_back_and_wiped(work: Any) -> None:
    remade(work).roll_back("numbers", 1, FIRST)
    work.wipe("numbers", SECOND)
    save_index(Table.read(work.store, "numbers"))
    work.roll_back("numbers", 1, THIRD)

    kept, read = load_table(work.store, "numbers"), Table.read(work.store, "numbers")

    def facts(table: Table) -> set[Any]:
        return {
            (key, version, origin, rows, None if made is None else table.materializations[made].content_from)
            for key, version, origin, rows, made in table.partitions().iter_rows()
        }

    assert facts(kept) == facts(read)
    assert {key: origin for key, _, origin, *_ in facts(kept)} == {
        FIRST: Origin.CHOSEN,
        SECOND: Origin.GONE,
        THIRD: Origin.CHOSEN,
        FOURTH: Origin.ENGINE,
    }
    assert {version: kept.writers[version].kind for version in (3, 4, 5)} == {
        3: Kind.ROLLBACK,
        4: Kind.WIPE,
        5: Kind.ROLLBACK,
    }


def test_the_commit_is_plain_delta(work: Any) -> None:
    remade(work).roll_back("numbers", 1)

    content = work.store.read(commit_path("numbers", 3))
    actions = [json.loads(line) for line in content.splitlines()]
    adds = [action["add"] for action in actions if "add" in action]
    assert latest(work)["operation"] == "RESTORE"
    assert all(add["dataChange"] and json.loads(add["stats"])["numRecords"] == 2 for add in adds)
    assert len({add["path"] for add in adds} | {a["remove"]["path"] for a in actions if "remove" in a}) == 8
    DeltaTable(work.store.uri("numbers")).create_checkpoint()
    assert len(work.rows("numbers")) == 8
    work.vacuum("numbers")
    assert len(work.rows("numbers")) == 8
