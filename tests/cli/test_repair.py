"""`rollback`, `wipe`, `diff`, `rerun` and `show` of a version, as from the shell."""

from __future__ import annotations

import re
from typing import Any

import pytest
from deltalake import DeltaTable


def newer(shell: Any) -> None:
    tables = shell.folder / "tables.py"
    tables.write_text(tables.read_text().replace('"n": [1, 2]', '"n": [1, 3]'))


@pytest.fixture
def made(shell: Any) -> Any:
    """Versions 1 and 2 of `numbers`, from other code."""
    assert shell.run("backfill").code == 0
    newer(shell)
    assert shell.run("materialize", "numbers").code == 0
    return shell


def vacuum(shell: Any) -> None:
    DeltaTable(shell.store.uri("numbers")).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)


def test_rollback_says_what_it_did(made: Any) -> None:
    answer = made.run("rollback", "numbers", "--to", "v1", "--partition", "2024-01-02", "--partition", "2024-01-03")
    again = made.run("rollback", "numbers", "--to", "v1", "--json")
    nothing = made.run("rollback", "numbers", "--to", "v1")

    assert (answer.code, again.code, nothing.code) == (0, 0, 0)
    assert answer.lines[0] == "2024-01-02 .. 2024-01-03: as at version 1"
    assert re.fullmatch(r"numbers: 2 partitions rolled back at version 3 \(run \S+\)", answer.lines[1])
    document = again.json
    assert document["changed"] == {"count": 1, "ranges": [["2024-01-01", "2024-01-01"]]}
    assert document["unchanged"] == {"count": 2, "ranges": [["2024-01-02", "2024-01-03"]]}
    assert (document["status"], document["version"], document["failures"]) == ("success", 4, [])
    assert nothing.lines == ["2024-01-01 .. 2024-01-03: nothing to do, as at version 1 already", "Nothing to do."]


def test_history_why_and_runs_tell_a_rollback(made: Any) -> None:
    made.run("rollback", "numbers", "--to", "v1", "--partition", "2024-01-02")

    (run, *_) = made.run("runs", "list", "--json").json
    line = made.run("history", "numbers", "-n", "1").lines[1]
    (commit, *_) = made.run("history", "numbers", "--json").json
    told = made.run("why", "numbers", "--partition", "2024-01-02").lines
    shown = made.run("runs", "show", "latest").lines

    assert (run["kind"], run["status"], run["totals"]["materialized"]) == ("rollback", "success", 0)
    assert f"rollback {run['run_id']} 2024-01-02 2 version 1 of its own" in line
    assert (commit["kind"], commit["restored_from"], commit["run_id"]) == ("rollback", [1], run["run_id"])
    assert told[0] == "numbers 2024-01-02 is external"
    assert told[1] == f"rolled back at version 3 by run {run['run_id']}"
    assert told[2].startswith("made at version 1 by run ")
    assert "rolled back 1 partition in 1 commit" in shown
    assert "1 rolled back" in made.run("runs", "list").lines[1]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "Where to? `deltaworks history numbers` lists the versions; name one by --to v12."),
        (("--to", "1"), "'1' is no version; a version is written v12."),
        (("--to", "v7"), "numbers has no version 7: its versions are 0 to 2."),
    ],
)
def test_rollback_refuses(made: Any, arguments: tuple[str, ...], sentence: str) -> None:
    answer = made.run("rollback", "numbers", *arguments)

    assert (answer.code, answer.sentence) == (2, sentence)


def test_removed_files_are_one_sentence_everywhere(made: Any) -> None:
    vacuum(made)
    days = "2024-01-01, 2024-01-02, 2024-01-03"
    gone = f"table numbers: data files of {days} that version 1 had were removed, as vacuum does"

    answers = [
        made.run("show", "numbers@v1"),
        made.run("rollback", "numbers", "--to", "v1"),
        made.run("diff", "numbers@v1", "numbers@v2"),
        made.run("rerun", "numbers@v1", "--verify"),
    ]

    assert [answer.code for answer in answers] == [2, 2, 2, 2]
    assert [answer.sentence.partition(";")[0] for answer in answers] == [gone] * 4
    assert made.run("show", "numbers@v2").code == 0


def test_show_reads_a_partition_of_a_version(made: Any) -> None:
    shown = made.run("show", "numbers@v1", "--partition", "2024-01-02", "--json").json

    assert (shown["version"], shown["rows"]) == (1, [{"day": "2024-01-02", "n": 1}, {"day": "2024-01-02", "n": 2}])


def test_wipe_needs_a_word_for_a_whole_table(made: Any) -> None:
    refused = made.run("wipe", "numbers")
    part = made.run("wipe", "numbers", "--from", "2024-01-01", "--to", "2024-01-02")
    whole = made.run("wipe", "numbers", "--yes")

    assert (refused.code, part.code, whole.code) == (2, 0, 0)
    assert refused.sentence == (
        "This would wipe the whole table of numbers: say so by --yes, or name partitions by --partition."
    )
    assert part.lines[0].startswith("2024-01-01 .. 2024-01-02: wiped; `deltaworks rollback` brings it back")
    assert "numbers: 1 partition wiped at version 4" in whole.lines[1]
    assert made.run("show", "numbers", "--json").json["total_rows"] == 0
    (asset, *_) = made.run("status", "numbers", "--json").json["assets"]
    assert asset["partitions"]["missing"] == 3
    assert made.run("wipe", "numbers", "--yes").lines == ["Nothing to do."]


def test_plan_says_that_it_was_wiped(made: Any) -> None:
    made.run("wipe", "numbers", "--partition", "2024-01-02")

    steps = made.run("plan", "--json").json["steps"]

    (run, *_) = made.run("runs", "list", "--json").json
    assert steps[0]["reasons"] == [f"missing: wiped at version 3 by run {run['run_id']}"]


def test_diff_exits_with_what_it_found(made: Any) -> None:
    made.run("rollback", "numbers", "--to", "v1", "--partition", "2024-01-01")

    equal = made.run("diff", "numbers@v1", "numbers", "--partition", "2024-01-01")
    differs = made.run("diff", "numbers@v1", "numbers@v2")
    found = made.run("diff", "numbers@v2", "numbers@v3", "--json")

    assert (equal.code, differs.code, found.code) == (0, 1, 1)
    assert equal.lines == [
        "numbers@v1 and numbers@v3 are equal (0 and 0 rows compared; 1 partition of the same files not read)"
    ]
    assert differs.lines[:3] == ["3 rows only in numbers@v1:", "times day n", "1 2024-01-01 2"]
    assert differs.lines[-1] == "numbers@v1 and numbers@v2 differ (6 and 6 rows compared)"
    assert found.json["rows"] == {"a": 2, "b": 2, "only_a": 1, "only_b": 1, "changed": 0}
    assert found.json["partitions"] == {"compared": 1, "unchanged": 2}
    assert found.json["samples"]["only_a"] == [{"row": {"day": "2024-01-01", "n": 3}, "count": 1}]


def test_diff_by_key_names_the_columns_that_changed(shell: Any) -> None:
    tables = shell.folder / "tables.py"
    shell.run("materialize", "total", "doubled", "numbers")
    tables.write_text(tables.read_text().replace('.select(pl.col("n").sum())', '.select(pl.col("n").sum() + 1, k=1)'))
    shell.folder.joinpath("lake", "total").rename(shell.folder / "aside")
    shell.run("materialize", "total")

    answer = shell.run("diff", "total", "total", "--key", "k")
    refused = shell.run("diff", "numbers", "doubled", "--key", "day")
    unknown = shell.run("diff", "numbers", "doubled", "--key", "nothing")

    assert answer.code == 0
    assert (refused.code, unknown.code) == (2, 2)
    assert refused.sentence.startswith("day is no key of numbers@v1: 2 rows have day=2024-01-01;")
    assert unknown.sentence.startswith("'nothing' cannot be the key of numbers@v1 and doubled@v1")


def test_diff_shows_what_changed(made: Any) -> None:
    tables = made.folder / "tables.py"
    tables.write_text(
        tables.read_text().replace('"n": [1, 3]}', '"n": [1, 3], "k": [1, 2]}').replace("n: int", "k: int\n    n: int")
    )
    made.folder.joinpath("lake", "numbers").rename(made.folder / "aside")
    made.run("materialize", "numbers")
    tables.write_text(tables.read_text().replace('"n": [1, 3]', '"n": [1, 4]'))
    made.run("materialize", "numbers")

    answer = made.run("diff", "numbers@v1", "numbers@v2", "--key", "day", "--key", "k")

    assert answer.code == 1
    assert answer.lines[:3] == [
        "3 rows changed: n in 3",
        "day k column numbers@v1 numbers@v2",
        "2024-01-01 2 n 3 4",
    ]


def test_rerun_says_equal_or_what_differs(made: Any) -> None:
    equal = made.run("rerun", "doubled@v1", "--verify")
    differs = made.run("rerun", "numbers@v1", "--verify")
    found = made.run("rerun", "numbers@v1", "--verify", "--partition", "2024-01-02", "--json")

    assert (equal.code, differs.code, found.code) == (0, 1, 1)
    assert equal.lines == ["equal: doubled@v1 made again, 3 partitions of 6 rows"]
    assert differs.lines[0].startswith("note: code: numbers changed since; it was 1:")
    assert differs.lines[1] == "3 rows only in numbers@v1:"
    assert (found.json["equal"], found.json["partitions"]["count"]) == (False, 1)
    assert found.json["difference"]["rows"]["only_b"] == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("numbers", "--verify"), "Which version? `deltaworks history numbers` lists them; write numbers@v12."),
        (("numbers@v1",), "Say --verify: numbers@v1 is made again and compared, and nothing is written; "),
        (("numbers@v0", "--verify"), "Version 0 of numbers was written by an outside writer (CREATE TABLE"),
    ],
)
def test_rerun_refuses(made: Any, arguments: tuple[str, ...], sentence: str) -> None:
    answer = made.run("rerun", *arguments)

    assert answer.code == 2
    assert answer.sentence.startswith(sentence)
