"""What loading code locations costs: `make bench`.

A thousand assets in ten locations, each with a model and most with an upstream, some of them in other locations. They
are loaded for the first time, loaded again with nothing changed, and with one location changed. What importing the same
number of locations with one asset each costs is taken off. `locations.py tiny` does it with next to nothing.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from measure import Measurement, measure
from rows import Row, keep, measured

_HEAD = """
import deltaworks as dw
import pandera.polars as pa
import polars as pl

days = dw.DailyPartitions(start="2013-01-01")

class Row(pa.DataFrameModel):
    day: pl.Date
    name: str = pa.Field(str_length={"min_value": 1})
    value: float = pa.Field(ge=0)
"""

_ASSET = """
@dw.asset(partitions=days, partition_by="day")
def {name}({upstream}) -> dw.LazyFrame[Row]:
    return {body}
"""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much there is."""

    locations: int = 10
    assets: int = 100
    """Of each."""
    alone: int = 500
    """Assets of one more location, in a workspace of its own."""


def main() -> None:
    """Print a row for each way to load."""
    sizes = Sizes(2, 2, 5) if sys.argv[1:] == ["tiny"] else Sizes()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        bare = _load(_workspace(root / "bare", Sizes(sizes.locations, 1)))
        full = _workspace(root / "full", sizes)
        first, again = _load(full), _load(full)
        with (full / "place0" / "tables0.py").open("a", encoding="utf-8") as file:
            file.write("# changed\n")
        changed = _load(full)
        alone = _workspace(root / "alone", Sizes(1, sizes.alone))
        alone_first, alone_again = _load(alone), _load(alone)
    print(f"{sizes.locations} locations of {sizes.assets} assets{'':20}{'CPU s':>8}{'wall s':>8}{'a location':>12}")
    for name, found in (
        ("one asset each, loaded", bare),
        ("loaded", first),
        ("again", again),
        ("one changed", changed),
        (f"one location of {sizes.alone}, loaded", alone_first),
        (f"one location of {sizes.alone}, again", alone_again),
    ):
        print(f"{name:46}{found.cpu_s:8.2f}{found.wall_s:8.2f}")
        keep(Row("load code locations", name, measured(found), sizes={"locations": sizes.locations}))
    beyond = (first.cpu_s - bare.cpu_s) / sizes.locations
    print(f"{'beyond imports':46}{'':16}{max(0.0, beyond):12.3f}")


def _workspace(folder: Path, sizes: Sizes) -> Path:
    """Write the code and the settings of a workspace."""
    sections = ['lake = "./lake"']
    for place in range(sizes.locations):
        own = folder / f"place{place}"
        own.mkdir(parents=True)
        own.joinpath(f"tables{place}.py").write_text(
            _HEAD + "".join(_asset(place, number) for number in range(sizes.assets)), encoding="utf-8"
        )
        sections.append(
            f'[[locations]]\nname = "place{place}"\nmodules = ["tables{place}"]\nworking_directory = "place{place}"'
        )
    folder.joinpath("deltaworks.toml").write_text("\n".join(sections), encoding="utf-8")
    return folder


def _asset(place: int, number: int) -> str:
    """Return an asset that reads the one before it; the first of a location that of the location before."""
    if number == 0 and place == 0:
        body = 'pl.LazyFrame(schema={"day": pl.Date, "name": pl.String, "value": pl.Float64})'
        return _ASSET.format(name="t0_0", upstream="", body=body)
    read = f"t{place}_{number - 1}" if number else f"t{place - 1}_0"
    return _ASSET.format(name=f"t{place}_{number}", upstream=f"{read}: dw.LazyFrame[Row]", body=read)


def _load(folder: Path) -> Measurement:
    command = [sys.executable, "-m", "deltaworks", "list", "locations", "--json"]
    return measure(command, folder, {"XDG_CACHE_HOME": str(folder / "cache"), "POLARS_MAX_THREADS": "1"})


if __name__ == "__main__":
    main()
