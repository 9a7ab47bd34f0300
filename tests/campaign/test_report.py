"""The page of faults is what was recorded, and the matrix has a line for everything that tests record."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.campaign.matrix import MATRIX
from tests.campaign.report import page, rows_of

ROOT = Path(__file__).parents[2]


def test_the_page_is_made_from_the_rows() -> None:
    assert (ROOT / "docs" / "faults.md").read_text("utf-8") == page(rows_of(ROOT / "docs" / "faults.jsonl"))


def test_what_tests_record_has_a_line_and_each_line_is_recorded() -> None:
    texts = [file.read_text("utf-8") for file in (ROOT / "tests").rglob("test_*.py")]
    recorded = {name for text in texts for name in re.findall(r'recorded\("(.+?)"\)', text)}
    recorded |= {name for text in texts for name in re.findall(r'\("(?:full|raise)", "(.+?)"\)', text)}

    assert recorded == {fault.name for fault in MATRIX}


def test_of_a_test_that_ran_twice_the_last_time_counts_and_failures_are_shown(tmp_path: Path) -> None:
    row = {"fault": "secrets", "seed": 7, "tried": 6, "survived": 6, "lost": 0, "doubled": 0, "partial": 0, "note": ""}
    row |= {"took_s": 9, "failure": None, "at": "2026-01-01", "machine": "a machine", "test": "one"}
    lines = [row | {"tried": 5}, row, row | {"test": "two", "survived": 5, "failure": "AssertionError: 1 == 2"}]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(f"{json.dumps(each)}\n" for each in lines), "utf-8")

    text = page(rows_of(file))

    assert "| never written | 12 | 11 | 0 | 0 | 0 | 2026-01-01 | 7 |" in text
    assert text.count("| not run |") == len(MATRIX) - 1
    assert "- secrets: AssertionError: 1 == 2" in text
