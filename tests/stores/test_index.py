"""The index of a table is only remembered: it follows the log, and is made anew from it when it is gone or wrong."""

from __future__ import annotations

import json

import pytest

from tests.stores.home import CHAIN, Housed, day

INDEX = "lake/_deltaworks/index"
MANY = 1050
"""More objects than a store lists in one answer."""


@pytest.fixture
def made(housed: Housed) -> Housed:
    """A project of which everything is made and one day was then written outside."""
    housed.given(CHAIN)
    housed.did("backfill")
    housed.home.append("lake/base", day(2, 20))
    return housed


def index(housed: Housed) -> list[str]:
    """The files of the index."""
    return sorted(housed.home.objects(INDEX))


@pytest.mark.telling
def test_without_its_index_a_lake_says_the_same(made: Housed) -> None:
    before = made.status("--partitions")
    assert index(made)

    made.home.delete(*index(made))

    assert made.status("--partitions") == before
    assert made.did("doctor", "--rebuild-index")["ok"]
    assert any("base" in path for path in index(made))
    assert made.status("--partitions") == before


def test_without_the_engines_folder_the_tables_say_what_they_hold(made: Housed) -> None:
    before = made.status("--partitions")

    made.home.delete(*made.home.objects("lake/_deltaworks"))

    assert made.status("--partitions") == before
    assert made.did("backfill")["totals"]["materialized"] == 2


def test_an_index_that_was_torn_is_found_and_made_anew(made: Housed) -> None:
    before = made.status("--partitions")
    torn = [path for path in index(made) if path.startswith(f"{INDEX}/base.")]
    assert torn
    for path in torn:
        made.home.put(path, b"torn")

    found = made.run("doctor", "--json").json["problems"]

    assert {each["kind"] for each in found} == {"damaged_index"}
    assert made.status("--partitions") == before
    made.did("backfill")
    assert made.run("doctor").code == 0


def test_an_index_follows_the_log_over_many_commits(made: Housed) -> None:
    for number in range(12):
        made.home.append("lake/base", day(1 + number % 5, number))

    assert made.counts("base") == {"external": 5}
    assert made.did("backfill")["totals"]["materialized"] == 6
    assert len(made.rows("base")) == 5 + 1 + 12


def test_a_checkpoint_is_read_where_the_log_is_long(made: Housed) -> None:
    before = made.status("--partitions")
    made.home.table("lake/base").create_checkpoint()
    made.home.delete(*index(made))

    assert made.status("--partitions") == before
    assert any(path.endswith(".checkpoint.parquet") for path in made.home.objects("lake/base/_delta_log"))


def test_logs_and_ledgers_of_more_objects_than_a_store_lists_at_once_are_read_whole(made: Housed) -> None:
    quiet = b'{"commitInfo":{"timestamp":1704067200000,"operation":"SET TBLPROPERTIES"}}\n'
    newest = made.home.table("lake/base").version()
    for version in range(newest + 1, newest + MANY + 1):
        made.home.put(f"lake/base/_delta_log/{version:020d}.json", quiet)
    made.home.append("lake/base", day(3, 30))
    (ledger,) = [path for path in made.home.objects("lake/_deltaworks/ledger/runs") if path.endswith(".json")]
    entry = json.loads(made.home.read(ledger))
    for number in range(MANY):
        again = {**entry, "run_id": f"again-{number:04d}"}
        made.home.put(f"{ledger.rpartition('/')[0]}/again-{number:04d}.json", json.dumps(again).encode())
    made.home.delete(*index(made))

    assert made.ranges("base", "external") == ["2024-01-02..2024-01-03"]
    assert [each["version"] for each in made.did("history", "base", "-n", "2")] == [newest + MANY + 1, newest]
    assert len(made.did("runs", "list", "-n", str(2 * MANY))) == MANY + 1
    assert made.run("doctor").code == 0


def test_a_table_that_was_dropped_and_made_again_is_another_one(made: Housed) -> None:
    made.home.delete(*made.home.objects("lake/base"))
    assert made.counts("base") == {"missing": 5}

    made.home.append("lake/base", day(1, 100), partition_by=["day"])

    assert made.counts("base")["external"] == 1
    assert made.counts("child") == {"stale": 5}


def test_a_gap_in_the_log_is_told_and_never_taken_for_fresh(made: Housed) -> None:
    made.home.append("lake/base", day(3, 30))
    last = made.home.table("lake/base").version()
    made.home.delete(f"lake/base/_delta_log/{last - 1:020d}.json", *index(made))

    told = made.run("status")

    assert told.code == 1
    assert "base" in told.sentence
    assert "gap" in told.sentence or f"version {last - 1}" in told.sentence


def test_a_commit_that_was_cut_off_is_found_and_what_it_held_made_again(made: Housed) -> None:
    path = f"lake/child/_delta_log/{made.home.table('lake/child').version():020d}.json"
    made.home.put(path, b"".join(made.home.read(path).splitlines(keepends=True)[:2]))
    made.home.delete(*index(made))

    assert "was cut off" in made.run("status").sentence
    (problem,) = [each for each in made.run("doctor", "--json").json["problems"] if each["asset"] == "child"]
    assert problem["kind"] == "damaged_commit"
    made.home.delete(path)
    made.did("backfill")
    assert len(made.rows("child")) == 6


def test_a_file_that_is_gone_fails_its_readers_and_doctor_says_how_to_mend_it(made: Housed) -> None:
    (file,) = [path for path in made.home.objects("lake/child") if "day=2024-01-03" in path]
    made.home.delete(file)

    failed = made.run("backfill", "total", "--only", "all", "--json")
    problems = made.run("doctor", "--json").json["problems"]

    assert (failed.code, failed.json["totals"]["failed"]) == (1, 1)
    (repair,) = [each["repair"] for each in problems if each["kind"] == "missing_files"]
    made.said(*repair.strip("`").split()[1:])
    assert made.did("backfill")["totals"]["failed"] == 0
    assert made.run("doctor").code == 0
