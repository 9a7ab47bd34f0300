"""A part of a map: the partitions between two keys, in cells as large as there is room for."""

import datetime as dt

import polars as pl
import pytest

import deltaworks as dw
from deltaworks.errors import RequestError
from deltaworks.web.draw.heat import Shade
from deltaworks.web.views.partitions import Order, cell_keys, heat_view, last_week, lay_out


def fresh(count: int) -> pl.Series:
    return pl.repeat(int(Shade.FRESH), count, dtype=pl.UInt8, eager=True)


def shown(partitions, asked: dict[str, str]) -> list[str]:
    """The keys on a map, row by row."""
    grid, ordinals, _, _ = lay_out(partitions, asked)
    return [keys[0] for keys in cell_keys(partitions, grid, ordinals) if keys is not None]


def test_some_months_of_days_have_a_row_each():
    days = dw.DailyPartitions(start="2020-01-01", end="2025-01-01")

    view = heat_view(days, fresh(days.size), {"from": "2024-02-28", "to": "2024-04-02"})

    assert [row.label for row in view.map.rows] == ["2024-04", "2024-03", "2024-02"]
    assert view.map.cell_width > 30
    assert (view.counts.total, view.window, view.order) == (35, ("2024-02-28", "2024-04-02"), Order.TIME)
    assert shown(days, {"from": "2024-02-28", "to": "2024-03-01"}) == ["2024-03-01", "2024-02-28", "2024-02-29"]


def test_some_days_of_years_of_hours_show_each_hour():
    hours = dw.HourlyPartitions(start="2014-01-01", end="2016-01-01")

    view = heat_view(hours, fresh(hours.size), {"from": "2014-05-01T00:00Z", "to": "2014-05-02T23:00Z"})

    assert (view.cell_noun, view.map.columns, view.map.cells) == ("", 24, 48)


def test_a_part_of_values_keeps_their_order():
    values = dw.StaticPartitions(["b", "a", "d", "c"])

    assert shown(values, {"from": "a", "to": "c"}) == ["a", "d", "c"]
    assert heat_view(values, fresh(4), {"from": "a", "to": "d"}).order is Order.PLACE


def test_a_part_of_several_dimensions_is_a_box_of_them():
    days = dw.DailyPartitions(start="2024-01-01", end="2024-01-11")
    cube = dw.MultiPartitions({"day": days, "region": dw.StaticPartitions(["eu", "uk", "us"])})
    box = {"from": "day=2024-01-03,region=uk", "to": "day=2024-01-04,region=us"}

    view = heat_view(cube, fresh(cube.size), box)

    assert shown(cube, box) == [
        "day=2024-01-03,region=uk",
        "day=2024-01-04,region=uk",
        "day=2024-01-03,region=us",
        "day=2024-01-04,region=us",
    ]
    assert [row.label for row in view.map.rows] == ["uk", "us"]
    assert next(mark.text for mark in view.map.marks) == "2024-01-03"
    assert (view.counts.total, view.order) == (4, Order.BOX)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"from": "2024-01-01"}, "needs both ends"),
        ({"from": "2024-01-03", "to": "2024-01-02"}, "no partitions from '2024-01-03' to '2024-01-02'"),
        ({"from": "x", "to": "y"}, "no partitions from 'x' to 'y'"),
    ],
)
def test_a_part_that_there_is_not_is_refused(asked, said):
    days = dw.DailyPartitions(start="2024-01-01", end="2024-01-11")

    with pytest.raises(RequestError, match=said):
        heat_view(days, fresh(days.size), asked)


NOW = dt.datetime(2024, 11, 5, 12, tzinfo=dt.UTC)
YORK = "America/New_York"


@pytest.mark.parametrize(
    ("partitions", "week"),
    [
        # The clock was turned back on 3 November: the week is an hour longer.
        (dw.DailyPartitions(start="2024-01-01", end="2025-01-01", timezone=YORK), ("2024-10-29", "2024-11-04")),
        (dw.DailyPartitions(start="2024-11-03", end="2025-01-01"), ("2024-11-03", "2024-11-04")),
        (dw.HourlyPartitions(start="2024-01-01", end="2024-02-01"), ("2024-01-25T00:00Z", "2024-01-31T23:00Z")),
        (dw.WeeklyPartitions(start="2024-01-01", end="2024-02-01"), ("2024-01-21", "2024-01-21")),
        (dw.MonthlyPartitions(start="2024-01-01", end="2025-01-01"), None),
        (dw.DailyPartitions(start="2025-01-01", end="2025-02-01"), None),
        (dw.StaticPartitions(["a"]), None),
        (
            dw.MultiPartitions(
                {"day": dw.DailyPartitions(start="2024-01-01", end="2024-01-11"), "of": dw.StaticPartitions(["a"])}
            ),
            ("2024-01-04", "2024-01-10"),
        ),
    ],
)
def test_the_last_week_ends_with_the_last_window_that_is_over(partitions, week):
    assert last_week(partitions, NOW) == week
