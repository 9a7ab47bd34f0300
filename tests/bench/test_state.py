"""The bench of states runs, and its rows come out. What they say is for people: a shared machine proves no time."""

import pytest

from tests.bench.running import ran

BY_STATES = {
    "status, no index",
    "status",
    "status --partitions",
    "status --partitions, all stale",
    "plan, all stale",
    "plan, all missing",
    "status, one commit after the index",
    "status, every other hour remade at the root",
    "plan, every other hour remade at the root",
}
BY_COMMITS = {"status of one-hour commits, no index", "status of one-hour commits"}
BY_ASSETS = {
    "check (no lake)",
    "list (loads the project)",
    "status of daily tables, no index",
    "status of daily tables",
}


@pytest.mark.soak
def test_every_case_prints_its_row_and_size():
    head, columns, *lines = ran("state.py", "tiny")

    rows = {line[:44].rstrip(): (line[44:63].strip(), line[63:].split()) for line in lines}
    assert head.startswith("CPU beyond that of the imports")
    assert columns.split() == ["what", "size", "CPU", "s", "peak", "MiB", "ratio"]
    assert {name: size for name, (size, _) in rows.items()} == (
        dict.fromkeys(BY_STATES, "240 states")
        | dict.fromkeys(BY_COMMITS, "3 commits")
        | dict.fromkeys(BY_ASSETS, "4 x 30 days")
    )
    assert all(float(cpu_s) >= 0 and float(peak_mib) > 1 for _, (cpu_s, peak_mib) in rows.values())
