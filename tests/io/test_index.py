"""An index says what the whole log says, is left aside when it cannot be trusted, and spares reading."""

import os
import shutil

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from deltaworks.io.index import FOLDER, SAVE_BYTES, drop_index, load_table, save_index, save_index_if_due
from deltaworks.io.store import Store
from deltaworks.io.table import Table

START = pl.DataFrame({"p": ["a", "a", "b"], "v": [1, 2, 3]})


class CountingStore(Store):
    """A store that notes what is read."""

    reads: list[str]

    def read(self, path):
        self.reads.append(path)
        return super().read(path)


def counting(store):
    counted = CountingStore(store.root, store.durable)
    object.__setattr__(counted, "reads", [])
    return counted


def facts(table):
    """Everything that a table says, in a form that can be compared."""
    state = table.state()
    made = [
        (key, version, origin, rows, None if index is None else state.materializations[index])
        for key, version, origin, rows, index in state.partitions.iter_rows()
    ]
    files = {(key, file.path, file.size_bytes) for key, file in table.live_files()}
    whole = (state.version, state.digest, state.metadata, state.protocol, state.needs_format, state.largest_file_bytes)
    return whole, sorted(made, key=lambda each: each[0]), files, dict(state.writers)


def sizes(table):
    return dict(table.sizes().iter_rows())


def append(lake, key):
    write_deltalake(lake.uri(), pl.DataFrame({"p": [key], "v": [9]}), mode="append")


@pytest.mark.parametrize("later", ["nothing", "ours", "append", "delete", "compact"])
def test_index_and_later_commits_say_what_the_log_says(lake, later):
    table = lake.make(START)
    append(lake, "c")
    table.tail()
    save_index(table)
    match later:
        case "ours":
            lake.replace(table, START, "again")
        case "append":
            append(lake, "b")
        case "delete":
            DeltaTable(lake.uri()).delete("p = 'a'")
        case "compact":
            append(lake, "c")
            DeltaTable(lake.uri()).optimize.compact()

    loaded, read = load_table(lake.store, "t"), Table.read(lake.store, "t")

    assert sizes(loaded) == sizes(read)  # before the files of either are loaded
    assert facts(loaded) == facts(read)


def test_after_one_new_commit_only_that_commit_is_read(lake):
    table = lake.make(START)
    for number in range(5):
        lake.replace(table, START, f"run {number}")
    save_index(table)
    lake.replace(table, START, "last")
    store = counting(lake.store)

    loaded = load_table(store, "t")
    loaded.partitions()

    found = [path for path in store.reads if path.endswith(".json") and store.exists(path)]
    assert found == [f"t/_delta_log/{table.version:020d}.json"]
    assert loaded.version == table.version
    assert f"{FOLDER}/t.files" not in store.reads


def test_an_index_of_a_table_that_was_made_anew_is_left_aside(lake):
    lake.make(START)
    save_index(lake.open())
    shutil.rmtree(lake.store.root / "t")
    anew = lake.make(START.head(1))

    loaded = load_table(lake.store, "t")

    assert facts(loaded) == facts(anew)


def test_a_copied_lake_keeps_its_index(lake, tmp_path):
    table = lake.make(START)
    save_index(table)
    shutil.copytree(lake.store.root, tmp_path / "copy", copy_function=shutil.copyfile)
    store = counting(Store.at(str(tmp_path / "copy")))

    loaded = load_table(store, "t")

    assert facts(loaded) == facts(table)
    assert "t/_delta_log/00000000000000000000.json" not in store.reads


@pytest.mark.parametrize("part", ["t.index", "t.files"])
@pytest.mark.parametrize("damage", [b"", b"nothing else", None])
def test_a_damaged_index_is_left_aside(lake, part, damage):
    table = lake.make(START)
    save_index(table)
    path = lake.store.root / FOLDER / part
    path.unlink() if damage is None else path.write_bytes(damage)

    loaded = load_table(lake.store, "t")

    assert facts(loaded) == facts(table)


def test_files_of_another_version_than_the_state_are_read_from_the_log(lake):
    table = lake.make(START)
    save_index(table)
    older = (lake.store.root / FOLDER / "t.files").read_bytes()
    lake.replace(table, START.head(1), "again")
    save_index(table)
    (lake.store.root / FOLDER / "t.files").write_bytes(older)

    loaded, read = load_table(lake.store, "t"), Table.read(lake.store, "t")

    assert sizes(loaded) == sizes(read)
    assert facts(loaded) == facts(read)


def test_an_index_is_written_when_there_is_none_or_much_was_read(lake):
    table = lake.make(START)
    assert save_index_if_due(table)
    again = load_table(lake.store, "t")
    assert not save_index_if_due(again)
    again.read_bytes = SAVE_BYTES
    assert save_index_if_due(again)


def test_without_a_table_there_is_no_index(lake):
    assert not save_index_if_due(load_table(lake.store, "t"))
    assert not lake.store.exists(FOLDER)


def test_a_dropped_index_is_gone(lake):
    save_index(lake.make(START))

    drop_index(lake.store, "t")

    assert os.listdir(lake.store.root / FOLDER) == []
    assert load_table(lake.store, "t").version == 1


def test_an_index_that_cannot_be_used_is_written_anew(lake):
    save_index(lake.make(START))
    (lake.store.root / FOLDER / "t.index").write_bytes(b"of another format")

    assert save_index_if_due(load_table(lake.store, "t"))

    assert not save_index_if_due(load_table(lake.store, "t"))


def test_tables_whose_names_look_like_parts_of_an_index_keep_their_own(lake):
    lake.make(START)
    names = ("t", "t.files", "t.index", "t.index.files")
    for name in names[1:]:
        shutil.copytree(lake.store.root / "t", lake.store.root / name)
    for name in names:
        save_index(Table.read(lake.store, name))

    loaded = [load_table(lake.store, name) for name in names]

    assert [(table.name, table.is_indexed) for table in loaded] == [(name, True) for name in names]
    assert all(facts(table) == facts(loaded[0]) for table in loaded)
