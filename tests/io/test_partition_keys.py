"""Partition keys: which texts may be keys, and the log of those that a lake keeps."""

from __future__ import annotations

import datetime as dt
import json
import random
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from deltaworks.errors import RequestError, StorageError
from deltaworks.io import partition_keys
from deltaworks.io.partition_keys import KeyChange, add_keys, key_problem, read_keys, remove_keys
from deltaworks.io.partition_values import NULL_KEY, folder, joined, split_key
from deltaworks.io.store import Store

AT = dt.datetime(2024, 6, 1, 12, 30, tzinfo=dt.UTC)
FOLDER = "_deltaworks/state/partitions/regions"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path, durable=False)


def add(store: Store, *keys: str) -> KeyChange:
    return add_keys(store, "regions", keys, "ann@desk", AT)


def remove(store: Store, *keys: str) -> KeyChange:
    return remove_keys(store, "regions", keys, "ann@desk", AT)


def put(store: Store, number: int, content: object) -> str:
    path = f"{FOLDER}/{number:020d}.json"
    store.put(path, content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


@pytest.mark.parametrize(
    "key",
    ["us", " us ", "a/b", "../../etc", "..", ".", "~", "a=b", "100%", "%2F", "a,b", "'\"`$;", "São Paulo", "日本", "🚂",
     "a\u2028b", "None", "null", "é" * 33, "a" * 200],
)  # fmt: skip
def test_every_text_that_can_be_seen_is_a_key(key: str) -> None:
    assert key_problem(key) is None


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("", "a partition key is empty; a key has at least one character"),
        (7, "partition key 7 is no text; write '7'"),
        (None, "partition key None is no text; write 'None'"),
        (NULL_KEY, "is what Hive writes for a null; choose another word"),
        ("a\nb", r"partition key 'a\nb' has the control character '\n'; every character that can be seen, and a space"),
        ("a\0", r"has the control character '\x00'"),
        ("\x85", r"has the control character '\x85'"),
        ("\ud800x", r"partition key '\ud800x' has the lone surrogate '\ud800'"),
        ("a" * 201, "partition key 'aaaaaaaaaaaaaaaaaaaa...' has 201 bytes as a folder's name, percent-encoded; at "
         "most 200 are allowed"),
        ("日" * 23, "has 207 bytes as a folder's name"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_key_is_told_with_its_reason(key: Any, problem: str) -> None:
    found = key_problem(key)

    assert found is not None
    assert problem in found


def test_ten_thousand_keys_of_any_characters_are_refused_or_come_back_from_inside_the_table() -> None:
    chosen = random.Random(20240601)
    alphabet = [*"ab/\\.~%=,:'\" \t\n\0é日🚂*?#&+$;", "..", "%2F", "\ud800", NULL_KEY, "\u200b", "\x7f"]

    def character() -> str:
        code = chosen.randrange(sys.maxunicode + 1)
        return chosen.choice(alphabet) if chosen.random() < 0.7 else chr(code if chosen.random() < 0.5 else code % 256)

    keys = ["".join(character() for _ in range(chosen.randrange(12))) for _ in range(10_000)]
    allowed = [key for key in keys if key_problem(key) is None]

    assert 2_000 < len(allowed) < 9_500
    for key in allowed:
        path = folder({"region": key})
        segments = path.split("/")
        assert segments == [segments[0], ""], "one folder below the table"
        assert segments[0].startswith("region=")
        assert len(segments[0].encode()) <= len("region=") + 200
        assert unquote(segments[0].removeprefix("region=")) == key
    pairs = list(zip(allowed, reversed(allowed), strict=True))
    assert [tuple(split_key(joined(pair))) for pair in pairs] == pairs
    assert len({joined(pair) for pair in pairs}) == len(set(pairs))


def test_keys_are_added_and_removed_and_come_back_sorted(store: Store) -> None:
    assert read_keys(store, "regions") == ()

    first = add(store, "us", "eu", "us")
    again = add(store, "eu", "asia")
    less = remove(store, "eu", "mars")

    assert first == KeyChange(("eu", "us"), ("us", "eu"), ())
    assert again == KeyChange(("asia", "eu", "us"), ("asia",), ("eu",))
    assert less == KeyChange(("asia", "us"), ("eu",), ("mars",))
    assert read_keys(store, "regions") == ("asia", "us")
    assert add(store, "eu").changed == ("eu",)
    assert read_keys(store, "others") == ()


def test_one_call_writes_one_file_that_says_who_and_when(store: Store) -> None:
    add(store, "us", "São Paulo / 100%")
    add(store, "us")

    (path,) = store.list("_deltaworks")

    assert path == f"{FOLDER}/00000000000000000000.json"
    assert json.loads(store.read(path) or b"") == {
        "format": 1,
        "add": ["us", "São Paulo / 100%"],
        "remove": [],
        "at": "2024-06-01T12:30:00.000000Z",
        "by": "ann@desk",
    }
    assert read_keys(store, "regions") == ("São Paulo / 100%", "us")


def test_one_key_that_cannot_be_keeps_all_others_out(store: Store) -> None:
    with pytest.raises(RequestError, match=r"^Partition key 'a\\nb' has the control character .*\. Nothing was added"):
        add(store, "us", "a\nb")

    assert list(store.list("_deltaworks")) == []


def test_ten_thousand_keys_are_one_change(store: Store) -> None:
    keys = [f"customer {number}" for number in range(10_000)]

    change = add(store, *keys)

    assert len(change.changed) == 10_000
    assert read_keys(store, "regions") == tuple(sorted(keys))


def test_those_who_add_at_once_all_get_through(store: Store) -> None:
    def add_one(number: int) -> KeyChange:
        return add(store, "shared", f"k{number}")

    with ThreadPoolExecutor(8) as pool:
        changes = list(pool.map(add_one, range(24)))

    assert read_keys(store, "regions") == tuple(sorted(["shared", *(f"k{number}" for number in range(24))]))
    assert sum("shared" in change.changed for change in changes) == 1
    assert len(list(store.list(FOLDER))) == 24


def test_a_change_gives_up_when_others_never_stop(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(self: Store, path: str, content: bytes) -> bool:
        return False

    monkeypatch.setattr(partition_keys, "MAX_TRIES", 3)
    monkeypatch.setattr(Store, "put_new", refused)

    with pytest.raises(StorageError, match=r"partition keys 'regions': others changed them 3 times in a row"):
        add(store, "us")


def test_a_file_that_is_there_though_the_call_failed_counts(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    put_new = Store.put_new

    def failing(self: Store, path: str, content: bytes) -> bool:
        put_new(self, path, content)
        raise StorageError("the connection was lost")

    monkeypatch.setattr(Store, "put_new", failing)

    assert add(store, "us").changed == ("us",)


def test_what_later_versions_write_beside_is_left_alone(store: Store) -> None:
    put(store, 0, {"format": 1, "add": ["us", "eu"], "cursor": {"sensor": "files", "at": 7}})
    put(store, 1, {"format": 1, "remove": ["us", "eu"], "add": ["eu"]})

    assert read_keys(store, "regions") == ("eu",)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"{", "is damaged: it is no JSON object with a format"),
        (b"\xff", "is damaged: it is no JSON object with a format"),
        ([], "is damaged: it is no JSON object with a format"),
        ({"add": ["us"]}, "is damaged: it is no JSON object with a format"),
        ({"format": 1, "add": "us"}, "is damaged: 'us' is no list of keys"),
        ({"format": 1, "add": [7]}, "is damaged: partition key 7 is no text"),
        ({"format": 1, "add": [["us"]]}, "is damaged: partition key ['us'] is no text"),
        ({"format": 1, "remove": ["a\nb"]}, "is damaged: partition key 'a\\nb' has the control character"),
        ({"format": 2, "add": ["us"]}, "has format 2, but this version of deltaworks reads up to 1; install a newer"),
    ],
)
def test_a_damaged_file_is_one_sentence(store: Store, content: object, problem: str) -> None:
    path = put(store, 0, content)

    with pytest.raises(StorageError) as caught:
        read_keys(store, "regions")

    assert str(caught.value).startswith(f"{store.uri(path)} {problem}")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_absent_is_told(store: Store) -> None:
    add(store, "us")
    add(store, "eu")
    store.delete(f"{FOLDER}/00000000000000000000.json")

    with pytest.raises(StorageError, match=r"0000\.json is absent though a later one exists, so .* restore the file"):
        read_keys(store, "regions")


def test_what_a_writer_left_half_written_is_no_file(store: Store) -> None:
    add(store, "us")
    store.put(f"{FOLDER}/.{1:020d}.json.{'0' * 32}.tmp", b"{")

    assert read_keys(store, "regions") == ("us",)
    assert add(store, "eu").keys == ("eu", "us")
