"""What a record tells of rows that were left out."""

from __future__ import annotations

import pytest

from deltaworks.io.dtypes import Json
from deltaworks.io.record import Record
from deltaworks.io.rejects import LeftOut, left_out_by


@pytest.mark.parametrize(
    ("checks", "left_out"),
    [
        ({"passed": 1, "not_passed": [], "dropped": 2, "quarantined": 3}, LeftOut(2, 3)),
        ({}, LeftOut()),
        ({"passed": 1, "not_passed": [{"rule": "ge(0)", "severity": "warn", "failed_rows": 3}]}, LeftOut()),
        # Rows may break several rules, so the counts of an older engine's rules do not add up to rows.
        ({"passed": 1, "not_passed": [{"rule": "ge(0)", "severity": "drop", "failed_rows": 3}]}, None),
        ({"passed": 1, "not_passed": [{"rule": "ge(0)", "severity": "quarantine", "failed_rows": 3}]}, None),
    ],
)
def test_a_record_tells_how_many_rows_were_left_out_unless_it_is_too_old(
    checks: Json, left_out: LeftOut | None
) -> None:
    assert left_out_by(Record("run", "t", "deltaworks 0", "2026-01-01T00:00:00+00:00", (), checks)) == left_out
