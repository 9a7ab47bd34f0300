"""The bench of automation conditions runs. What it says is for people: a shared machine proves no time."""

import pytest

from tests.bench.running import ran


@pytest.mark.soak
def test_every_tick_prints_its_row():
    head, columns, *lines = ran("automation.py", "tiny")

    assert head == "4 tables of 30 days, eager() on all"
    assert columns.split() == ["tick", "CPU", "s", "evaluated", "requested"]
    evaluated = {line[:34].strip(): int(line.split()[-2]) for line in lines if not line.startswith("peak memory")}
    assert evaluated["idle"] == 0
    assert evaluated["2 tables updated"] >= 2
