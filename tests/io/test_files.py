"""Files are listed in local folders and in object stores, with what tells one version of them from another."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from deltaworks.errors import StorageError
from deltaworks.io.files import list_files
from tests.io.s3_server import PAGE, Bucket, serve

NAMES = ("a.csv", "b/c.csv", "São Paulo, 100%/x=1 #2?.csv", "b/d/e.csv")


def paths(base: str | Path, *, is_deep: bool = True) -> list[str]:
    return sorted(file.path for file in list_files(str(base), lambda path: path.endswith(".csv"), is_deep=is_deep))


def versions(base: str | Path) -> dict[str, str]:
    return {file.path: file.version for file in list_files(str(base), lambda _: True, is_deep=True)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in NAMES:
        path = tmp_path / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("1\n", encoding="utf-8")
    return tmp_path / "files"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    objects = {f"data/é #1/{name}": (2, f"tag of {name}") for name in NAMES}
    with serve(Bucket("bucket", objects)) as bucket:
        for name, value in bucket.environ.items():
            monkeypatch.setenv(name, value)
        yield bucket


def test_a_local_folder(folder: Path) -> None:
    (folder / "other.txt").touch()

    assert paths(folder) == sorted(NAMES)
    assert paths(folder, is_deep=False) == ["a.csv"]


def test_a_file_that_is_written_anew_has_another_version(folder: Path) -> None:
    before = versions(folder)
    assert versions(folder) == before

    os.utime(folder / "a.csv", ns=(1, 1_700_000_000_000_001_000))
    (folder / "b" / "c.csv").write_text("22\n", encoding="utf-8")
    after = versions(folder)

    assert {path for path in before if before[path] != after[path]} == {"a.csv", "b/c.csv"}
    assert after["a.csv"] == "2 2023-11-14T22:13:20.000001+00:00"


def test_a_file_that_is_copied_with_its_time_has_the_same_version(folder: Path) -> None:
    before = versions(folder)
    copy = folder.parent / "copy"
    copy.write_bytes((folder / "a.csv").read_bytes())
    found = (folder / "a.csv").stat()
    os.utime(copy, ns=(found.st_atime_ns, found.st_mtime_ns))

    copy.replace(folder / "a.csv")

    assert versions(folder) == before


def test_a_folder_that_is_not_there_is_no_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"cannot list .*/none: there is no such folder"):
        paths(tmp_path / "none")


def test_an_object_store(bucket: Bucket) -> None:
    assert paths("s3://bucket/data/é #1") == sorted(NAMES)
    assert paths("s3://bucket/data/é #1", is_deep=False) == ["a.csv"]
    assert paths("s3://bucket/none") == []
    assert versions("s3://bucket/data/é #1")["a.csv"] == '2 "tag of a.csv"'


def test_many_objects_come_in_pages(bucket: Bucket) -> None:
    bucket.objects = {f"many/{number:03}.csv": (1, "tag") for number in range(5 * PAGE // 2)}

    assert len(paths("s3://bucket/many")) == 250
    assert len(bucket.requests) == 3


def test_objects_below_are_not_listed_where_only_the_folder_is_meant(bucket: Bucket) -> None:
    bucket.objects |= {f"data/é #1/deep/{number:03}.csv": (1, "tag") for number in range(3 * PAGE)}

    assert paths("s3://bucket/data/é #1", is_deep=False) == ["a.csv"]
    assert len(bucket.requests) == 1


def test_a_store_that_refuses_is_told_in_one_line(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")

    with pytest.raises(StorageError) as refused:
        paths("s3://bucket/data")

    assert str(refused.value).startswith("cannot list s3://bucket/data: ")
    assert "403" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "secret" not in str(refused.value)
