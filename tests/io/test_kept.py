"""Rows of partitions that failed lie apart from all tables until a sweep takes them."""

import datetime as dt
import os
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from deltaworks.io.kept import KeptFile, find_kept, find_old_kept, keep_rows
from deltaworks.io.store import Store

ROWS = pl.DataFrame({"day": [dt.date(2024, 1, 1)] * 2, "n": [1, -2]})
RULES = [{"rule": "ge(0)", "column": "n", "severity": "fail", "failed_rows": 1, "rows": 2, "note": None}]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def keep(store: Store, asset: str, run_id: str, name: str) -> Path:
    file = KeptFile(asset, run_id, name)
    keep_rows(store, file, ROWS.lazy(), "2024-01-01", RULES)
    return store.root / file.path


def test_what_a_run_kept_is_found_with_what_was_wrong_with_it(store: Store) -> None:
    path = keep(store, "raw/readings", "run", "3-0.parquet")
    keep(store, "raw/readings", "other", "1-0.parquet")

    (found,) = find_kept(store, "run")

    assert (found.file.asset, found.partition, list(found.rules)) == ("raw/readings", "2024-01-01", RULES)
    assert (found.size_bytes, found.is_damaged) == (path.stat().st_size, False)
    assert_frame_equal(pl.read_parquet(path, hive_partitioning=False), ROWS)


def test_it_is_found_in_the_order_of_tasks_and_partitions(store: Store) -> None:
    for asset, name in [("b", "1-0.parquet"), ("a", "10-1.parquet"), ("a", "9-12.parquet"), ("a", "9-2.parquet")]:
        keep(store, asset, "run", name)

    assert [each.file.name for each in find_kept(store, "run")] == [
        "9-2.parquet",
        "9-12.parquet",
        "10-1.parquet",
        "1-0.parquet",
    ]


@pytest.mark.parametrize("content", [b"", b"PAR1 and then the machine stopped"])
def test_half_of_a_file_is_told_to_be_damaged(store: Store, content: bytes) -> None:
    path = keep(store, "a", "run", "1-0.parquet")
    path.write_bytes(content)

    (found,) = find_kept(store, "run")

    assert (found.is_damaged, found.partition, found.rules) == (True, None, ())


def test_a_file_of_somebody_else_is_nobodys(store: Store) -> None:
    path = keep(store, "a", "run", "1-0.parquet")
    ROWS.write_parquet(path.with_name("mine.parquet"))
    ROWS.write_parquet(path)

    (found,) = find_kept(store, "run")

    assert found.is_damaged, "it does not say what its rows are"


def test_only_what_is_old_is_swept_and_only_what_was_kept(store: Store) -> None:
    now = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    old, young = keep(store, "a", "one", "1-0.parquet"), keep(store, "a", "two", "1-0.parquet")
    mine = old.with_name("mine.parquet")
    ROWS.write_parquet(mine)
    for path, days in [(old, 8), (mine, 8), (young, 6)]:
        written_at = (now - dt.timedelta(days=days)).timestamp()
        os.utime(path, (written_at, written_at))

    found = list(find_old_kept(store, now - dt.timedelta(days=7)))

    assert [store.root / each.path for each in found] == [old]


def test_a_lake_without_any_has_none(store: Store) -> None:
    assert find_kept(store, "run") == []
