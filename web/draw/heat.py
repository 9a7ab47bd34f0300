"""Heat: a map of partitions: a small cell for each, in the colour of its status, a line for each year, day or value.

Where several partitions share a cell, the worst status of them shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum

import polars as pl


class Shade(IntEnum):
    """What a cell shows; the higher, the worse."""

    HOLE = 0
    """No partition."""
    FRESH = 1
    EXTERNAL = 2
    RUNNING = 3
    MISSING = 4
    STALE = 5
    FAILED = 6

    @property
    def word(self) -> str:
        """The shade as pages name it."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Mark:
    """A word above a column, and whether a line divides the map there."""

    column: int
    text: str
    divides: bool = False


@dataclass(frozen=True, slots=True)
class Grid:
    """Which cell each partition is in."""

    columns: int
    rows: tuple[str, ...]
    """The words before them, from top to bottom."""
    places: pl.Series
    """By ordinal, `row * columns + column` (Int64)."""
    marks: tuple[Mark, ...] = ()
    cell_width: float = 3
    cell_height: float = 15
    row_gap: float = 4
    """Between rows; none where there are many."""


@dataclass(frozen=True, slots=True)
class Bar:
    """Neighbouring cells of a row with the same shade."""

    row: int
    column: int
    length: int
    shade: Shade


@dataclass(frozen=True, slots=True)
class HeatRow:
    """One row of a map."""

    label: str
    y: float
    fresh: float
    """Which part of its partitions is fresh, 0 to 1."""


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Where everything of a map is, in pixels from its upper left cell."""

    paths: tuple[tuple[str, str], ...]
    """The path data of SVG for each shade that there is, by its word."""
    rows: tuple[HeatRow, ...]
    marks: tuple[Mark, ...]
    width: float
    height: float
    cell_width: float
    cell_height: float
    row_pitch: float
    columns: int
    cells: int
    """How many there are that are no holes."""


def draw_heat(grid: Grid, shades: pl.Series, most: int) -> HeatMap:
    """Draw a map.

    Args:
        grid: where the partitions are.
        shades: by ordinal, a `Shade` (UInt8).
        most: how many cells may be drawn as paths; of a map with more there are none.
    """
    cells = worst_cells(grid, shades)
    pitch = grid.cell_height + grid.row_gap
    by_row = cells.group_by((pl.col("place") // grid.columns).alias("row")).agg(
        ((pl.col("shade") == int(Shade.FRESH)).sum() / pl.len()).alias("fresh")
    )
    fresh: dict[int, float] = dict(by_row.iter_rows())
    return HeatMap(
        paths=tuple(_paths(grid, bars(cells, grid.columns))) if cells.height <= most else (),
        rows=tuple(HeatRow(label, row * pitch, fresh.get(row, 0.0)) for row, label in enumerate(grid.rows)),
        marks=grid.marks,
        width=grid.columns * grid.cell_width,
        height=max(0.0, len(grid.rows) * pitch - grid.row_gap),
        cell_width=grid.cell_width,
        cell_height=grid.cell_height,
        row_pitch=pitch,
        columns=grid.columns,
        cells=cells.height,
    )


def worst_cells(grid: Grid, shades: pl.Series) -> pl.DataFrame:
    """Return the cells that are no holes, ascending by place. Columns: place, shade."""
    cells = pl.DataFrame({"place": grid.places, "shade": shades})
    return cells.group_by("place").agg(pl.col("shade").max()).sort("place")


def cell_bytes(grid: Grid, shades: pl.Series) -> bytes:
    """Return the map as one byte a cell, row by row: its `Shade`."""
    cells = worst_cells(grid, shades)
    whole = pl.zeros(grid.columns * len(grid.rows), dtype=pl.UInt8, eager=True)
    return bytes(whole.scatter(cells["place"], cells["shade"]).to_list())


def bars(cells: pl.DataFrame, columns: int) -> Iterator[Bar]:
    """Yield neighbouring cells with the same shade together, each row by itself."""
    row = pl.col("place") // columns
    run = pl.struct("shade", (pl.col("place") - pl.int_range(pl.len())).alias("offset"), row.alias("row")).rle_id()
    joined = cells.group_by(run.alias("run"), maintain_order=True).agg(
        pl.col("place").first(), pl.len().alias("length"), pl.col("shade").first()
    )
    for place, length, shade in joined.select("place", "length", "shade").iter_rows():
        yield Bar(place // columns, place % columns, length, Shade(shade))


def _paths(grid: Grid, found: Iterable[Bar]) -> Iterator[tuple[str, str]]:
    by_shade: dict[Shade, list[str]] = {}
    for bar in found:
        # What failed stands out by its form too: it is taller than its row.
        more = min(2.0, grid.row_gap / 2) if bar.shade is Shade.FAILED else 0.0
        x, y = bar.column * grid.cell_width, bar.row * (grid.cell_height + grid.row_gap) - more
        width, height = bar.length * grid.cell_width, grid.cell_height + 2 * more
        by_shade.setdefault(bar.shade, []).append(f"M{x:g} {y:g}h{width:g}v{height:g}h-{width:g}z")
    for shade in sorted(by_shade):
        yield shade.word, "".join(by_shade[shade])
