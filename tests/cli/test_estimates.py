"""What a plan says about how much it will come to."""

from __future__ import annotations

from typing import Any

UNKNOWN = {"rows": None, "bytes": None, "duration_s": None}


def test_of_what_was_never_made_nothing_is_said(shell: Any) -> None:
    plan = shell.run("plan")

    assert plan.lines[0] == "asset count partitions because"
    assert plan.lines[-2] == "rows, size and time are unknown: nothing of this was made before"
    document = shell.run("plan", "--json").json
    assert [{name: step[name] for name in UNKNOWN} for step in document["steps"]] == [UNKNOWN] * 3
    assert {name: document["totals"][name] for name in UNKNOWN} == UNKNOWN


def test_what_is_there_tells_rows_bytes_and_time(shell: Any) -> None:
    shell.run("backfill", "numbers", "doubled", "--from", "2024-01-01", "--to", "2024-01-02")
    files = [path.stat().st_size for path in (shell.folder / "lake" / "numbers").rglob("*.parquet")]

    document = shell.run("backfill", "--dry-run", "--json", "--workers", "3", "--only", "all").json
    plan = shell.run("plan", "--only", "all")

    assert [step["rows"] for step in document["steps"]] == [4, 2, 4, 2, None]
    assert [step["bytes"] for step in document["steps"][:2]] == [sum(files), round(sum(files) / 2)]
    assert document["steps"][0]["duration_s"] > 0
    assert (document["totals"]["rows"], document["at_least"]["rows"], document["workers"]) == (None, 12, 3)
    assert plan.lines[0] == "asset count rows size time partitions because"
    assert plan.lines[5].startswith("total 1 unknown unknown unknown whole table")
    assert plan.lines[-2].startswith("by what was made before: at least 12 rows, at least ")
    assert plan.lines[-2].endswith(" with 2 workers")


def test_a_whole_estimate_is_no_lower_bound(shell: Any) -> None:
    shell.run("backfill")

    told = shell.run("plan", "--only", "all").lines[-2]

    assert told.startswith("by what was made before: 13 rows, ")
    assert "at least" not in told
