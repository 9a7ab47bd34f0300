"""The bench of ops runs, and its rows come out. What they say is for people: a shared machine proves no time."""

from tests.bench.running import ran


def test_every_case_prints_its_row():
    head, columns, *lines = ran("ops.py", "tiny")

    assert head.startswith("CPU of 20 ops that do nothing")
    assert columns.split() == ["what", "lake", "compose", "ms/op", "run", "ms/op"]
    assert [line.split()[:2] for line in lines] == [
        [name, lake] for name in ("side_by_side", "chain", "fan_out") for lake in ("no", "yes")
    ]
    assert all(float(figure) >= 0 for line in lines for figure in line.split()[2:])
