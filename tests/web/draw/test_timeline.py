"""Where runs stand on the time line."""

import datetime as dt

from deltaworks.web.draw.timeline import HEAD, LANE, LEAST, Bar, Stretch, draw_timeline

NOON = dt.datetime(2024, 1, 1, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


def drawn(*stretches: tuple[str, float, float]):
    """A line of ten hours up to noon, a hundred pixels each; times are hours before noon."""
    found = [Stretch(name, NOON - start * HOUR, NOON - end * HOUR) for name, start, end in stretches]
    return draw_timeline(found, NOON - 10 * HOUR, NOON, 3 * HOUR, left=100, width=1100)


def test_a_run_stands_where_it_ran_and_one_of_a_second_is_seen():
    found = drawn(("a", 4, 2), ("b", 5, 4.9999))

    assert found.bars == (Bar(700, HEAD, 200), Bar(600, HEAD + LANE, LEAST))
    assert [name for name, _ in found.names] == ["a", "b"]
    assert found.height == HEAD + 2 * LANE


def test_what_ended_a_moment_ago_stays_on_the_line():
    assert drawn(("a", 0.001, 0)).bars == (Bar(1100 - LEAST, HEAD, LEAST),)


def test_what_runs_at_once_has_lanes_and_what_follows_comes_back_to_the_first():
    found = drawn(("a", 6, 3), ("a", 5, 4), ("a", 2, 1), ("b", 1, 0))

    assert [bar.y for bar in found.bars if bar is not None] == [HEAD, HEAD + LANE, HEAD, HEAD + 2 * LANE]
    assert dict(found.names)["b"] > dict(found.names)["a"] + LANE


def test_what_began_earlier_begins_with_the_line_and_what_ended_earlier_is_not_on_it():
    found = drawn(("a", 20, 9), ("b", 20, 11))

    assert found.bars == (Bar(100, HEAD, 100), None)


def test_ticks_stand_on_round_instants_and_leave_room_for_their_words():
    found = drawn(("a", 1, 0))

    assert [at.hour for _, at in found.ticks] == [3, 6, 9]
    assert [x for x, _ in found.ticks] == [200, 500, 800]


def test_without_runs_there_is_an_axis():
    assert drawn().height == HEAD
