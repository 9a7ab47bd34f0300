"""A table says what its definition says about it, so that other readers see it, and it is the same table as before."""

import json

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from deltaworks.errors import TableMismatch
from deltaworks.io.create import create_table, verify_table
from deltaworks.io.description import Description, describe, is_described
from deltaworks.io.record import Kind, Record
from deltaworks.io.table import Table
from tests.exactness.failing_store import FailingStore, Moment, Trigger

START = pl.DataFrame({"p": ["a", "b"], "v": [1, 2]})
DOCS = Description("What was sold.", {"v": "Euro, net"}, ("team:ops", "eve"), "raw", {"tier": "gold"})
RECORD = Record("20260301T000000-00000001", "t", "deltaworks", "2026-03-01T00:00:00+00:00", (), {}, Kind.MAINTAIN)


def told(lake) -> tuple[object, ...]:
    """What delta-rs reads."""
    table = DeltaTable(lake.uri())
    comments = {field.name: field.metadata.get("comment") for field in table.schema().fields}
    ours = {name: value for name, value in table.metadata().configuration.items() if name.startswith("deltaworks.")}
    return table.metadata().description, comments, ours


PROPERTIES = {"deltaworks.owners": "team:ops,eve", "deltaworks.group": "raw", "deltaworks.tag.tier": "gold"}


def say(table: Table, description: Description) -> bool:
    return describe(table, description, RECORD, lambda _: None, 1_700_000_000_000)


def test_a_table_is_created_with_all_of_it(lake):
    table = Table(lake.store, "t")
    create_table(table, START.schema, ["p"], DOCS)

    assert told(lake) == ("What was sold.", {"p": None, "v": "Euro, net"}, PROPERTIES)
    assert is_described(table, DOCS)
    assert not say(table, DOCS)
    verify_table(table, START.schema, ["p"])


def test_it_is_told_later_in_a_commit_that_changes_no_partition(lake, rows):
    table = lake.make(START)
    before, content = table.partitions().rows(), rows(table)

    assert say(table, DOCS)

    assert told(lake) == ("What was sold.", {"p": None, "v": "Euro, net"}, PROPERTIES)
    later = lake.open()
    assert (later.version, later.partitions().rows(), rows(later)) == (2, before, content)
    assert later.table_id == table.table_id
    verify_table(later, START.schema, ["p"])
    assert not say(later, DOCS)
    assert later.version == 2


def test_what_others_said_stays_where_the_definition_says_nothing(lake):
    table = lake.make(START)
    DeltaTable(lake.uri()).alter.set_column_metadata("p", {"comment": "by a steward", "unit": "x"})
    DeltaTable(lake.uri()).alter.set_table_properties({"mine": "1"}, raise_if_not_exists=False)
    table.tail()
    say(table, Description("", {"v": "Euro"}, ("eve",), tags={"a": "1", "b": "2"}))
    say(table, Description("", {"v": "Euro, net"}, tags={"b": "3"}))

    description, comments, ours = told(lake)
    assert (description, ours) == ("a table of a test", {"deltaworks.tag.b": "3"})
    assert comments == {"p": "by a steward", "v": "Euro, net"}
    configuration = DeltaTable(lake.uri()).metadata().configuration
    assert configuration["mine"] == "1"
    assert configuration["delta.enableExpiredLogCleanup"] == "false"


def test_a_commit_of_somebody_else_in_between_is_kept(lake):
    lake.make(START)

    def act() -> None:
        DeltaTable(lake.uri()).alter.set_table_properties({"mine": "1"}, raise_if_not_exists=False)

    store = FailingStore(lake.store.root, False, Trigger("put_new", 1, Moment.BEFORE, act))
    assert say(Table.read(store, "t"), DOCS)

    configuration = DeltaTable(lake.uri()).metadata().configuration
    assert (configuration["mine"], configuration["deltaworks.group"]) == ("1", "raw")


def test_a_run_that_is_at_work_commits_all_the_same(lake, rows):
    table = lake.make(START)
    other = lake.open()
    staged = lake.stage(table, START.with_columns(v=pl.lit(9, pl.Int64)), "slow")
    say(other, DOCS)

    assert lake.commit(table, staged, "slow").version == 3
    assert rows(lake.open()) == [("a", 9), ("b", 9)]


def test_a_comment_that_speaks_of_invariants_is_none(lake):
    table = lake.make(START)
    say(table, Description(columns={"v": 'has "delta.invariants" and "nullable": false'}))

    lake.replace(lake.open(), START, "again")
    assert lake.open().version == 3


def test_nothing_is_said_where_it_may_not_be_written(lake):
    table = lake.make(START)

    def refuse(_: Table) -> None:
        raise TableMismatch("no")

    with pytest.raises(TableMismatch):
        describe(table, DOCS, RECORD, refuse, 0)
    assert lake.open().version == 1


def test_a_schema_that_others_wrote_keeps_what_is_not_ours(lake):
    write_deltalake(lake.uri(), START, partition_by=["p"])
    table = lake.open()
    before = table.metadata.schema_string
    say(table, Description("text"))

    assert table.metadata.schema_string == before
    say(table, Description(columns={"v": "now"}))
    fields = json.loads(table.metadata.schema_string)["fields"]
    assert [field["metadata"] for field in fields] == [{}, {"comment": "now"}]
    assert fields[0] == json.loads(before)["fields"][0]
