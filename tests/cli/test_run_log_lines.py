"""Lines of a run's log as people read them."""

from __future__ import annotations

from typing import Any

import pytest

from deltaworks.engine.documents.run_logs import log_line


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"planned": {"sales": 14, "week": 2}}, "sales 14, week 2"),
        ({"asset": "sales", "key": "2024-01-05", "reason": "sales 2024-01-05: too late"}, "sales 2024-01-05 too late"),
        ({"asset": "sales", "upstream": "raw", "is_gone": False}, "sales raw"),
        ({"asset": "sales", "is_gone": True}, "sales, gone"),
        (
            {"step": "names", "took_s": 0.00015825500304345042, "tries": 1, "error": None},
            "names, took 0.000158 s, tries 1",
        ),
    ],
)
def test_an_event_is_told_in_words(facts: dict[str, Any], told: str) -> None:
    assert log_line({"at": "2024-01-01T00:00:00+00:00", "event": "x", **facts}).text == told
