"""The bench of steps runs, and its rows come out. What they say is for people: a shared machine proves no time."""

from tests.bench.running import ran


def test_the_engine_and_polars_alone_have_a_row_each():
    head, columns, *lines = ran("steps.py", "tiny")

    assert head.startswith("CPU of 22 steps")
    assert columns.split() == ["what", "ms/step"]
    assert [line[:44].strip() for line in lines] == [
        "deltaworks backfill",
        "the same frames and files by Polars alone",
        "what the engine takes beyond that",
    ]
