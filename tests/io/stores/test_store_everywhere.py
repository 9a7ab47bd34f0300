"""A store means the same wherever it lies."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

import polars as pl
import pytest

from deltaworks.io.store import Store

STRANGE = ["t/day=2013-01-01/a.parquet", "t/p=a%20b/é.json", "t/p=x%3Dy%2Fz/1", "t/p=50%25/it's"]


def test_what_was_put_is_read_back_and_put_replaces_it(store: Store) -> None:
    store.put("a/b.json", b"1")
    before = store.stamp("a/b.json")

    store.put("a/b.json", b"22")

    assert (store.read("a/b.json"), store.size_bytes("a/b.json")) == (b"22", 2)
    assert store.exists("a/b.json")
    assert store.stamp("a/b.json") not in ("", before)
    assert store.modified_at("a/b.json") is not None


def test_what_is_not_there_is_none_and_can_be_deleted(store: Store) -> None:
    store.put("x/z", b"")

    store.delete("x/y")
    store.delete("q/y")

    assert (store.read("x/y"), store.size_bytes("x/y"), store.modified_at("x/y")) == (None, None, None)
    assert (store.exists("x/y"), store.stamp("x/y")) == (False, "")
    assert (list(store.list("q")), list(store.names("q")), list(store.files("q"))) == ([], [], [])


def test_a_new_file_is_put_once(store: Store) -> None:
    assert store.put_new("log/1", b"mine")
    assert not store.put_new("log/1", b"theirs")
    assert not store.put_new_surely("log/1", b"theirs")

    assert store.read("log/1") == b"mine"


def test_of_four_that_put_the_same_new_file_exactly_one_does(store: Store) -> None:
    with ThreadPoolExecutor(4) as threads:
        for number in range(5):
            contents = [f"{number} {writer}".encode() for writer in range(4)]

            wrote = list(threads.map(lambda content, path=f"log/{number}": store.put_new(path, content), contents))

            assert wrote.count(True) == 1
            assert store.read(f"log/{number}") == contents[wrote.index(True)]


def test_folders_are_listed_deep_and_flat_and_by_whole_names(store: Store) -> None:
    for path in ("runs/a/1", "runs/a/2", "runs/b", "runs-too/c", "top"):
        store.put(path, b"x")

    assert sorted(store.list("runs")) == ["runs/a/1", "runs/a/2", "runs/b"]
    assert sorted(store.names("runs")) == ["a", "b"]
    assert sorted(store.names("")) == ["runs", "runs-too", "top"]
    assert sorted(store.list("")) == ["runs-too/c", "runs/a/1", "runs/a/2", "runs/b", "top"]
    assert {(file.path, file.size_bytes, file.name) for file in store.files("runs/a")} == {
        ("runs/a/1", 1, "1"),
        ("runs/a/2", 1, "2"),
    }
    assert [store.has_folder(folder) for folder in ("runs", "run", "runs/a", "")] == [True, False, True, True]


def test_more_files_than_a_page_are_all_listed(store: Store) -> None:
    paths = [f"many/{number:03d}" for number in range(120)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda path: store.put(path, b""), paths))

    assert sorted(store.list("many")) == paths
    assert len(store.names("many")) == len(paths)


@pytest.mark.parametrize("path", STRANGE)
def test_strange_names_stay_what_they_are(store: Store, path: str) -> None:
    store.put_new(path, b"content")

    assert list(store.list("t")) == [path]
    assert store.read(path) == b"content"
    store.delete(path)
    assert list(store.list("")) == []


def test_polars_finds_what_lies_in_a_store(store: Store) -> None:
    path = "t/p=a%20b/rows.parquet"
    store.make_folder("t/p=a%20b")
    pl.DataFrame({"v": [1, 2]}).write_parquet(store.uri(path), storage_options=store.polars_options)

    assert store.size_bytes(path) == len(store.read(path) or b"")
    lf = pl.scan_parquet(store.uri(path), glob=False, hive_partitioning=False, storage_options=store.polars_options)
    assert lf.collect()["v"].to_list() == [1, 2]


def test_tables_are_found_by_their_logs(store: Store) -> None:
    for path in ("a/_delta_log/0.json", "b/c/_delta_log/0.json", "a/p=1/x.parquet", "_deltaworks/index/a", "d/e"):
        store.put(path, b"")

    assert sorted(store.folders_with("_delta_log")) == ["a", "b/c"]


def test_a_store_that_was_pickled_is_the_same(store: Store) -> None:
    store.put("a", b"1")

    again = pickle.loads(pickle.dumps(store))

    assert again == store
    assert again.read("a") == b"1"


def test_what_comes_from_a_name_on_is_listed_in_order(store: Store) -> None:
    for name in ("0001.json", "0002.json", "0003.json", "0002.checkpoint.parquet", "_last"):
        store.put(f"t/_log/{name}", name.encode())

    found = store.files_from("t/_log", "0002.json")

    assert [file.name for file in found] == ["0002.json", "0003.json", "_last"]
    assert [file.stamp for file in found] == [store.stamp(file.path) for file in found]
    assert list(store.files_from("t/_log", "9")) == [found[-1]]
    assert list(store.files_from("t/none", "0")) == []
