"""Numbers, sizes, times and durations as people read them."""

import datetime as dt

import pytest

from deltaworks.web import urls, words
from deltaworks.web.draw.spark import draw_spark
from deltaworks.web.views.metrics import odd_ones

NOW = dt.datetime(2024, 3, 1, 12, tzinfo=dt.UTC)


def plain(text: str) -> str:
    return text.replace("\N{NARROW NO-BREAK SPACE}", " ")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0123, "12 ms"),
        (0.9999, "1.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min"),
        (125, "2 min 5 s"),
        (3600, "1 h"),
        (3720, "1 h 2 min"),
        (90000, "1 d 1 h"),
        (-3, "0 ms"),
        (None, "\N{EN DASH}"),
    ],
)
def test_a_duration_has_its_two_largest_units(seconds, text):
    assert plain(words.duration(seconds)) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_949, "999.9 kB"), (999_951, "1.0 MB"), (5e12, "5.0 TB")],
)
def test_a_size_is_read_in_its_unit(size, text):
    assert plain(words.size(size)) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.5, "now"), (59, "59 s ago"), (60, "1 min ago"), (7200, "2 h ago"), (-120, "in 2 min")]
)
def test_how_long_ago_is_told_in_one_unit(seconds, text):
    assert plain(words.ago(NOW - dt.timedelta(seconds=seconds), NOW)) == text


def test_thousands_stand_apart():
    assert plain(words.number(1234567)) == "1 234 567"
    assert plain(words.plural(1, "row")) == "1 row"
    assert plain(words.plural(1000, "row")) == "1 000 rows"


def test_names_are_quoted_in_addresses():
    assert urls.asset("raw/a b?#%", "partitions", "x/../y") == "/assets/raw%2Fa%20b%3F%23%25/partitions/x%2F..%2Fy"
    assert urls.new_backfill(select="a+", from_="2024-01-01", to=None, only="") == (
        "/backfills/new?select=a%2B&from=2024-01-01"
    )


@pytest.mark.parametrize(
    ("numbers", "path", "low"),
    [
        ([], "", None),
        ([5], "M0 4", 0),
        ([0, 10], "M0 70L300 4", 0),
        ([-5, 5], "M0 70L300 4", 0),
        ([0, 0], "M0 70L300 70", 0),
    ],
)
def test_a_line_runs_from_left_to_right_above_zero(numbers, path, low):
    drawn = draw_spark(numbers)

    assert (drawn.path, drawn.low) == (path, low)


def test_what_is_far_from_the_others_is_odd():
    assert odd_ones([100, 101, 99, 100, 20, 100]) == [False] * 4 + [True, False]
    assert odd_ones([1, 2, 3, 4, 5, 6]) == [False] * 6
    assert odd_ones([7, 7, 7, 7, 7]) == [False] * 5
    assert odd_ones([0, 0, 0, 0, 0, 1]) == [False] * 5 + [True]
    assert odd_ones([1, 100]) == [False, False]
