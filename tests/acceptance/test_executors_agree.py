"""The example makes the same tables wherever its functions are called."""

from __future__ import annotations

from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

import deltaworks as dw
from tests.acceptance.conftest import Here, copy_example


@pytest.mark.parametrize("executor", ["processes", "dask"])
def test_they_make_what_threads_make(tmp_path: Path, executor: str) -> None:
    on_threads, elsewhere = (Here(copy_example(tmp_path / name).folder) for name in ("threads", "elsewhere"))
    asked = ("--from", "2013-01-01", "--to", "2013-01-10", "--json")

    expected = on_threads.run("backfill", *asked, "--executor", "threads").json
    made = elsewhere.run("backfill", *asked, "--executor", executor)

    assert made.code == 0, made.err
    assert made.json["totals"]["materialized"] == expected["totals"]["materialized"] > 20
    for asset in on_threads.status():
        a, b = (dw.read(asset, lake=project.lake).collect() for project in (on_threads, elsewhere))
        assert_frame_equal(a, b, check_row_order=False)
    statuses = [
        {asset: each["partitions"] for asset, each in project.status().items()} for project in (on_threads, elsewhere)
    ]
    assert statuses[0] == statuses[1]
