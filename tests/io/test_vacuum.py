"""A vacuum takes the files that nothing needs, and no other."""

import datetime as dt
import itertools
import os
from collections.abc import Collection, Sequence

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from deltaworks.io.commit import commit_partitions
from deltaworks.io.lifetimes import Lifetime, read_lifetimes
from deltaworks.io.log import commit_path
from deltaworks.io.record import Group, Kind, Pin, Record, Restored
from deltaworks.io.scan import scan_table
from deltaworks.io.table import Table
from deltaworks.io.vacuum import Kept, expired, missing_pinned, pinned_versions, shared_files, unreadable_versions

START = pl.DataFrame({"p": ["a", "b"], "v": [1, 2]})
LATER = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)


def renewed(lake, times: int = 3) -> Table:
    """A table of which both partitions were replaced again and again: versions 1, 2, 3."""
    table = lake.make(START)
    for number in range(1, times):
        lake.replace(table, START.with_columns(pl.col("v") + 10 * number), f"run{number}")
    return table


def gone(
    lake, pinned: Sequence[int] = (), since: dt.datetime = LATER, shared: Collection[str] = (), name: str = "t"
) -> set[str]:
    """What may go, below the table's folder."""
    there = {file.path: file for file in lake.store.files(name)}
    found = expired(name, read_lifetimes(lake.store, name), there, Kept(pinned, since, shared))
    return {file.path.removeprefix(f"{name}/") for file in found}


def paths(lake, version: int) -> set[str]:
    return {file.path for _, file in lake.open(version=version).live_files()}


def test_what_no_version_needs_goes_and_the_latest_stays(lake):
    renewed(lake)

    assert gone(lake) == paths(lake, 1) | paths(lake, 2)
    for path in gone(lake):
        lake.store.delete(f"t/{path}")
    assert scan_table(lake.open()).collect()["v"].sort().to_list() == [21, 22]
    assert gone(lake) == set()


@pytest.mark.parametrize("pinned", [[1], [2, 4], [1, 4], [3], []])
def test_just_the_versions_that_lack_a_file_are_unreadable(lake, pinned):
    renewed(lake, 6)
    for path in gone(lake, pinned):
        lake.store.delete(f"t/{path}")
    there = {file.path for file in lake.store.files("t")}

    found = unreadable_versions("t", read_lifetimes(lake.store, "t"), there)

    lacking = {version for version in range(7) if any(f"t/{path}" not in there for path in paths(lake, version))}
    assert lacking == {1, 2, 3, 4, 5} - set(pinned)
    assert {version for first, last in found for version in range(first, last + 1)} == lacking
    assert all(before[1] + 1 < after[0] for before, after in itertools.pairwise(found)), "ranges are as long as can be"


@pytest.mark.parametrize("pinned", [[1], [2], [1, 2], [0], [3], []])
def test_a_pinned_version_keeps_all_of_its_files(lake, pinned):
    renewed(lake)

    kept = {path for version in pinned for path in paths(lake, version)}
    assert gone(lake, pinned) == (paths(lake, 1) | paths(lake, 2)) - kept


@pytest.mark.parametrize(
    ("added", "removed", "versions", "held"),
    [
        (3, 5, [], False),
        (3, 5, [2], False),
        (3, 5, [3], True),
        (3, 5, [4], True),
        (3, 5, [5], False),
        (3, 5, [2, 5, 9], False),
        (3, None, [2, 9], True),
    ],
)
def test_a_lifetime_begins_with_its_first_version_and_ends_before_the_one_that_removed_it(
    added, removed, versions, held
):
    assert Lifetime("a", added, removed).holds_any(versions) is held


def test_a_removal_is_as_young_as_the_younger_of_its_two_clocks(lake):
    renewed(lake)
    said = dt.datetime.fromtimestamp(1_700_000_000, dt.UTC)  # as the commits of the test say
    written = said + dt.timedelta(days=3)
    for path in (lake.store.root / "t" / "_delta_log").iterdir():
        os.utime(path, (written.timestamp(),) * 2)

    assert gone(lake, since=written) == set()
    assert gone(lake, since=written + dt.timedelta(seconds=1)) == paths(lake, 1) | paths(lake, 2)
    for path in (lake.store.root / "t" / "_delta_log").iterdir():
        os.utime(path, (0, 0))
    assert gone(lake, since=said) == set()


def test_a_file_that_a_rollback_brought_back_stays(lake):
    renewed(lake, times=2)
    DeltaTable(lake.uri()).restore(1)

    assert gone(lake) == paths(lake, 2)
    write_deltalake(lake.uri(), START, mode="overwrite")
    assert gone(lake) == paths(lake, 1) | paths(lake, 2)
    assert gone(lake, [3]) == paths(lake, 2)


def test_files_of_others_are_never_touched(lake):
    """What lies elsewhere, what two tables name, and what only looks like a path of the table."""
    renewed(lake, times=2)
    clone = lake.create(START, name="clone")
    (first, _) = sorted(paths(lake, 1))
    add = '{"add":{"path":"file://%s/%s","partitionValues":{"p":"a"},"size":1,"modificationTime":1,"dataChange":true}}'
    lake.store.put(commit_path("clone", 1), (add % (lake.uri(), first)).encode())

    shared = shared_files(lake.store, [Table.read(lake.store, "clone"), lake.open()])
    assert shared == {f"t/{first}"}
    assert gone(lake, shared=shared) == paths(lake, 1) - {first}
    remove = f'{{"remove":{{"path":"file://{lake.uri()}/{first}","dataChange":true}}}}\n'
    remove += '{"remove":{"path":"../t/x.parquet","dataChange":true}}'
    lake.store.put(commit_path("clone", 2), remove.encode())
    assert gone(lake, name="clone") == set()
    assert clone.exists


def record(version: int, key: str, restored: Restored | None = None) -> Record:
    group = Group((key,), (1,), "1:ab", inputs={"upstream": Pin("up", version)}, restored_from=restored)
    kind = Kind.MATERIALIZE if restored is None else Kind.ROLLBACK
    return Record(f"run-{version}", "t", "deltaworks", "2026-01-01T00:00:00+00:00", (group,), {}, kind)


def commit(lake, table: Table, said: Record) -> None:
    """Make the partition that a record names."""
    (key,) = said.groups[0].keys or ("",)
    staged = lake.stage(table, START.filter(pl.col("p") == key), f"staged{table.version}")
    commit_partitions(table, staged, {key: table.version}, lambda _: said, lambda _: None, 0)


def test_the_latest_record_of_each_partition_pins_and_so_does_what_a_rollback_gave_back(lake):
    table = lake.create(START)
    for version, key in ((3, "a"), (4, "b"), (7, "a")):
        commit(lake, table, record(version, key))
    assert pinned_versions([table]) == {"upstream": [4, 7]}

    commit(lake, table, record(3, "a", Restored(1, "run-3")))
    assert pinned_versions([lake.open()]) == {"upstream": [3, 4]}


def test_pinned_files_that_others_vacuumed_are_found(lake):
    renewed(lake)
    assert missing_pinned(lake.open(), read_lifetimes(lake.store, "t"), [1, 2]) == []
    DeltaTable(lake.uri()).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)

    found = missing_pinned(lake.open(), read_lifetimes(lake.store, "t"), [2])
    assert {path for path, _ in found} == paths(lake, 2)
    assert {lifetime.key for _, lifetime in found} == {"a", "b"}
