"""What is observed of a source is one small file of a plain Delta table, and the record names what changed of it."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from deltaworks.errors import LogGap, TableMismatch
from deltaworks.io.commit import Committed
from deltaworks.io.compare import Terms
from deltaworks.io.compare_tables import Side, compare_tables
from deltaworks.io.damage import inspect
from deltaworks.io.description import Description
from deltaworks.io.index import drop_index, index_problem, load_table, save_index
from deltaworks.io.log import commit_path
from deltaworks.io.observation import (
    commit_observed,
    compare,
    create_observed,
    is_disturbed,
    known,
    recorded,
    verify_observed,
)
from deltaworks.io.parquet import Staging
from deltaworks.io.record import Kind, Record
from deltaworks.io.scan import scan_table
from deltaworks.io.table import Table
from deltaworks.io.table_state import Origin

SCHEMA = pl.Schema({"partition": pl.String, "version": pl.String, "observed_at": pl.Datetime("us", "UTC")})
NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
HAZARDS = ("a/b", "São Paulo, 100%", "x=1,y=2", "..", "__HIVE_DEFAULT_PARTITION__x", "é", "e\u0301", "'\"", "🛩")


def observe(
    table: Table,
    versions: Mapping[str, str],
    at: dt.datetime = NOON,
    run_id: str = "run",
    scheme: str | None = "static",
) -> Committed | None:
    """Commit what differs from a table's rows; none: nothing does."""
    if not table.exists:
        create_observed(table, SCHEMA, scheme, Description("a source"))
    now = pl.DataFrame(list(versions.items()), schema={"partition": pl.String, "version": pl.String}, orient="row")
    found = compare(known(table, SCHEMA), recorded(table), now, at)
    if not found.keys and not is_disturbed(table):
        return None
    record = Record(run_id, "s", "deltaworks 0", NOON.isoformat(), found.groups(), {}, Kind.OBSERVE)
    return commit_observed(table, found.rows, Staging(table.store, "s", run_id, table.version), record, scheme, NOON)


def states(table: Table) -> dict[str, tuple[int, int]]:
    """The version and origin of each named partition."""
    named = table.partitions().filter(pl.col("key") != "")
    return {key: (version, origin) for key, version, origin in named.select("key", "version", "origin").iter_rows()}


@pytest.fixture
def table(lake) -> Table:
    return Table(lake.store, "s")


def test_only_what_changed_is_named_and_the_rest_keeps_its_row(lake, table, rows) -> None:
    observe(table, {"a": "1", "b": "1", "c": "1"})
    later = NOON + dt.timedelta(days=1)

    observe(table, {"a": "1", "b": "2", "d": "1"}, later)

    assert rows(table) == [("a", "1", NOON), ("b", "2", later), ("d", "1", later)]
    assert states(table) == {
        "a": (1, Origin.ENGINE),
        "b": (2, Origin.ENGINE),
        "c": (2, Origin.GONE),
        "d": (2, Origin.ENGINE),
    }
    groups = json.loads(_info(table, 2))["groups"]
    assert [(group["keys"], group["rows"]) for group in groups] == [(["b", "d"], [1, 1]), (["c"], [0])]
    assert len(DeltaTable(lake.uri("s")).file_uris()) == 1


def test_the_same_answer_again_commits_nothing(table) -> None:
    observe(table, {"a": "1"})

    assert observe(table, {"a": "1"}, NOON + dt.timedelta(days=1)) is None
    assert table.version == 1


def test_all_partitions_may_be_gone_and_come_back(table, rows) -> None:
    observe(table, {"a": "1", "b": "1"})

    observe(table, {})
    gone = states(table)
    observe(table, {"b": "1"})

    assert {origin for _, origin in gone.values()} == {Origin.GONE}
    assert states(table) == {"a": (2, Origin.GONE), "b": (3, Origin.ENGINE)}
    assert rows(table) == [("b", "1", NOON)]


def test_an_unpartitioned_source_has_a_single_row_without_a_key(table, rows) -> None:
    observe(table, {"": "1"}, scheme=None)
    observe(table, {"": "2"}, scheme=None)

    assert rows(table) == [(None, "2", NOON)]
    assert (table.changed_at(""), table.has_content(""), table.names_keys) == (2, True, False)


def test_hazardous_keys_and_thousands_of_them_are_rows_of_one_file(lake, table) -> None:
    many = {f"{hazard}/{number}": "1" for number in range(1_112) for hazard in HAZARDS}

    observe(table, many)
    odd = "São Paulo, 100%/7"
    observe(table, many | {odd: "é"})

    assert {key for key, (version, _) in states(table).items() if version == 2} == {odd}
    assert len(states(table)) == len(many) == 10_008
    assert scan_table(table, [odd, "a/b/0"]).collect().select("partition", "version").sort("version").rows() == [
        ("a/b/0", "1"),
        (odd, "é"),
    ]
    assert pl.read_delta(lake.uri("s")).height == 10_008
    assert [path for path in lake.store.list("s") if path.endswith(".parquet") and "/" not in path[2:]]


def test_an_index_and_a_checkpoint_say_the_same(lake, table) -> None:
    observe(table, {"a": "1", "b": "1"})
    save_index(table)
    observe(table, {"a": "2"})
    DeltaTable(lake.uri("s")).create_checkpoint()

    kept = load_table(lake.store, "s")

    assert kept.is_indexed
    assert states(kept) == states(table) == states(Table.read(lake.store, "s"))
    assert kept.files(["a"]) == table.files(["a"])
    assert index_problem(Table.read(lake.store, "s")) is None
    assert (inspect(lake.store, "s").commits, inspect(lake.store, "s").checkpoints) == ((), ())
    drop_index(lake.store, "s")
    assert states(load_table(lake.store, "s")) == states(table)


def test_who_comes_second_is_told_and_leaves_no_file(lake, table) -> None:
    observe(table, {"a": "1"})
    slow = Table.read(lake.store, "s")
    before, keys = known(slow, SCHEMA), recorded(slow)
    observe(table, {"a": "2"}, run_id="fast")

    found = compare(before, keys, pl.DataFrame({"partition": ["a"], "version": ["3"]}), NOON)
    record = Record("slow", "s", "deltaworks 0", NOON.isoformat(), found.groups(), {}, Kind.OBSERVE)
    lost = commit_observed(slow, found.rows, Staging(lake.store, "s", "slow", 1), record, "static", NOON)

    assert lost.version is None
    assert [conflict.version for conflict in lost.conflicts] == [2]
    assert known(slow, SCHEMA)["version"].to_list() == ["2"]
    assert not [path for path in lake.store.list("s") if "slow" in path]


@pytest.mark.parametrize("disturbance", ["append", "overwrite", "delete", "twice the same"])
def test_what_others_write_is_put_right_by_the_next_observation(lake, table, rows, disturbance: str) -> None:
    truth = {"a": "1", "b": "1"}
    observe(table, truth)
    frame = pl.DataFrame({"partition": ["a"], "version": ["9"], "observed_at": [NOON]}, schema=SCHEMA)
    match disturbance:
        case "append":
            write_deltalake(lake.uri("s"), frame, mode="append")
        case "overwrite":
            write_deltalake(lake.uri("s"), frame, mode="overwrite")
        case "delete":
            DeltaTable(lake.uri("s")).delete("partition = 'a'")
        case _:
            write_deltalake(lake.uri("s"), pl.read_delta(lake.uri("s")), mode="append")
    table.tail()
    before = states(table)

    observe(table, truth)
    again = observe(table, truth)

    assert before == {"a": (1, Origin.ENGINE), "b": (1, Origin.ENGINE)}, "others write no observation"
    assert sorted(row[:2] for row in rows(table)) == [("a", "1"), ("b", "1")]
    assert states(table)["a"] == (3, Origin.ENGINE), "what others wrote may have been read, so it counts as changed"
    assert again is None


def test_a_compaction_by_others_changes_nothing(lake, table) -> None:
    observe(table, {"a": "1", "b": "1"})
    DeltaTable(lake.uri("s")).optimize.z_order(["version"])
    table.tail()

    assert table.version == 2
    assert observe(table, {"a": "1", "b": "1"}) is None
    assert observe(table, {"a": "2", "b": "1"}) is not None


def test_others_who_write_to_an_unpartitioned_source_change_it_until_it_is_observed_again(lake, table) -> None:
    observe(table, {"": "1"}, scheme=None)
    write_deltalake(lake.uri("s"), pl.read_delta(lake.uri("s")), mode="overwrite")
    table.tail()

    disturbed = is_disturbed(table)
    observe(table, {"": "1"}, scheme=None)

    assert disturbed
    assert not is_disturbed(table)
    assert observe(table, {"": "1"}, scheme=None) is None


def test_a_lost_file_is_written_anew(lake, table, rows) -> None:
    observe(table, {"a": "1"})
    (file,) = table.files(["a"])
    lake.store.delete(f"s/{file.path}")

    observe(table, {"a": "1"})

    assert rows(table) == [("a", "1", NOON)]


@pytest.mark.parametrize("loss", ["the file is lost", "others delete the row"])
def test_what_is_gone_is_told_by_the_log_where_the_rows_do_not(lake, table, rows, loss: str) -> None:
    observe(table, {"a": "1", "b": "1"})
    if loss == "the file is lost":
        (file,) = table.files(["a"])
        lake.store.delete(f"s/{file.path}")
    else:
        DeltaTable(lake.uri("s")).delete("partition = 'b'")
        table.tail()

    observe(table, {"a": "1"})

    assert states(table)["b"] == (table.version, Origin.GONE)
    assert [row[:2] for row in rows(table)] == [("a", "1")]
    assert observe(table, {"a": "1"}) is None


def test_what_comes_back_is_there_even_if_others_brought_its_row_back_before(lake, table) -> None:
    observe(table, {"a": "1", "b": "1"})
    observe(table, {"a": "1"})
    DeltaTable(lake.uri("s")).restore(1)
    table.tail()

    observe(table, {"a": "1", "b": "1"})

    assert states(table)["b"] == (4, Origin.ENGINE)


def test_all_of_a_source_may_be_gone_with_its_file(lake, table) -> None:
    observe(table, {"a": "1", "b": "1"})
    (file,) = table.files(["a"])
    lake.store.delete(f"s/{file.path}")

    observe(table, {})

    assert states(table) == {"a": (2, Origin.GONE), "b": (2, Origin.GONE)}
    assert observe(table, {}) is None


def test_a_commit_without_its_file_is_seen_to_be_cut_off(lake, table) -> None:
    observe(table, {"a": "1"})
    path = lake.store.root / commit_path("s", 1)
    path.write_bytes(path.read_bytes().splitlines()[0] + b"\n")

    with pytest.raises(LogGap, match="recorded rows of a and adds no file"):
        Table.read(lake.store, "s")


def test_two_versions_differ_in_the_partitions_that_are_asked_about(lake, table) -> None:
    observe(table, {"a": "1", "b": "1", "c": "1"})
    observe(table, {"a": "2", "b": "1", "c": "2"}, NOON + dt.timedelta(days=1))

    def differ(*keys: str) -> tuple[int, int]:
        before, after = (Side(Table.read(lake.store, "s", version), "s", keys or None) for version in (1, 2))
        found = compare_tables(before, after, Terms(("partition",)))
        return found.changed, found.rows_b

    assert (differ(), differ("a", "b"), differ("b")) == ((2, 3), (1, 2), (0, 1))


@pytest.mark.parametrize(("made_by", "scheme"), [("static", None), (None, "static"), ("static", "daily")])
def test_a_table_of_other_partitions_is_refused(table, made_by: str | None, scheme: str | None) -> None:
    observe(table, {"a" if made_by else "": "1"}, scheme=made_by)

    with pytest.raises(TableMismatch, match="Nothing was written"):
        verify_observed(table, SCHEMA, scheme)


def _info(table: Table, version: int) -> str:
    content = table.store.read(commit_path(table.name, version)) or b""
    (info,) = [json.loads(line)["commitInfo"] for line in content.splitlines() if b'"commitInfo"' in line]
    return json.dumps(info["deltaworks"])
