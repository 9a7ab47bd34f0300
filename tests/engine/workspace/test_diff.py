"""Two versions of a table, or two tables, are compared through the Python door; what is the same is not read."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

import deltaworks as dw
from deltaworks.errors import FilesGone, RequestError, TableMismatch, VersionGone
from deltaworks.io.compare import Terms
from deltaworks.io.compare_tables import Side, compare_tables
from deltaworks.io.store import Store
from deltaworks.io.table import Table

days = dw.DailyPartitions(start="2024-01-01", end="2024-01-04")
FIRST, SECOND = "2024-01-01", "2024-01-02"


def counting(n: int, *, name: str = "counts") -> dw.Asset[..., Any]:
    @dw.asset(partitions=days, partition_by="day", name=name)
    def counts(partition: dw.Partition) -> pl.LazyFrame:
        return pl.LazyFrame({"day": [partition.start] * 3, "i": [1, 2, 3], "n": [n, n, n + 1]})

    return counts


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """Versions 1 and 2 of `counts`; in the second one day is another."""
    dw.materialize([counting(1)], lake=tmp_path)
    dw.materialize([counting(2)], lake=tmp_path, partition=SECOND)
    return tmp_path


def test_versions_differ_in_the_rows_of_one_day_and_the_others_are_not_read(lake: Path) -> None:
    found = dw.diff("counts@v1", "counts", lake=lake)

    assert (found.a, found.b) == ("counts@v1", "counts@v2")
    assert (found.is_equal, found.only_a, found.only_b, found.rows_a, found.rows_b) == (False, 3, 3, 3, 3)
    assert (found.partitions_compared, found.partitions_unchanged) == (1, 2)
    assert [(each.row["i"], each.row["n"], each.count) for each in found.samples_a] == [(1, 1, 1), (2, 1, 1), (3, 2, 1)]


def test_with_a_key_rows_are_changed(lake: Path) -> None:
    found = dw.diff(counting(1), "counts@v1", lake=lake, key=["day", "i"])

    assert (found.changed, found.changed_columns, found.only_a, found.only_b) == (3, {"n": 3}, 0, 0)
    first = found.samples_changed[0]
    assert (first.key, first.values) == ({"day": dt.date(2024, 1, 2), "i": 1}, {"n": (2, 1)})


def test_equal_versions_are_equal_unread(lake: Path) -> None:
    for path in (lake / "counts").rglob("*.parquet"):
        if path.parent.name != "_delta_log":
            path.write_bytes(b"no Parquet at all")

    found = dw.diff("counts@v2", "counts@v2", lake=lake)

    assert (found.is_equal, found.partitions_compared, found.partitions_unchanged, found.rows_a) == (True, 0, 3, 0)


def test_one_partition_can_be_asked_about(lake: Path) -> None:
    assert dw.diff("counts@v1", "counts@v2", lake=lake, partition=FIRST).is_equal
    assert not dw.diff("counts@v1", "counts@v2", lake=lake, partition=[FIRST, SECOND]).is_equal


def test_two_tables_are_compared_whole(lake: Path) -> None:
    dw.materialize([counting(1, name="others")], lake=lake)

    assert dw.diff("counts@v1", "others", lake=lake).is_equal
    found = dw.diff("counts", "others", lake=lake, key=("day", "i"))
    assert (found.changed, found.partitions_compared) == (3, 3)


def test_a_row_that_moved_to_another_partition_is_one_change(lake: Path) -> None:
    table = DeltaTable(str(lake / "counts"))
    keyed = pl.DataFrame({"day": [dt.date(2024, 1, 1), dt.date(2024, 1, 2)], "i": [1, 2], "n": [7, 8]})
    write_deltalake(table, keyed, mode="overwrite")
    moved = keyed.with_columns(day=pl.when(pl.col("i") == 2).then(dt.date(2024, 1, 3)).otherwise("day"))
    write_deltalake(table, moved, mode="overwrite")

    found = dw.diff("counts@v3", "counts@v4", lake=lake, key="i")

    assert (found.changed, found.changed_columns, found.only_a) == (1, {"day": 1}, 0)


def test_an_added_column_is_told_and_rows_are_compared_without_it(lake: Path) -> None:
    df = pl.DataFrame({"day": [dt.date(2024, 1, 1)], "i": [4], "n": [4], "more": ["x"]})
    write_deltalake(str(lake / "counts"), df, mode="append", schema_mode="merge")

    found = dw.diff("counts@v2", "counts@v3", lake=lake)

    assert found.columns.added == {"more": pl.String()}
    assert (found.only_a, found.only_b) == (0, 1)


@pytest.mark.parametrize("pass_bytes", [300, 10_000_000])
def test_small_passes_find_the_same(lake: Path, pass_bytes: int) -> None:
    dw.materialize([counting(5)], lake=lake)
    a, b = (Side(Table.read(Store.at(str(lake)), "counts", version), "counts") for version in (1, 3))

    found = compare_tables(a, b, Terms(pass_bytes=pass_bytes))
    keyed = compare_tables(a, b, Terms(("i", "day"), pass_bytes=pass_bytes))

    assert (found.only_a, found.only_b, found.rows_a, found.rows_b) == (9, 9, 9, 9)
    assert (keyed.changed, len(keyed.samples_changed)) == (9, 9)


def test_removed_files_are_refused_by_version(lake: Path) -> None:
    DeltaTable(str(lake / "counts")).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)

    with pytest.raises(FilesGone) as refused:
        dw.diff("counts@v1", "counts", lake=lake)
    with pytest.raises(FilesGone) as read:
        dw.read("counts", lake=lake, version=1)

    assert str(refused.value) == (
        "table counts: data files of 2024-01-02 that version 1 had were removed, as vacuum does; choose a later "
        "version of counts, or only other partitions."
    )
    assert str(read.value).startswith("table counts: data files of 2024-01-02 that version 1 had were removed")
    assert dw.read("counts", lake=lake, version=1, partition=FIRST).collect().height == 3
    assert dw.diff("counts@v1", "counts", lake=lake, partition=FIRST).is_equal


def test_what_is_not_there_is_refused(lake: Path) -> None:
    with pytest.raises(RequestError, match="There is no table 'nothing'"):
        dw.diff("counts", "nothing", lake=lake)
    with pytest.raises(VersionGone, match="counts has no version 9"):
        dw.diff("counts@v9", "counts", lake=lake)
    with pytest.raises(RequestError, match=r"'9' is no version; a version is written counts@v12"):
        dw.diff("counts@9", "counts", lake=lake)
    with pytest.raises(RequestError, match="names no asset"):
        dw.diff("@v9", "counts", lake=lake)


def test_deletion_vectors_are_never_taken_for_the_same_files(lake: Path) -> None:
    log = lake / "counts" / "_delta_log" / f"{2:020d}.json"
    text = log.read_text("utf-8")
    log.write_text(text.replace('"dataChange":true,"stats"', '"dataChange":true,"deletionVector":{},"stats"'), "utf-8")

    with pytest.raises(TableMismatch, match="its deletion vectors cannot be read: Kernel error"):
        dw.diff("counts@v2", "counts@v2", lake=lake)
