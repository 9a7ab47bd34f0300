"""The bench of commits runs, and has a row for each hundred of them."""

from tests.bench.running import ran


def test_a_hundred_commits_print_a_row():
    columns, row = ran("commits.py", "100")

    assert columns.split() == ["commits", "engine", "ms", "bare", "ms", "engine", "/", "bare"]
    commits, *figures = row.split()
    assert commits == "100"
    assert len(figures) == 3
    assert all(float(each) > 0 for each in figures)
