"""The bench of commits runs, and has a row for each hundred of them and for each way to do a whole job."""

from tests.bench.running import ran


def test_a_hundred_commits_and_both_jobs_print_a_row():
    columns, row, head, _, *jobs, ratio = ran("commits.py", "100", "8")

    assert columns.split() == ["commits", "engine", "ms", "bare", "ms", "engine", "/", "bare"]
    commits, *figures = row.split()
    assert commits == "100"
    assert len(figures) == 3
    assert all(float(each) > 0 for each in figures)
    assert head.startswith("CPU of 8 partitions")
    assert [line[:44].strip() for line in jobs] == [
        "deltaworks backfill, validated",
        "a bare loop, one compare-and-swap each",
    ]
    assert ratio.startswith("ratio: ")
