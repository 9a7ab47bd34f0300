"""The bench of the daemon runs through, on next to nothing."""

from tests.bench.running import ran


def test_idling_and_reacting_are_measured():
    lines = "\n".join(ran("daemon.py", "tiny"))

    assert "code location" in lines
    assert "median" in lines
