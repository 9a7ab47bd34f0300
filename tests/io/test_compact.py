"""A compaction moves rows from many small files to fewer, and changes nothing that anybody reads or records."""

import json
from dataclasses import replace
from itertools import count

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from deltaworks.errors import LogGap, StorageError
from deltaworks.io.compact import Compaction, compact
from deltaworks.io.index import index_problem, load_table, save_index
from deltaworks.io.lifetimes import read_lifetimes
from deltaworks.io.log import commit_path
from deltaworks.io.record import Kind, Record
from deltaworks.io.scan import scan_table
from deltaworks.io.scattered import Layout, compaction_demand, find_scattered
from deltaworks.io.table import Table
from tests.exactness.failing_store import METHODS, Crash, FailingStore, Moment, Trigger

START = pl.DataFrame({"p": ["a", "b"], "v": [1, 2], "s": ["x", None]})
RECORD = Record("20260301T000000-00000001", "t", "deltaworks", "2026-03-01T00:00:00+00:00", (), {}, Kind.MAINTAIN)
NOW_MS = 1_772_323_200_000


def scatter(lake, appends: int = 5, name: str = "t") -> Table:
    """A table of which others have appended to partition `a` again and again."""
    lake.make(START, name=name)
    for number in range(appends):
        more = pl.DataFrame({"p": ["a"], "v": [10 + number], "s": [f"s{number}"]})
        write_deltalake(lake.uri(name), more, mode="append")
    return lake.open(name)


NUMBERS = count()
PLAIN = Layout()


def run(table: Table, layout: Layout = PLAIN) -> Compaction:
    lifetimes = read_lifetimes(table.store, table.name)
    record = replace(RECORD, run_id=f"20260301T000000-{next(NUMBERS):08x}")
    steps = list(compact(table, find_scattered(table, lifetimes, layout), layout, record, NOW_MS))
    return steps[-1] if steps else Compaction()


def facts(table: Table) -> object:
    return table.partitions().rows(), table.schema(), {key for key, _ in table.live_files()}


def in_order(table: Table, key: str) -> list[object]:
    return scan_table(table, [key]).collect()["v"].to_list()


def test_small_files_become_one_and_nothing_else_is_different(lake, rows):
    table = scatter(lake)
    before, content, order = facts(table), rows(table), in_order(table, "a")

    done = run(table)

    assert (done.partitions, done.files_before, done.files_after, done.dropped) == (1, 6, 1, ())
    assert facts(table) == facts(lake.open()) == before
    assert rows(table) == content
    assert in_order(table, "a") == order
    assert [len(table.files([key])) for key in "ab"] == [1, 1]
    assert table.writers[table.version].kind is Kind.MAINTAIN


def test_the_second_time_there_is_nothing_to_do_until_others_scatter_it_again(lake):
    table = scatter(lake)
    run(table)

    assert run(lake.open()).partitions == 0
    write_deltalake(lake.uri(), START, mode="append")
    assert run(lake.open()).partitions == 2


def test_no_action_changes_data_and_each_file_has_statistics(lake):
    table = scatter(lake)
    run(table)

    content = lake.store.read(commit_path("t", table.version))
    info, *actions = map(json.loads, content.splitlines())
    assert info["commitInfo"]["operation"] == "OPTIMIZE"
    assert {next(iter(action.values()))["dataChange"] for action in actions} == {False}
    (added,) = (action["add"] for action in actions if "add" in action)
    stats = json.loads(added["stats"])
    assert (stats["numRecords"], stats["minValues"]["v"], stats["maxValues"]["v"]) == (6, 1, 14)
    assert added["partitionValues"] == {"p": "a"}
    assert DeltaTable(lake.uri()).history(1)[0]["operation"] == "OPTIMIZE"


def test_files_are_put_together_up_to_the_target_size_in_the_order_of_the_log(lake):
    table = scatter(lake)
    size_bytes = max(file.size_bytes for file in table.files(["a"]))
    layout = Layout(target_bytes=size_bytes * 2 + 2)
    before = in_order(table, "a")

    done = run(table, layout)

    assert (done.files_before, done.files_after) == (6, 3)
    assert in_order(table, "a") == before
    assert run(lake.open(), layout).partitions == 0


def test_large_files_stay_as_they_are(lake):
    table = scatter(lake)

    assert run(table, Layout(target_bytes=1000)).partitions == 0


@pytest.mark.parametrize("values", [{"p": [None]}, {"p": ["a/b=c %"]}, {"p": ["ü"]}])
def test_a_partition_of_any_value_is_compacted(lake, rows, values):
    df = pl.DataFrame({**values, "v": [1]}, schema={"p": pl.String, "v": pl.Int64})
    for _ in range(3):
        write_deltalake(lake.uri(), df, mode="append", partition_by=["p"])
    table = lake.open()
    content = rows(table)

    assert run(table).files_after == 1
    assert rows(table) == content


def test_an_unpartitioned_table_and_one_of_two_columns_are_compacted(lake, rows):
    for name, by in (("whole", []), ("cut", ["v", "p"])):
        for number in range(4):
            df = pl.DataFrame({"p": ["a"], "v": [1], "n": [number]})
            write_deltalake(lake.uri(name), df, mode="append", partition_by=by)
        table = lake.open(name)
        content = rows(table)

        assert (run(table).files_before, len(list(table.live_files()))) == (4, 1)
        assert rows(lake.open(name)) == content


def test_a_column_that_was_added_later_is_null_in_older_rows(lake, rows):
    table = scatter(lake)
    more = pl.DataFrame({"p": ["a"], "v": [99], "s": [None], "w": [1.5]}, schema_overrides={"s": pl.String})
    write_deltalake(lake.uri(), more, mode="append", schema_mode="merge")
    table = lake.open()
    content = rows(table)

    assert run(table).files_after == 1
    assert rows(table) == content
    assert sorted(table.schema()) == ["p", "s", "v", "w"]


@pytest.mark.parametrize("kind", ["append", "overwrite", "delete", "compact"])
def test_a_partition_that_others_touch_meanwhile_is_left_to_them_and_the_rest_lands(lake, rows, kind):
    scatter(lake)
    write_deltalake(lake.uri(), START.filter(pl.col("p") == "b"), mode="append")
    df = pl.DataFrame({"p": ["a"], "v": [77], "s": ["new"]})

    def act() -> None:
        match kind:
            case "append":
                write_deltalake(lake.uri(), df, mode="append")
            case "overwrite":
                write_deltalake(lake.uri(), df, mode="overwrite", predicate="p = 'a'")
            case "delete":
                DeltaTable(lake.uri()).delete("p = 'a'")
            case _:
                DeltaTable(lake.uri()).optimize.compact(partition_filters=[("p", "=", "a")])

    store = FailingStore(lake.store.root, False, Trigger("put_new", 1, Moment.BEFORE, act))
    done = run(Table.read(store, "t"))

    assert (done.partitions, done.dropped) == (1, ("a",))
    assert len(lake.open().files(["b"])) == 1
    found = {row[1] for row in rows(lake.open()) if row[0] == "a"}
    expected = {"append": {1, *range(10, 15), 77}, "overwrite": {77}, "delete": set(), "compact": {1, *range(10, 15)}}
    assert found == expected[kind]
    names = {path.name for path in lake.store.root.rglob("20260301T*.parquet")}
    assert len(names) == 1, "what was not committed is deleted"


def test_a_column_that_others_add_meanwhile_stops_it(lake, rows):
    scatter(lake)
    more = pl.DataFrame({"p": ["c"], "v": [99], "s": ["x"], "w": [1.5]})

    def act() -> None:
        write_deltalake(lake.uri(), more, mode="append", schema_mode="merge")

    store = FailingStore(lake.store.root, False, Trigger("put_new", 1, Moment.BEFORE, act))
    done = run(Table.read(store, "t"))

    assert (done.partitions, done.dropped) == (0, ("a",))
    assert len(rows(lake.open())) == 8


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        ({"delta.enableChangeDataFeed": "true"}, "asks for writer version 4"),
        ({"delta.appendOnly": "true"}, None),
        ({"delta.enableDeletionVectors": "true"}, "asks its readers for variantType"),
    ],
)
def test_tables_that_ask_for_more_are_left_alone(lake, properties, said):
    write_deltalake(lake.uri(), START, configuration=properties)
    found = compaction_demand(lake.open())

    assert (found is None) if said is None else (found is not None and said in found)


def test_an_append_only_table_is_compacted(lake, rows):
    for _ in range(3):
        write_deltalake(lake.uri(), START, mode="append", configuration={"delta.appendOnly": "true"})
    table = lake.open()
    content = rows(table)

    assert run(table).files_after == 1
    assert rows(lake.open()) == content


def test_a_commit_that_was_cut_off_is_never_read_as_less_data(lake):
    table = scatter(lake)
    run(table)
    path = lake.store.root / commit_path("t", table.version)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))

    with pytest.raises(LogGap, match="was cut off"):
        lake.open()


def test_an_index_goes_on_over_a_compaction(lake):
    table = scatter(lake)
    save_index(table)
    run(load_table(lake.store, "t"))

    later = load_table(lake.store, "t")
    assert facts(later) == facts(lake.open())
    assert len(later.files(["a"])) == 1
    assert index_problem(lake.open()) is None


def test_what_cannot_be_read_costs_one_sentence_and_leaves_no_file(lake):
    table = scatter(lake)
    (first, *_) = table.files(["a"])
    (lake.store.root / "t" / first.path).write_bytes(b"PAR1 torn PAR1")

    with pytest.raises(StorageError, match=r"^its files cannot be rewritten: [^\n]*$"):
        run(table)
    assert list(lake.store.root.rglob("20260301T*")) == []


@pytest.mark.parametrize("columns", [("v",), ("v", "s")])
def test_z_order_sorts_each_partition_and_keeps_every_row(lake, rows, columns):
    table = scatter(lake)
    before, content = facts(table), rows(table)
    layout = Layout(z_order=columns)

    done = run(table, layout)

    assert done.partitions == 2
    assert rows(table) == content
    assert facts(lake.open()) == before
    assert in_order(table, "a") == ([1, 10, 11, 12, 13, 14] if columns == ("v",) else [10, 11, 1, 12, 13, 14])
    assert run(lake.open(), layout).partitions == 0
    assert run(lake.open()).partitions == 0
    assert run(lake.open(), Layout(z_order=("s",))).partitions == 2


def test_z_order_makes_files_that_readers_can_leave_out(lake):
    size = 32
    df = pl.DataFrame({"p": "a", "x": [n % size for n in range(size**2)], "y": [n // size for n in range(size**2)]})
    table = lake.make(df.sample(fraction=1, shuffle=True, seed=1))
    (file,) = table.files(["a"])
    run(table, Layout(target_bytes=file.size_bytes // 16, z_order=("x", "y")))

    adds = pl.DataFrame(DeltaTable(lake.uri()).get_add_actions(flatten=True))
    for column in ("x", "y"):
        spans = adds.select(pl.col(f"max.{column}") - pl.col(f"min.{column}"))
        assert adds.height == 16
        assert spans.to_series().max() < size // 2


def test_a_crash_at_any_call_leaves_a_table_that_reads_as_before(lake, rows):
    faults = [(method, moment) for method in METHODS for moment in (Moment.BEFORE, Moment.AFTER)]
    crashes = 0
    for number, (method, moment) in enumerate([*faults, ("put_new", Moment.WITHIN)]):
        name = f"t{number}"
        content = rows(scatter(lake, 1, name))
        for call in range(1, 4):
            table = lake.open(name)
            table.store = FailingStore(lake.store.root, False, Trigger(method, call, moment))
            try:
                run(table)
            except Crash:
                crashes += 1
            assert rows(lake.open(name)) == content
    assert crashes > len(METHODS)
