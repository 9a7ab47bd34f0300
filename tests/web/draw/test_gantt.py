"""Where steps stand on the axis of their run."""

import pytest

from deltaworks.web.draw.gantt import HEAD, ROW, Span, draw_gantt, tick_step


@pytest.mark.parametrize(
    ("length_s", "step_s"),
    [
        (0.001, 0.01),
        (0.08, 0.02),
        (6.9, 1),
        (7.1, 2),
        (68, 10),
        (3600, 600),
        (90_000, 14400),
        (1e6, 172800),
    ],
)
def test_an_axis_has_few_round_ticks(length_s, step_s):
    assert tick_step(length_s) == step_s


@pytest.mark.parametrize(
    ("span", "goes_on", "wait", "bar"),
    [
        (Span("a", "success", 0, 0, 10), False, None, (100, 1000)),
        (Span("a", "success", 2, 4, 9), False, (300, 500), (500, 500)),
        (Span("a", "success", 4, 4, 4), False, None, (500, 2)),
        (Span("a", "success", 10, 10, 10), False, None, (1100, 2)),
        (Span("a", "running", 1, 5, None), True, (200, 600), (600, 500)),
        (Span("a", "queued", 3, None, None), True, (400, 1100), None),
        (Span("a", "not run", 3, None, None), False, None, None),
    ],
)
def test_a_step_waits_and_works_where_it_did(span, goes_on, wait, bar):
    found = draw_gantt([span], 10, goes_on=goes_on, left=100, width=1108).rows[0]

    assert (found.wait, found.bar) == (wait, bar)


def test_rows_stand_one_below_the_other_and_now_at_the_end():
    drawn = draw_gantt([Span(name, "running", 0, 1, None) for name in "abc"], 20, goes_on=True, left=100, width=508)

    assert [row.y for row in drawn.rows] == [HEAD + ROW * (place + 0.5) for place in range(3)]
    assert drawn.now_x == 500
    assert drawn.ticks == ((100, 0), (200, 5), (300, 10), (400, 15), (500, 20))
    assert drawn.height > drawn.rows[-1].y + ROW / 2


def test_a_text_that_does_not_fit_to_the_right_stands_to_the_left():
    spans = [Span("a", "success", 0, 0, 1, "1 s"), Span("b", "failed", 8, 9, 10, "1 s, it failed " * 4)]

    early, late = draw_gantt(spans, 10, goes_on=False, left=100, width=1108).rows

    assert (early.text_x, early.is_text_left) == (188, False)
    assert (late.text_x, late.is_text_left) == (732, True)


def test_beside_a_bar_that_ends_last_there_is_room_for_what_is_told():
    [row] = draw_gantt([Span("a", "success", 0, 0, 10, "1 min 12 s, 35 of 92")], 10, goes_on=False).rows

    assert not row.is_text_left


def test_what_lasts_longer_than_its_run_makes_the_axis_longer():
    found = draw_gantt([Span("a", "success", 0, 0, 30)], 10, goes_on=False, left=100, width=1108)

    assert found.rows[0].bar == (100, 1000)
    assert found.ticks[-1][1] == 30


def test_a_run_without_steps_is_an_empty_axis():
    assert draw_gantt([], 0, goes_on=False).rows == ()
