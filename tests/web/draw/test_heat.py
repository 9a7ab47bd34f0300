"""Maps of partitions: every partition is in one cell, and the worst of a cell shows."""

import datetime as dt

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import deltaworks as dw
from deltaworks.errors import RequestError
from deltaworks.web.draw.grids import by_hour, by_year, in_order
from deltaworks.web.draw.heat import Grid, Shade, bars, cell_bytes, draw_heat, worst_cells
from deltaworks.web.views.partitions import cell_keys, heat_view, lay_out

F, S, X, M = Shade.FRESH, Shade.STALE, Shade.FAILED, Shade.MISSING


def shades(*values: int) -> pl.Series:
    return pl.Series(values, dtype=pl.UInt8)


def days(first: str, last: str) -> pl.Series:
    return pl.date_range(dt.date.fromisoformat(first), dt.date.fromisoformat(last), eager=True)


@pytest.mark.parametrize(
    ("day", "column"),
    [
        *[("2023-01-01", 0), ("2023-02-28", 58), ("2024-02-29", 59), ("2023-03-01", 60), ("2024-03-01", 60)],
        *[("2023-12-31", 365), ("2024-12-31", 365), ("2100-03-01", 60), ("2000-02-29", 59)],
    ],
)
def test_the_same_day_of_all_years_stands_in_one_column(day, column):
    assert by_year(days(day, day)).places.to_list() == [column]


def test_years_stand_below_each_other_the_latest_first():
    grid = by_year(days("2023-12-31", "2024-01-01"))

    assert grid.rows == ("2024", "2023")
    assert grid.places.to_list() == [366 + 365, 0]


def test_an_hour_that_the_clock_shows_twice_shares_a_cell():
    hours = dw.HourlyPartitions(start="2013-11-03", end="2013-11-04", timezone="America/New_York")
    grid, _, noun, _ = lay_out(hours, {})

    assert (hours.size, grid.columns, noun) == (25, 24, "")
    assert grid.places.n_unique() == 24
    assert cell_keys(hours, grid, None)[1] == ("2013-11-03T01:00-04:00", "2013-11-03T01:00-05:00")


def test_of_many_days_of_hours_a_cell_is_a_day():
    hours = dw.HourlyPartitions(start="2014-01-01", end="2015-01-01")
    view = heat_view(hours, shades(*[F] * (hours.size - 1), S), {})

    assert (view.cell_noun, view.map.cells, view.counts.total) == ("day", 365, 8760)
    assert view.map.rows[0].fresh == pytest.approx(364 / 365)


@given(st.lists(st.sampled_from([F, S, X, M]), min_size=1, max_size=300), st.integers(1, 40))
def test_bars_cover_each_cell_once_with_its_shade(values, columns):
    rows = -(-len(values) // columns)
    places = pl.int_range(len(values), eager=True)
    grid = Grid(columns, ("",) * rows, places)

    covered = {}
    for bar in bars(worst_cells(grid, shades(*values)), columns):
        assert bar.column + bar.length <= columns
        for column in range(bar.column, bar.column + bar.length):
            assert covered.setdefault(bar.row * columns + column, bar.shade) is bar.shade

    assert [covered[place] for place in range(len(values))] == values


def test_neighbours_of_a_shade_are_one_bar_and_failures_are_taller():
    grid = Grid(3, ("a", "b"), pl.Series([0, 1, 2, 3]), cell_width=10, cell_height=15, row_gap=4)

    drawn = draw_heat(grid, shades(F, F, X, F), 100)

    assert dict(drawn.paths) == {"fresh": "M0 0h20v15h-20zM0 19h10v15h-10z", "failed": "M20 -2h10v19h-10z"}
    assert (drawn.width, drawn.height, drawn.cells) == (30, 34, 4)


def test_the_worst_shows_where_partitions_share_a_cell():
    grid = Grid(2, ("",), pl.Series([0, 0, 0, 1]))

    assert cell_bytes(grid, shades(F, X, S, F)) == bytes([X, F])


def test_a_map_of_very_many_cells_is_painted_and_not_drawn():
    values = dw.StaticPartitions([f"k{number}" for number in range(20_000)])

    view = heat_view(values, shades(*[F] * 20_000), {})

    assert (view.is_drawn, view.map.paths, view.map.columns) == (False, (), 368)


def multi() -> dw.MultiPartitions:
    return dw.MultiPartitions(
        {
            "day": dw.DailyPartitions(start="2024-01-01", end="2024-01-04"),
            "region": dw.StaticPartitions(["eu", "us"]),
            "kind": dw.StaticPartitions(["a", "b"]),
        }
    )


def test_partitions_of_many_dimensions_are_cut_by_two_of_them():
    found = multi()
    values = shades(
        *[
            S if key == "day=2024-01-02,region=us,kind=b" else F
            for key in found.keys(pl.int_range(found.size, eager=True)).to_list()
        ]
    )

    whole = heat_view(found, values, {})
    cut = heat_view(found, values, {"x": "region", "y": "day", "kind": "a"})

    assert (whole.pivot.x, whole.pivot.y, whole.map.cells) == ("day", "region", 6)
    assert dict(whole.map.paths).keys() == {"fresh", "stale"}
    assert cut.pivot.others == (("kind", "a", ("a", "b")),)
    assert (cut.counts.total, dict(cut.map.paths).keys()) == (6, {"fresh"})
    with pytest.raises(RequestError, match="no dimension 'colour'"):
        heat_view(found, values, {"x": "colour"})
    with pytest.raises(RequestError, match="no value 'c'"):
        heat_view(found, values, {"kind": "c"})


@pytest.mark.parametrize("count", [1, 46, 47, 460, 461, 5520, 5521])
def test_values_in_order_have_a_cell_each(count):
    grid = in_order(count)

    assert grid.places.n_unique() == count
    assert grid.places.max() < grid.columns * len(grid.rows)


def test_nothing_is_drawn_of_no_partitions():
    view = heat_view(dw.DynamicPartitions("shops").with_keys(()), shades(), {})

    assert (view.counts.total, view.map.paths, view.sentence) == (0, (), "0 partitions: none")


def test_hours_of_a_day_stand_side_by_side():
    walls = pl.datetime_range(pl.date(2024, 1, 2), pl.date(2024, 1, 3), "1h", closed="left", eager=True)

    assert by_hour(walls).places.to_list() == list(range(24))
