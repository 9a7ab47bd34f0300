"""The bench of what is larger than memory runs on little, and both ways write the same rows."""

import json

import pytest

from tests.bench.running import ran


@pytest.mark.soak
def test_polars_and_the_engine_write_the_same_rows():
    plain, ours, peaks, rows, throughput = ran("large.py", "2e6", "1000")

    assert [json.loads(each)["way"] for each in (plain, ours)] == [
        "Polars' partitioned sink",
        "deltaworks within 1000 MB",
    ]
    assert peaks.endswith(" MiB, of which the engine's were held to 1,000 MB")
    assert rows.endswith("30 partitions")
    assert throughput.startswith("throughput against Polars' sink: ")
