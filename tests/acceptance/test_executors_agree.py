"""The example makes the same tables on threads and in processes."""

from __future__ import annotations

from pathlib import Path

from polars.testing import assert_frame_equal

import deltaworks as dw
from tests.acceptance.conftest import Here, copy_example


def test_processes_make_what_threads_make(tmp_path: Path) -> None:
    on_threads, in_processes = (Here(copy_example(tmp_path / name).folder) for name in ("threads", "processes"))
    asked = ("--from", "2013-01-01", "--to", "2013-01-10", "--json")

    expected = on_threads.run("backfill", *asked, "--executor", "threads").json
    made = in_processes.run("backfill", *asked, "--executor", "processes")

    assert made.code == 0, made.err
    assert made.json["totals"]["materialized"] == expected["totals"]["materialized"] > 20
    for asset in on_threads.status():
        a, b = (dw.read(asset, lake=project.lake).collect() for project in (on_threads, in_processes))
        assert_frame_equal(a, b, check_row_order=False)
    statuses = [
        {asset: each["partitions"] for asset, each in project.status().items()}
        for project in (on_threads, in_processes)
    ]
    assert statuses[0] == statuses[1]
