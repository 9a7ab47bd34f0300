"""The table of broken rules: it fits the window, says all of a rule, and shows values for what they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deltaworks.cli.broken import BrokenPartition, broken_lines, near
from deltaworks.io.kept import KeptFile
from deltaworks.io.run_entry import Failure, RunEntry, RunStatus

PATTERN = "str_matches('^[A-Z][A-Z0-9]{2,5}(-[a-z]+)?$ and then some more of it that is long')"
ROW = {"station": "ab", "day": "2024-01-10", "number": 6, "value": 1.5, "comment": "x" * 50, "operator": "y" * 30}


def rule(name: str = "ge(0)", column: str | None = "value", **changed: Any) -> dict[str, Any]:
    fields = {"severity": "fail", "failed_rows": 1, "rows": 24, "note": None, "samples": [ROW]}
    return {"rule": name, "column": column, **fields, **changed}


def lines(*alike: BrokenPartition, width: int = 200) -> list[str]:
    return [cell.text for cell in broken_lines(alike, "kept for 7 days", width)]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_it_fits_the_window_and_nothing_of_a_rule_is_lost(width: int) -> None:
    told = lines(BrokenPartition([rule(PATTERN, "station"), rule()], None), width=width)

    assert all(len(line) <= width for line in told), told
    (place,) = [number for number, line in enumerate(told) if "value: ge(0)" in line]
    first, *rest = told[1 : place - 2]
    name = first.partition("  fail")[0].strip() + " " + " ".join(line.strip() for line in rest)
    assert name.replace(" ", "").rstrip() == f"station: {PATTERN}".replace(" ", "")
    assert told[place + 1].split()[:2] == ["station", "day"]


def test_columns_that_have_no_room_are_told_to_be_there() -> None:
    told = lines(BrokenPartition([rule()], None), width=60)

    assert told[2].split() == ["station", "day", "number", "value", "..."]
    assert told[3].split() == ["ab", "2024-01-10", "6", "1.5", "..."]


def test_rows_are_added_up_over_partitions_and_a_few_are_shown() -> None:
    alike = [BrokenPartition([rule(samples=[ROW | {"station": name}])], f"/lake/k/run/{name}") for name in "abcde"]

    told = lines(*alike)

    assert told[1].split() == ["value:", "ge(0)", "fail", "5", "115"]
    assert [line.split()[0] for line in told[3:6]] == ["a", "b", "c"]
    assert told[6:] == ["  the rows that were made, kept for 7 days, in 5 files:", "    /lake/k/run/"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "null"), ("null", "'null'"), ("", "''"), ("a ", "'a '"), ("a\nb", r"'a\nb'"), (True, "true"), ("é", "é")],
)
def test_a_value_cannot_be_taken_for_another_one(value: object, shown: str) -> None:
    told = lines(BrokenPartition([rule(samples=[{"x": value}])], None))

    assert told[3].strip() == shown


def test_a_rule_that_says_nothing_of_rows_tells_what_there_is_to_say() -> None:
    whole = rule("small", None, failed_rows=None, samples=[])
    raised = rule("odd", failed_rows=None, samples=[], note="could not be checked: ValueError: no")

    told = lines(BrokenPartition([whole, raised], None))

    assert told[1].split() == ["table:", "small", "fail", "-", "-"]
    assert told[2].strip() == "judged over all 24 rows together"
    assert told[4].strip() == "could not be checked: ValueError: no"


def test_it_says_which_rows_are_not_kept_and_why() -> None:
    enough = BrokenPartition([rule()], None, "a run keeps at most 1,000 MB of such rows")

    one, many = lines(enough), lines(BrokenPartition([rule()], "/lake/k/run/1-0.parquet"), enough, enough)

    assert one[-1] == "  the rows are not kept: a run keeps at most 1,000 MB of such rows"
    assert many[-3:] == [
        "  the rows that were made, kept for 7 days:",
        "    /lake/k/run/1-0.parquet",
        "  the rows of 2 partitions are not kept: a run keeps at most 1,000 MB of such rows",
    ]


def test_a_path_is_written_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert near(str(tmp_path / "lake" / "x")) == "lake/x"
    assert near("/elsewhere/x") == "/elsewhere/x"


def test_half_of_a_kept_file_is_named_and_its_failure_has_its_sentence(shell: Any) -> None:
    file = KeptFile("numbers", "20240102-bb", "1-0.parquet")
    failures = (Failure("numbers", "2024-01-01", "it broke", -1),)
    entry = RunEntry("20240102-bb", RunStatus.FAILURE, "backfill", "2024-01-02T12:00:00+00:00", failures=failures)
    shell.log(entry)
    shell.store.put(file.path, b"PAR1 and then the machine stopped")

    answer = shell.run("runs", "show")

    assert answer.lines[-2:] == [
        "numbers 2024-01-01 - it broke",
        f"kept: {shell.store.uri(file.path)} was not written to its end",
    ]
    assert [each["damaged"] for each in shell.run("runs", "show", "--json").json["kept"]] == [True]
