"""`why`: an indented tree for people, the same as JSON."""

from __future__ import annotations

import re
from typing import Any

import pytest


@pytest.fixture
def made(shell: Any) -> Any:
    assert shell.run("backfill").code == 0
    return shell


def test_what_is_fresh_says_what_made_it(made: Any) -> None:
    (run,) = made.run("runs", "list", "--json").json

    heading, line = made.run("why", "doubled").out.splitlines()

    assert heading == "doubled 2024-01-01..2024-01-03 is fresh"
    made_text = f"  made at version 1 by run {run['run_id']}, from numbers version 1, by code 1:"
    assert line.startswith(made_text)


def test_the_tree_leads_to_the_outside_commit(made: Any) -> None:
    made.write_outside("2024-01-02")

    answer = made.run("why", "total")
    (root,) = made.run("why", "total", "--json").json["explanations"]

    told = re.sub(r"\(WRITE, .*?\)", "(WRITE)", answer.out).splitlines()
    assert told == [
        "total is stale",
        "  upstream: doubled 2024-01-02 is stale",
        "    data: numbers 2024-01-02 changed at version 2 by an outside writer (WRITE), version 1 was read",
    ]
    (cause,) = root["causes"]
    assert cause.startswith(
        "upstream: doubled 2024-01-02 is stale, since data: numbers 2024-01-02 changed at version 2"
    )
    (upstream,) = root["upstream"]
    assert upstream["partitions"] == {"count": 1, "ranges": [["2024-01-02", "2024-01-02"]]}
    assert upstream["made"][0]["inputs"] == {"numbers": [1, 1]}
    assert upstream["upstream"] == []


def test_one_partition_can_be_asked_about(made: Any) -> None:
    made.write_outside("2024-01-02")

    def statuses(day: str) -> list[str]:
        explanations = made.run("why", "doubled", "--partition", day, "--json").json["explanations"]
        return [each["status"] for each in explanations]

    assert (statuses("2024-01-01"), statuses("2024-01-02")) == (["fresh"], ["stale"])
    assert made.run("why", "doubled", "--partition", "2024-02-01").code == 2


def test_a_failed_attempt_says_its_error(shell: Any) -> None:
    tables = shell.folder / "tables.py"
    tables.write_text(tables.read_text().replace("lt=10", "lt=2"))
    assert shell.run("backfill", "numbers", "--partition", "2024-01-02").code == 1

    answer = shell.run("why", "numbers", "--partition", "2024-01-02")
    (found,) = shell.run("why", "numbers", "--json").json["explanations"]

    assert answer.lines[:2] == ["numbers 2024-01-02 is missing", "never materialized"]
    assert re.match(r"failed in run \S+: numbers 2024-01-02: n: lt\(2\) failed", answer.lines[2])
    assert [each["partition"] for each in found["failed"]] == ["2024-01-02"]


def test_an_absent_lake_is_missing_all_the_way_up(shell: Any) -> None:
    answer = shell.run("why", "total")

    assert answer.code == 0
    assert [line for line in answer.lines if "is missing" in line] == [
        "total is missing",
        "upstream: doubled 2024-01-01..2024-01-03 is missing",
        "upstream: numbers 2024-01-01..2024-01-03 is missing",
    ]
    assert not (shell.folder / "lake").exists()
