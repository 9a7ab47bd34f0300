"""The bench of backfills runs on some days: five ways make the same tables, and each has its row."""

import json

from tests.bench.running import ran

WAYS = [
    "deltaworks, one partition a call",
    "deltaworks, in ranges",
    "deltaworks, in ranges, durable = false",
    "plain loop, one commit a partition",
    "plain script, one commit a table",
]


def test_five_ways_make_the_same_tables_and_print_a_row_each():
    machine, *rounds, columns, first, second, third, fourth, fifth, wall = ran("backfill.py", "tiny")

    assert set(json.loads(machine)) == {"python", "deltaworks", "polars", "deltalake", "pandera"}
    assert [json.loads(each)["way"] for each in rounds] == WAYS
    assert columns.split() == ["way", "CPU", "s", "wall", "s", "peak", "MiB", "/", "loop", "/", "script"]
    rows = {
        line[:40].rstrip(): [float(each) for each in line[40:].split()]
        for line in (first, second, third, fourth, fifth)
    }
    assert list(rows) == WAYS
    assert all(len(row) == 5 and min(row) > 0 for row in rows.values())
    assert rows["plain loop, one commit a partition"][-2] == 1, "the loop beside itself"
    assert wall.startswith("wall of the whole command, in ranges / script: ")
