"""`history`: what changed a table, by whom and from what, read from its log."""

from __future__ import annotations

from typing import Any

import pytest
from deltalake import DeltaTable


@pytest.fixture
def made(shell: Any) -> Any:
    assert shell.run("backfill").code == 0
    return shell


def test_a_materialization_is_listed_with_what_it_was_made_from(made: Any) -> None:
    (run,) = made.run("runs", "list", "--json").json

    (commit,) = made.run("history", "doubled", "--json").json

    assert commit["run_id"] == run["run_id"]
    assert commit["version"] == 1
    assert run["started_at"] < commit["at"] < run["ended_at"]
    assert commit["at"].endswith("Z")
    assert commit["partitions"] == {"count": 3, "ranges": [["2024-01-01", "2024-01-03"]]}
    assert commit["rows"] == 6
    assert commit["inputs"] == {"numbers": 1}


def test_an_outside_write_has_no_run_and_names_its_engine(made: Any) -> None:
    made.write_outside("2024-01-02")

    outside, ours = made.run("history", "numbers", "--json").json
    line = made.run("history", "numbers", "-n", "1").lines[1]

    assert (outside["version"], outside["run_id"], outside["rows"], outside["inputs"]) == (2, None, None, {})
    assert outside["partitions"] == {"count": 1, "ranges": [["2024-01-02", "2024-01-02"]]}
    assert outside["engine"].startswith("delta-rs")
    assert outside["operation"] == "WRITE"
    assert ours["run_id"] is not None
    assert "outside (WRITE, delta-rs" in line


def test_what_changes_no_data_is_left_out_unless_asked_for(made: Any) -> None:
    DeltaTable(made.store.uri("numbers")).alter.set_table_description("numbers, by day")

    def versions(*options: str) -> list[int]:
        return [commit["version"] for commit in made.run("history", "numbers", "--json", *options).json]

    assert versions() == [1]
    assert versions("--all") == [2, 1, 0]
    assert versions("--all", "-n", "2") == [2, 1]


def test_what_is_made_again_names_the_newer_version(made: Any) -> None:
    made.write_outside("2024-01-02")
    made.run("backfill")

    latest, first = made.run("history", "doubled", "--json").json

    assert (latest["partitions"]["count"], latest["inputs"]) == (1, {"numbers": 2})
    assert (first["partitions"]["count"], first["inputs"]) == (3, {"numbers": 1})


def test_partitions_beyond_the_definition_are_counted_apart(made: Any) -> None:
    made.write_outside("2023-12-31")

    (commit, _) = made.run("history", "numbers", "--json").json

    assert commit["partitions"] == {"count": 0, "ranges": [], "undefined": 1}
    assert "1 partition beyond the definition" in made.run("history", "numbers").lines[1]


def test_an_unpartitioned_table_is_a_single_partition(made: Any) -> None:
    (commit,) = made.run("history", "total", "--json").json

    assert commit["partitions"] == {"count": 1, "ranges": [["", ""]]}
    assert " whole table 1 doubled 1" in made.run("history", "total").lines[1]


def test_a_table_that_was_never_made_has_none(shell: Any) -> None:
    assert shell.run("history", "numbers", "--json").json == []
    assert not (shell.folder / "lake").exists()
    assert shell.run("history", "number").sentence == "There is no asset 'number'. Did you mean 'numbers'?"
