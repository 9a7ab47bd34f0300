"""The bench of object stores runs through, on next to nothing."""

import pytest

from tests.bench.running import ran


@pytest.mark.soak
def test_requests_of_a_backfill_and_of_an_idle_daemon_are_counted() -> None:
    lines = ran("stores.py", "tiny")

    assert any(line.startswith("in_ranges") for line in lines)
    assert any(line.startswith("of tables, each poll and table: ") for line in lines)
