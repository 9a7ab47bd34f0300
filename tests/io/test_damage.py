"""Whatever is cut off a log, and wherever, is found; what is whole is never called damaged."""

import json
from collections.abc import Callable

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from deltaworks.io.damage import data_damage, inspect
from deltaworks.io.log import commit_path

START = pl.DataFrame({"p": ["a", "a", "b"], "v": [1, 2, 3]})


def one(p: str, v: int) -> pl.DataFrame:
    return pl.DataFrame({"p": [p], "v": [v]})


def damaged(lake) -> list[int]:
    """The versions that are."""
    return [each.version for each in inspect(lake.store, "t").commits]


def log_file(lake, name: str):
    return lake.store.root / "t" / "_delta_log" / name


def cut(lake, version: int, content: bytes) -> None:
    (lake.store.root / commit_path("t", version)).write_bytes(content)


OUTSIDE: dict[str, Callable[[str], object]] = {
    "append": lambda uri: write_deltalake(uri, START, mode="append"),
    "nothing": lambda uri: write_deltalake(uri, START.clear(), mode="append"),
    "overwrite": lambda uri: write_deltalake(uri, one("a", 9), mode="overwrite", predicate="p = 'a'"),
    "overwrite all": lambda uri: write_deltalake(uri, one("a", 9), mode="overwrite"),
    "delete": lambda uri: DeltaTable(uri).delete("p = 'a'"),
    "delete of a row": lambda uri: DeltaTable(uri).delete("v = 1"),
    "update": lambda uri: DeltaTable(uri).update({"v": "9"}, predicate="v = 1"),
    "merge": lambda uri: (
        DeltaTable(uri)
        .merge(one("a", 9), "s.v = t.v", source_alias="s", target_alias="t")
        .when_not_matched_insert_all()
        .execute()
    ),
    "restore": lambda uri: DeltaTable(uri).restore(0),
    "properties": lambda uri: DeltaTable(uri).alter.set_table_properties({"delta.appendOnly": "false"}),
}


@pytest.mark.parametrize("how", OUTSIDE)
def test_what_others_write_is_whole_and_cut_between_any_two_lines_it_is_damaged(lake, how):
    lake.make(START)
    OUTSIDE[how](lake.uri())
    assert damaged(lake) == []
    whole = lake.store.read(commit_path("t", 2))
    lines = whole.splitlines(keepends=True)
    changes = [number for number, line in enumerate(lines) if b'"add"' in line or b'"remove"' in line]
    has_info_first = b"commitInfo" in lines[0]

    for number in changes:
        rest = [line for at, line in enumerate(lines) if at < number or (at > number and not has_info_first)]
        cut(lake, 2, b"".join(rest))
        assert damaged(lake) == [2], rest


def test_compactions_are_whole(lake):
    lake.make(START)
    write_deltalake(lake.uri(), START, mode="append")
    DeltaTable(lake.uri()).optimize.compact()
    DeltaTable(lake.uri()).optimize.z_order(["v"])

    assert damaged(lake) == []


def test_a_commit_of_ours_cut_at_any_byte_is_damaged(lake):
    table = lake.make(START)
    lake.replace(table, one("b", 9), empty=["a"])
    whole = lake.store.read(commit_path("t", 2))

    for end in range(len(whole) - 1):
        cut(lake, 2, whole[:end])
        assert damaged(lake) == [2], end
    for end in (len(whole) - 1, len(whole)):  # the last byte is a newline, which no reader needs
        cut(lake, 2, whole[:end])
        assert damaged(lake) == []


def test_all_damage_is_found_past_the_first(lake):
    table = lake.make(START)
    for number in range(6):
        lake.replace(table, one("a", number))
    lake.store.delete(commit_path("t", 2))
    lake.store.delete(commit_path("t", 3))
    cut(lake, 5, b"")

    found = inspect(lake.store, "t")

    assert [(each.version, each.problem) for each in found.commits] == [
        (2, "is absent though a later one exists"),
        (3, "is absent though a later one exists"),
        (5, "is empty"),
    ]
    assert (found.table.version, found.last, found.is_readable) == (1, 7, False)


def test_an_unknown_record_is_damage_with_its_sentence(lake):
    lake.make(START)
    info, *others = lake.store.read(commit_path("t", 1)).splitlines()
    document = json.loads(info)
    document["commitInfo"]["deltaworks"]["kind"] = "teleport"
    cut(lake, 1, b"\n".join([json.dumps(document).encode(), *others]))

    (found,) = inspect(lake.store, "t").commits

    assert (found.version, "teleport" in found.problem) == (1, True)


def test_there_is_nothing_wrong_with_nothing(lake):
    found = inspect(lake.store, "t")

    assert (found.last, found.commits, found.checkpoints, found.is_readable) == (-1, (), (), True)


def checkpointed(lake):
    """A table with a checkpoint at version 2 and one commit after it; return the checkpoint."""
    table = lake.make(START)
    lake.replace(table, one("a", 9))
    DeltaTable(lake.uri()).create_checkpoint()
    lake.replace(table, one("b", 9))
    assert inspect(lake.store, "t").checkpoints == ()
    return log_file(lake, f"{2:020d}.checkpoint.parquet")


@pytest.mark.parametrize("share", [0, 0.3, 0.6, 0.95])
def test_a_truncated_checkpoint_is_found_and_deleting_it_heals_the_table(lake, share):
    path = checkpointed(lake)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(Exception, match=r"."):
        DeltaTable(lake.uri())

    (found,) = inspect(lake.store, "t").checkpoints

    assert "cannot be read" in found.problem
    for each in found.paths:
        lake.store.delete(each)
    assert DeltaTable(lake.uri()).version() == 3
    assert inspect(lake.store, "t").checkpoints == ()


def test_a_checkpoint_that_lost_files_is_found(lake):
    path = checkpointed(lake)
    pl.read_parquet(path).filter(
        pl.col("add").is_null() | (pl.col("add").struct.field("path").str.contains("p=b"))
    ).pipe(lambda df: df.write_parquet(path))

    (found,) = inspect(lake.store, "t").checkpoints

    assert "names 1 data files, and the commits come to 2" in found.problem


def test_a_hint_that_names_no_checkpoint_is_found_and_a_torn_one_is_harmless(lake):
    path = checkpointed(lake)
    path.unlink()

    (found,) = inspect(lake.store, "t").checkpoints
    log_file(lake, "_last_checkpoint").write_bytes(b'{"versi')

    assert found.problem == "names the checkpoint of version 2, which is not there"
    assert found.paths == ("t/_delta_log/_last_checkpoint",)
    (torn,) = inspect(lake.store, "t").checkpoints
    assert torn.problem == "cannot be read, so it points to no checkpoint"


def test_a_damaged_commit_makes_no_checkpoint_wrong(lake):
    checkpointed(lake)
    cut(lake, 1, b"torn")

    found = inspect(lake.store, "t")

    assert ([each.version for each in found.commits], found.checkpoints, found.last_checkpoint) == ([1], (), 2)


def test_data_files_are_seen_to_be_there_and_whole(lake):
    table = lake.make(START)
    assert list(data_damage(table)) == []
    (a,), (b,) = table.files(["a"]), table.files(["b"])
    (lake.store.root / "t" / a.path).unlink()
    (lake.store.root / "t" / b.path).write_bytes(b"short")

    assert list(data_damage(table)) == [
        ("a", a.path, "is not there"),
        ("b", b.path, f"has 5 bytes instead of {b.size_bytes}"),
    ]
