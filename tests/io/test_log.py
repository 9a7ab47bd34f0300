"""Reading a log: what cannot be known is said, and never taken for the end."""

import json
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from deltaworks.errors import LogGap, StorageError
from deltaworks.io.log import commit_path, tail
from deltaworks.io.table import Table

DAYS = pl.DataFrame({"p": ["a", "b"], "v": [1, 2]})


@pytest.fixture
def table(lake):
    """A table at version 4: created, then four commits to partition `a`."""
    table = lake.create(DAYS)
    for _ in range(4):
        lake.replace(table, DAYS.head(1))
    return table


def log_file(table: Table, version: int):
    return table.store.root / commit_path(table.name, version)


def edit(table: Table, version: int, change) -> None:
    """Change a commit's record as another engine would have written it."""
    lines = log_file(table, version).read_text().splitlines()
    info = json.loads(lines[0])
    change(info["commitInfo"]["deltaworks"])
    log_file(table, version).write_text("\n".join([json.dumps(info), *lines[1:]]))


def test_commits_come_by_version_from_where_one_was(table):
    assert [commit.version for commit in tail(table.store, "t", after=-1)] == [0, 1, 2, 3, 4]
    assert [commit.version for commit in tail(table.store, "t", after=2)] == [3, 4]
    assert [commit.version for commit in tail(table.store, "t", after=2, up_to=3)] == [3]
    assert list(tail(table.store, "nothing", after=-1)) == []


@pytest.mark.parametrize("absent", [[0], [1], [2, 3], [0, 1, 2, 3]])
def test_an_absent_commit_is_a_gap_though_no_checkpoint_tells(lake, table, absent):
    for version in absent:
        log_file(table, version).unlink()

    with pytest.raises(LogGap, match=f"version {absent[0]} of the log is absent though a later one exists"):
        lake.open()


def test_a_gap_is_seen_while_tailing(lake, table):
    behind = lake.open(version=2)
    log_file(table, 3).unlink()

    with pytest.raises(LogGap, match="version 3"):
        behind.tail()


def test_commits_made_between_two_looks_are_no_gap(lake, table, monkeypatch):
    behind = lake.open()
    read_bytes = Path.read_bytes

    def others_commit_just_after_the_look(path):
        try:
            return read_bytes(path)
        except FileNotFoundError:
            monkeypatch.undo()
            for _ in range(3):
                lake.replace(table, DAYS.head(1))
            raise

    monkeypatch.setattr(Path, "read_bytes", others_commit_just_after_the_look)

    assert [commit.version for commit in behind.tail()] == [5, 6, 7]


def test_a_log_that_ends_before_its_checkpoint_has_a_gap(lake, table):
    DeltaTable(lake.uri()).create_checkpoint()
    log_file(table, 4).unlink()

    with pytest.raises(LogGap, match="version 4"):
        lake.open()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b'{"commitInfo":{}}\n{"add":{"path":"x',
        b"[]",
        b'{"add":{}}',
        b"\xff",
        b'{"commitInfo":{}},{"txn":{}}',
        b'{"commitInfo":{"operation":"a\nb"}}',
        b'{"commitInfo":{}\n}',
        b'{"commitInfo":{}}\n]\n[',
    ],
)
def test_a_damaged_commit_is_a_gap(lake, table, content):
    log_file(table, 4).write_bytes(content)

    with pytest.raises(LogGap, match=r"version 4 of the log (is empty|cannot be read)"):
        lake.open()


def test_a_commit_of_ours_that_was_cut_between_two_lines_is_a_gap(lake, table):
    lake.replace(table, DAYS, "both")
    info, *_, last = log_file(table, 5).read_bytes().splitlines(keepends=True)
    whole = log_file(table, 5).read_bytes()
    assert b'"add"' in last

    for end in (len(info), len(whole) - len(last)):
        log_file(table, 5).write_bytes(whole[:end])
        with pytest.raises(
            LogGap, match=r"version 5 of the log was cut off \(it recorded rows of [ab] and adds no file"
        ):
            lake.open()

    log_file(table, 5).write_bytes(whole[:-1])
    assert lake.open().version == 5


def test_a_log_without_a_creation_is_a_gap(lake, table):
    log_file(table, 0).write_bytes(b'{"commitInfo":{}}')

    with pytest.raises(LogGap, match="version 0 of the log does not create a table"):
        lake.open()


def test_actions_and_keys_that_are_not_known_are_ignored(lake, table):
    with log_file(table, 4).open("a") as file:
        file.write('{"domainMetadata":{"domain":"x"}}\n{"txn":{"appId":"x","version":1}}\n')
    edit(table, 4, lambda record: record.update(format=2, future={"x": 1}))

    assert lake.open().materializations == table.materializations


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda record: record.update(kind="teleport"), "teleport"),
        (lambda record: record["groups"][0].update(rows=[1, 2]), "2 row counts do not fit"),
        (lambda record: record.pop("run_id"), "run_id"),
    ],
    ids=["kind", "rows", "run id"],
)
def test_a_record_in_an_unknown_form_is_one_sentence(lake, table, change, problem):
    edit(table, 4, change)

    with pytest.raises(StorageError, match=rf"^t: a record of its log cannot be read .*{problem}.*upgrade"):
        lake.open()


@pytest.mark.parametrize("record", ["text", {"min_engine_format": 1}, []])
def test_a_record_by_somebody_who_took_our_key_is_one_sentence(lake, table, record):
    path = log_file(table, 4)
    _, *others = path.read_text().splitlines()
    path.write_text("\n".join([json.dumps({"commitInfo": {"deltaworks": record}}), *others]))

    with pytest.raises(StorageError, match=r"^t: a record of its log cannot be read"):
        lake.open()


def test_temporaries_and_damaged_hints_are_not_commits(lake, table):
    log = log_file(table, 0).parent
    (log / f".{5:020d}.json.{'0' * 32}.tmp").write_bytes(b'{"add": torn')
    (log / f".{6:020d}.json.{'0' * 32}.tmp").write_bytes(b'{"add": torn')
    (log / "_last_checkpoint").write_bytes(b"torn")

    assert lake.open().version == 4
    assert DeltaTable(lake.uri()).version() == 4
    write_deltalake(lake.uri(), DAYS, mode="append")
    assert lake.open().version == 5
