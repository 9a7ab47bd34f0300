"""Tables that others write: what their logs, cleaned or not, and their files are read as."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import time
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from deltaworks.errors import FilesGone, LogGap, StorageError, TableMismatch, VersionGone
from deltaworks.io.create import verify_writable
from deltaworks.io.external import External
from deltaworks.io.log import commit_path
from deltaworks.io.memory import as_known, load_external, memory_problem, remember, remember_if_due
from deltaworks.io.scan import refuse_removed_files, scan_table
from deltaworks.io.store import Store
from deltaworks.io.table import Table
from tests.io.deletion import delete_rows

THEIRS = Path(__file__).parent / "theirs"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Where others keep their table `t`."""
    return Store(tmp_path / "theirs", durable=False)


@pytest.fixture
def external(tmp_path: Path) -> External:
    return External(Store(tmp_path / "lake", durable=False), "orders", is_whole=False)


def append(store: Store, *partitions: str, mode: Any = "append") -> None:
    write_deltalake(
        store.uri("t"), pl.DataFrame({"p": partitions, "v": [1] * len(partitions)}), mode=mode, partition_by=["p"]
    )


def delete_commits(store: Store, before: int) -> None:
    for version in range(before):
        store.delete(commit_path("t", version))


def checkpoint(store: Store) -> int:
    table = DeltaTable(store.uri("t"))
    table.create_checkpoint()
    return table.version()


def versions(table: Table) -> dict[str, int]:
    """The version that last changed each partition that there is."""
    rows = zip(*table.partitions().select("key", "version"), strict=True)
    return {key: version for key, version in rows if table.has_content(key)}


def test_a_cleaned_log_is_read_from_its_first_checkpoint_that_leads_to_the_end(
    store: Store, external: External
) -> None:
    append(store, "a", "b")
    append(store, "b")
    checkpoint(store)
    append(store, "c")
    checkpoint(store)
    append(store, "a")
    delete_commits(store, before=2)

    table = Table.read(store, "t", external=external)

    assert versions(table) == {"a": 3, "b": 1, "c": 2}
    assert str(table.writers[1]) == "commits that its owner has deleted"
    assert "an outside writer (WRITE" in str(table.writers[3])
    assert scan_table(table).collect().height == 5
    assert scan_table(Table.read(store, "t", 1, external)).collect().height == 3


@pytest.mark.parametrize(("version", "latest"), [(0, 3), (9, 3)])
def test_versions_before_and_after_a_cleaned_log_are_gone(
    store: Store, external: External, version: int, latest: int
) -> None:
    for _ in range(3):
        append(store, "a")
    checkpoint(store)
    append(store, "a")
    delete_commits(store, before=2)

    with pytest.raises(VersionGone, match=f"t has no version {version}: its versions are 2 to {latest}"):
        Table.read(store, "t", version, external)


def test_a_log_without_a_checkpoint_that_leads_on_has_a_gap(store: Store, external: External) -> None:
    append(store, "a")
    checkpoint(store)
    append(store, "a")
    append(store, "a")
    store.delete(commit_path("t", 1))

    with pytest.raises(LogGap, match="version 1 of the log is absent"):
        Table.read(store, "t", external=external)


def test_a_checkpoint_that_was_cut_off_is_a_gap(store: Store, external: External) -> None:
    append(store, "a")
    checkpoint(store)
    append(store, "a")
    delete_commits(store, before=1)
    store.put(f"t/_delta_log/{0:020d}.checkpoint.parquet", b"PAR1")

    with pytest.raises(LogGap, match="version 0 of the log is a checkpoint that cannot be read"):
        Table.read(store, "t", external=external)


def in_parts(df: pl.DataFrame, log: Path, version: int) -> None:
    """The classic form: two files, each with some of the actions."""
    for number, part in enumerate((df[:2], df[2:]), start=1):
        part.write_parquet(log / f"{version:020d}.checkpoint.{number:010d}.{2:010d}.parquet")


def with_sidecar(df: pl.DataFrame, log: Path, version: int) -> None:
    """The newer form: a file with a name of its own, and the files of the table in another one beside it."""
    (log / "_sidecars").mkdir()
    is_add = pl.col("add").is_not_null()
    df.filter(is_add).select("add").write_parquet(log / "_sidecars" / "s.parquet")
    link = pl.DataFrame({"sidecar": [{"path": "s.parquet", "sizeInBytes": 1, "modificationTime": 1}]})
    rest = df.filter(~is_add).drop("sidecar", strict=False)
    name = f"{version:020d}.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.parquet"
    pl.concat([rest, link], how="diagonal").write_parquet(log / name)


def as_json(df: pl.DataFrame, log: Path, version: int) -> None:
    """The newer form, in JSON."""
    lines = [
        json.dumps({kind: row[kind] for kind in ("add", "metaData", "protocol") if row[kind]})
        for row in df.rows(named=True)
    ]
    name = f"{version:020d}.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json"
    (log / name).write_text("\n".join(lines), encoding="utf-8")


@pytest.mark.parametrize("write", [in_parts, with_sidecar, as_json])
def test_checkpoints_are_read_in_every_form(store: Store, external: External, write: Any) -> None:
    append(store, "a", "b")
    version = checkpoint(store)
    append(store, "b")
    log = Path(store.uri("t/_delta_log"))
    classic = log / f"{version:020d}.checkpoint.parquet"
    df = pl.read_parquet(classic)
    classic.unlink()
    write(df, log, version)
    before = versions(Table.read(store, "t", external=external))
    delete_commits(store, before=1)

    assert versions(Table.read(store, "t", external=external)) == before == {"a": 0, "b": 1}


def test_half_of_a_checkpoint_is_none(store: Store, external: External) -> None:
    append(store, "a", "b")
    version = checkpoint(store)
    log = Path(store.uri("t/_delta_log"))
    classic = log / f"{version:020d}.checkpoint.parquet"
    in_parts(pl.read_parquet(classic), log, version)
    classic.unlink()
    (log / f"{version:020d}.checkpoint.{2:010d}.{2:010d}.parquet").unlink()
    (log / "_last_checkpoint").unlink()
    append(store, "b")
    delete_commits(store, before=1)

    with pytest.raises(LogGap, match="version 0 of the log is absent"):
        Table.read(store, "t", external=external)


def test_what_is_remembered_is_told_though_the_log_is_cleaned(store: Store, external: External) -> None:
    append(store, "a", "b", "c")
    append(store, "b")
    remember(load_external(store, "t", external))
    append(store, "c")
    DeltaTable(store.uri("t")).delete("p = 'a'")
    latest = checkpoint(store)
    delete_commits(store, before=latest + 1)

    table = load_external(store, "t", external)

    assert versions(table) == {"b": 1, "c": latest}
    assert (table.changed_at("a"), table.has_content("a")) == (latest, False)
    assert str(table.writers[1]).startswith("an outside writer (WRITE")


def test_a_compaction_among_the_commits_that_are_gone_counts_as_a_change(store: Store, external: External) -> None:
    append(store, "a", "b")
    append(store, "b")
    remember(load_external(store, "t", external))
    DeltaTable(store.uri("t")).optimize.compact()
    latest = checkpoint(store)
    delete_commits(store, before=latest + 1)

    assert versions(load_external(store, "t", external)) == {"a": 0, "b": latest}


def test_what_is_remembered_of_another_table_says_nothing(store: Store, external: External) -> None:
    append(store, "a", "b")
    remember(load_external(store, "t", external))
    shutil.rmtree(store.uri("t"))
    for _ in range(3):
        append(store, "a")
    latest = checkpoint(store)
    delete_commits(store, before=latest + 1)

    assert versions(load_external(store, "t", external)) == {"a": latest}


def test_a_log_that_was_put_back_is_told_by_itself(store: Store, external: External, tmp_path: Path) -> None:
    append(store, "a")
    shutil.copytree(store.uri("t"), tmp_path / "backup")
    append(store, "a", "b")
    remember(load_external(store, "t", external))
    shutil.rmtree(store.uri("t"))
    shutil.copytree(tmp_path / "backup", store.uri("t"))
    assert versions(load_external(store, "t", external)) == {"a": 0}

    append(store, "c")

    assert versions(load_external(store, "t", external)) == {"a": 0, "c": 1}


def test_each_history_of_a_table_has_an_id_of_its_own_however_the_table_counts(
    store: Store, external: External, tmp_path: Path
) -> None:
    append(store, "a")
    shutil.copytree(store.uri("t"), tmp_path / "backup")
    append(store, "a")
    first = load_external(store, "t", external)
    remember(first)
    table_id = DeltaTable(store.uri("t")).metadata().id

    shutil.rmtree(store.uri("t"))
    append(store, "a")
    other = load_external(store, "t", external)
    remember(other)
    shutil.rmtree(store.uri("t"))
    shutil.copytree(tmp_path / "backup", store.uri("t"))
    append(store, "b")
    whole = replace(external, is_whole=True)
    again = load_external(store, "t", whole)
    remember(again)
    remember(first)  # by a run that began before

    assert first.table_id == table_id
    assert str(other.table_id).endswith("#2")
    assert [again.table_id, load_external(store, "t", external).table_id] == [f"{table_id}#3"] * 2
    assert Table.read(store, "t", 0, as_known(store, "t", external)).table_id == f"{table_id}#3"


def test_less_is_never_remembered_than_before(store: Store, external: External) -> None:
    append(store, "a")
    early = load_external(store, "t", external)
    append(store, "b")
    remember(load_external(store, "t", external))

    remember(early)

    delete_commits(store, before=checkpoint(store) + 1)
    assert versions(load_external(store, "t", external)) == {"a": 0, "b": 1}


def test_a_memory_that_is_damaged_or_of_another_cut_is_left_aside(store: Store, external: External) -> None:
    append(store, "a", "b")
    remember(load_external(store, "t", external))
    whole = External(external.lake, external.key, is_whole=True)
    assert versions(load_external(store, "t", whole)) == {"": 0}

    external.lake.put("_deltaworks/state/external/orders.parquet", b"no Parquet")

    assert versions(load_external(store, "t", external)) == {"a": 0, "b": 0}
    assert str(memory_problem(external)).endswith("orders.parquet cannot be read")


def test_it_is_kept_when_there_is_something_new_to_keep(store: Store, external: External) -> None:
    path = "_deltaworks/state/external/orders.parquet"
    remember_if_due(load_external(store, "t", external))
    assert not external.lake.exists(path)

    append(store, "a")
    remember_if_due(load_external(store, "t", external))
    kept = external.lake.read(path)
    append(store, "b")
    remember_if_due(load_external(store, "t", external))

    assert kept is not None
    assert external.lake.read(path) == kept  # a few bytes of log are read as fast as kept


def test_as_one_partition_a_table_changes_when_any_data_does(store: Store, external: External) -> None:
    whole = External(external.lake, external.key, is_whole=True)
    append(store, "a", "b")
    append(store, "b")
    remember(load_external(store, "t", whole))
    DeltaTable(store.uri("t")).optimize.compact()

    table = load_external(store, "t", whole)

    assert (table.version, versions(table)) == (2, {"": 1})
    assert scan_table(table, [""]).collect().height == 3
    append(store, "c")
    assert versions(load_external(store, "t", whole)) == {"": 3}


def test_it_cannot_be_written_by_mistake(store: Store, external: External) -> None:
    append(store, "a")

    with pytest.raises(TableMismatch, match="others write it, and here it is only read"):
        verify_writable(load_external(store, "t", external))


def test_a_record_of_another_lake_in_whatever_form_says_only_who_wrote(store: Store, external: External) -> None:
    append(store, "a")
    lines = (Path(store.uri("t")) / "_delta_log" / f"{0:020d}.json").read_text(encoding="utf-8").splitlines()
    info = json.loads(lines[0])
    info["commitInfo"]["deltaworks"] = {"run_id": "run-7", "kind": "of tomorrow", "groups": "unknown"}
    store.put(commit_path("t", 0), "\n".join([json.dumps(info), *lines[1:]]).encode())

    table = Table.read(store, "t", external=external)

    assert str(table.writers[0]) == "run run-7"
    with pytest.raises(StorageError, match="a record of its log cannot be read"):
        Table.read(store, "t")


def test_what_an_older_deltalake_wrote_cleaned_and_changed_is_read_right(external: External) -> None:
    """`theirs/make.py` says how the table was made."""
    table = Table.read(Store(THEIRS), "orders", external=External(external.lake, "orders", is_whole=False))

    rows = {row["id"]: row for row in scan_table(table).collect().rows(named=True)}

    day = {2: 1, 3: 1, 4: 2, 5: 2}
    city = {2: "São Paulo", 3: "a b/c%20=d", 4: None, 5: "Ulm"}
    assert rows == {
        number: {
            "id": number,
            "lines": [{"sku": f"s{number}", "n": number}, {"sku": None, "n": None}],
            "labels": {"k": str(number)},
            "price": Decimal(number) / 4,
            "seen_at": dt.datetime(2024, 1, day[number], number),  # noqa: DTZ001 - a timestamp without a zone
            "sent_at": dt.datetime(2024, 1, day[number], number, tzinfo=dt.UTC),
            "day": dt.date(2024, 1, day[number]),
            "city": city[number],
            "note": "late" if number == 5 else None,
        }
        for number in day
    }
    assert set(versions(table).values()) == {3, 4}
    assert scan_table(table, ["2024-01-01,a b/c%20=d".replace("/", "%2F").replace("%20=", "%2520%3D")]).collect()[
        "id"
    ].to_list() == [3]


def test_deleted_rows_are_not_read(store: Store, external: External) -> None:
    df = pl.DataFrame({"p": ["a b/%20"] * 5000 + [None] * 3, "v": range(5003)})
    write_deltalake(store.uri("t"), df, partition_by=["p"])
    gone = set(range(0, 5000, 3))
    delete_rows(Path(store.uri("t")), "a b/%20", sorted(gone))
    left = df.filter(~pl.col("v").is_in(list(gone)))

    table = Table.read(store, "t", external=external)

    assert scan_table(table).collect().sort("v").equals(left)
    assert scan_table(table, ["a b/%20"]).filter(pl.col("v") > 4990).collect()["v"].sort().to_list() == [
        value for value in range(4991, 5000) if value not in gone
    ]
    assert scan_table(Table.read(store, "t", 0, external)).collect().height == 5003


def test_a_partition_with_deleted_rows_counts_as_changed_where_commits_are_gone(
    store: Store, external: External
) -> None:
    write_deltalake(store.uri("t"), pl.DataFrame({"p": ["a", "a", "b"], "v": [1, 2, 3]}), partition_by=["p"])
    delete_rows(Path(store.uri("t")), "a", [0])
    remember(load_external(store, "t", external))
    append(store, "c")
    latest = checkpoint(store)
    delete_commits(store, before=latest + 1)

    assert versions(load_external(store, "t", external)) == {"a": latest, "b": 0, "c": latest}


def test_a_clone_names_files_of_another_table(store: Store, external: External) -> None:
    append(store, "a", "b c")
    origin = (Path(store.uri("t")) / "_delta_log" / f"{0:020d}.json").read_text(encoding="utf-8").splitlines()
    actions = [json.loads(line) for line in origin]
    for number, action in enumerate(action for action in actions if "add" in action):
        folder = f"file://{store.uri('t')}" if number else store.uri("t")
        action["add"]["path"] = f"{folder}/{action['add']['path']}"
    store.put(commit_path("clone", 0), "\n".join(map(json.dumps, actions)).encode())

    clone = Table.read(store, "clone", external=external)

    assert scan_table(clone).collect().sort("p").rows() == [("a", 1), ("b c", 1)]
    assert scan_table(clone, ["b c"]).collect()["p"].to_list() == ["b c"]
    shutil.rmtree(store.uri("t"))
    with pytest.raises(FilesGone):
        refuse_removed_files(clone, None, "so there")


def test_files_in_another_store_are_refused(store: Store, external: External) -> None:
    append(store, "a")
    content = store.read(commit_path("t", 0)) or b""
    store.put(commit_path("t", 0), content.replace(b'"path":"', b'"path":"s3://bucket/'))

    with pytest.raises(TableMismatch, match="lies in another store"):
        scan_table(Table.read(store, "t", external=external))


def test_columns_mapped_to_other_names_are_refused(store: Store, external: External) -> None:
    append(store, "a")
    path = commit_path("t", 0)
    content = (store.read(path) or b"").replace(
        b'"configuration":{}', b'"configuration":{"delta.columnMapping.mode":"name"}'
    )
    store.put(path, content)

    with pytest.raises(TableMismatch, match="maps its columns to other names in its files"):
        scan_table(Table.read(store, "t", external=external))


def test_retention_of_delta_rs_leaves_what_is_needed(store: Store, external: External) -> None:
    for each in "abc":
        append(store, each)
    checkpoint(store)
    before = load_external(store, "t", external)
    remember(before)
    for path in Path(store.uri("t/_delta_log")).iterdir():
        os.utime(path, (time.time() - 40 * 86_400,) * 2)
    DeltaTable(store.uri("t")).cleanup_metadata()
    assert not store.exists(commit_path("t", 0))

    assert versions(load_external(store, "t", external)) == versions(before) == {"a": 0, "b": 1, "c": 2}
