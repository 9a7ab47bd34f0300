"""What is written is whole, synced before it is acknowledged, and never taken for something else."""

import os
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deltaworks.errors import InvalidSettings, StorageError
from deltaworks.io.store import Store


@pytest.fixture
def store(tmp_path):
    return Store.at(str(tmp_path / "lake"))


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 256 kB, which only root can make."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = os.geteuid() == 0 and not subprocess.call(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk], stderr=subprocess.DEVNULL
    )
    if not mounted:
        pytest.skip("needs the right to mount a file system")
    yield disk
    subprocess.check_call(["umount", disk])


@pytest.fixture
def operations(monkeypatch):
    """What the operating system is asked to do from here on, in order: (what, name)."""
    seen, opened = [], {}
    for name in ("fsync", "link", "rename", "replace"):
        monkeypatch.setattr(os, name, _noting(seen, opened, name, getattr(os, name)))
    open_file = os.open

    def noting_open(path, *arguments, **options):
        descriptor = open_file(path, *arguments, **options)
        opened[descriptor] = str(path)
        return descriptor

    monkeypatch.setattr(os, "open", noting_open)
    return seen


def _noting(seen, opened, name, operation):
    def note(*arguments):
        if name == "fsync":
            is_folder = stat.S_ISDIR(os.fstat(arguments[0]).st_mode)
            seen.append((name, Path(opened[arguments[0]]).name if is_folder else "the content"))
        else:
            seen.append((name, Path(arguments[1]).name))
        return operation(*arguments)

    return note


def test_what_was_put_is_read_back_and_put_replaces_it(store):
    store.put("a/b.json", b"1")
    store.put("a/b.json", b"2")

    assert store.read("a/b.json") == b"2"
    assert store.size_bytes("a/b.json") == 1
    assert list(store.list("a")) == ["a/b.json"]


def test_what_is_not_there_is_none_and_can_be_deleted(store):
    store.delete("x/y")

    assert (store.read("x/y"), store.size_bytes("x/y"), store.exists("x/y")) == (None, None, False)
    assert list(store.list("x")) == []


def test_of_eight_that_put_the_same_new_file_exactly_one_does(store):
    with ThreadPoolExecutor(8) as threads:
        for number in range(25):
            contents = [f"{number} {writer}".encode() * 100 for writer in range(8)]

            wrote = list(threads.map(lambda content, path=f"log/{number}": store.put_new(path, content), contents))

            assert wrote.count(True) == 1
            assert store.read(f"log/{number}") == contents[wrote.index(True)]
    assert len(os.listdir(store.root / "log")) == 25  # no temporary is left


def test_the_content_is_synced_before_the_name_appears_and_the_name_before_it_is_acknowledged(store, operations):
    store.make_folder("log")
    operations.clear()

    store.put_new("log/1.json", b"content")

    assert operations == [("fsync", "the content"), ("link", "1.json"), ("fsync", "log")]


def test_new_folders_are_synced_into_those_that_hold_them(store, operations):
    store.root.mkdir()

    store.put("a/b/c.json", b"content")

    assert [path for what, path in operations if what == "fsync"][:2] == ["a", "lake"]
    assert operations[-1] == ("fsync", "b")


def test_all_folders_above_synced_paths_are_synced_once(store, operations):
    store.make_folder("a/p=1")
    store.make_folder("a/p=2")
    operations.clear()

    store.sync_folders(["a/p=1/x", "a/p=1/y", "a/p=2/z"])

    assert sorted(operations) == [("fsync", "a"), ("fsync", "lake"), ("fsync", "p=1"), ("fsync", "p=2")]


def test_without_durability_nothing_is_synced(tmp_path, operations):
    store = Store.at(str(tmp_path), durable=False)

    store.put("a/b", b"")
    store.put_new("a/c", b"")
    store.sync_file("a/b")
    store.sync_folders(["a/b"])

    assert all(what != "fsync" for what, _ in operations)


def test_temporaries_of_a_dead_process_are_not_listed(store):
    store.put("runs/1.json", b"{}")
    (store.root / "runs" / f".2.json.{'0' * 32}.tmp").write_bytes(b"torn")

    assert list(store.list("runs")) == ["runs/1.json"]


def test_a_full_disk_is_one_sentence_and_leaves_nothing_behind(small_disk):
    store = Store(small_disk)
    store.put("log/0", b"x")

    for write in (store.put, store.put_new):
        with pytest.raises(StorageError, match=r"^cannot write .*/log/1: No space left on device$"):
            write("log/1", b"x" * 1_000_000)

    assert os.listdir(small_disk / "log") == ["0"]


def test_a_read_only_disk_is_one_sentence(small_disk):
    store = Store(small_disk)
    store.put("a", b"x")
    subprocess.check_call(["mount", "-o", "remount,ro", small_disk])

    for refused in (lambda: store.put("b", b""), lambda: store.delete("a"), lambda: store.make_folder("c/d")):
        with pytest.raises(StorageError, match=r"^cannot .*: Read-only file system$"):
            refused()


def test_what_cannot_be_read_or_synced_is_one_sentence(store):
    store.put("folder/file", b"")

    with pytest.raises(StorageError, match=r"^cannot read .*/folder: Is a directory$"):
        store.read("folder")
    with pytest.raises(StorageError, match=r"^cannot sync .*/nothing: No such file or directory$"):
        store.sync_file("nothing")


def test_a_file_uri_is_a_path(tmp_path):
    assert Store.at(f"file://{tmp_path}/a%20lake").root == tmp_path / "a lake"


@pytest.mark.parametrize(
    "uri", ["ftp://host/lake", "s3://", "gs://bucket//lake", "az://box/a%20b", "s3://b/../c", "/lakes/50%20percent"]
)
def test_places_that_cannot_be_written_are_refused_at_once(uri):
    with pytest.raises((InvalidSettings, StorageError), match=r"^lake "):
        Store.at(uri)
