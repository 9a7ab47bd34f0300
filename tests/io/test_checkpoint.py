"""A checkpoint is made when enough log has gathered, and never at the price of records."""

import os

import polars as pl
import pytest
from deltalake import write_deltalake

from deltaworks.errors import StorageError
from deltaworks.io.checkpoint import DUE_BYTES, checkpoint_if_due
from deltaworks.io.log import last_checkpoint

MANY = pl.DataFrame({"p": [f"{number:06d}" for number in range(30)], "v": range(30)})
LONG_NAMES = MANY.rename({"v": "v" * 20_000})


def test_it_is_made_once_enough_log_has_gathered(lake, rows):
    table = lake.make(MANY)
    assert not checkpoint_if_due(table)

    lake.replace(table, MANY, "again")
    table = lake.make(LONG_NAMES, name="wide")
    assert table.read_bytes > DUE_BYTES

    assert checkpoint_if_due(table)
    assert not checkpoint_if_due(table)
    assert last_checkpoint(lake.store, "wide") == table.version
    assert len(rows(lake.open("wide"))) == 30


def test_a_table_that_lets_old_commits_be_deleted_gets_none(lake):
    write_deltalake(lake.uri(), LONG_NAMES, partition_by=["p"])
    for path in (lake.store.root / "t" / "_delta_log").iterdir():
        os.utime(path, (1_600_000_000, 1_600_000_000))
    table = lake.open()
    lake.replace(table, LONG_NAMES)

    assert not checkpoint_if_due(table)
    assert lake.open().version == table.version


def test_a_checkpoint_that_cannot_be_written_is_one_sentence(lake):
    table = lake.make(LONG_NAMES)
    (lake.store.root / "t" / "_delta_log" / f"{1:020d}.json").write_bytes(b"torn".ljust(DUE_BYTES))

    with pytest.raises(StorageError, match=r"^cannot write a checkpoint of .*/t: [^\n]*$"):
        checkpoint_if_due(table)
