"""The bench of backfills runs on some days: three ways make the same tables, and each has its row."""

import json

from tests.bench.running import ran

WAYS = ["deltaworks", "plain loop, one commit a partition", "plain script, one commit a table"]


def test_three_ways_make_the_same_tables_and_print_a_row_each():
    machine, *rounds, columns, first, second, third = ran("backfill.py", "tiny")

    assert set(json.loads(machine)) == {"python", "polars", "deltalake", "machine"}
    assert [json.loads(each)["way"] for each in rounds] == WAYS
    assert columns.split() == ["way", "CPU", "s", "wall", "s", "peak", "MiB", "engine", "CPU", "/", "this"]
    rows = {line[:40].rstrip(): [float(each) for each in line[40:].split()] for line in (first, second, third)}
    assert list(rows) == WAYS
    assert all(len(row) == 4 and min(row) > 0 for row in rows.values())
    assert rows["deltaworks"][-1] == 1, "the engine beside itself"
