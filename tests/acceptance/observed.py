"""Projects that read what has no log: a folder with a file a day, and an API that tells versions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.acceptance.conftest import Project

SETTINGS = 'lake = "./lake"\nmodules = ["tables"]\n'

FILES = """
from typing import Annotated
import pandera.polars as pa
import polars as pl
import deltaworks as dw
from deltaworks import LazyFrame

days = dw.DailyPartitions(start="2013-01-01", end="2013-03-01")

class Trip(pa.DataFrameModel):
    day: pl.Date
    n: int

trips = dw.file_source("trips", "data/**/*.csv", partitions=days, key=r"(\\d{4}-\\d\\d-\\d\\d)", group="raw")

@dw.asset(partitions=days, partition_by="day")
def rides(trips: pl.LazyFrame) -> LazyFrame[Trip]:
    return pl.concat(pl.scan_csv(path, try_parse_dates=True) for path in trips.collect()["path"])

@dw.asset(partitions=days, partition_by="day")
def trailing(
    rides: Annotated[LazyFrame[Trip], dw.Input(mapping=dw.TimeWindowMapping(start_offset=-1))],
    partition: dw.Partition,
) -> LazyFrame[Trip]:
    return rides.select(pl.lit(partition.start).alias("day"), pl.col("n").sum()).head(1)
"""

API = """
import json
import pathlib
import polars as pl
import deltaworks as dw

keys = dw.StaticPartitions([str(n) for n in range(300)])
HERE = pathlib.Path(__file__).parent

@dw.observable_source(partitions=keys)
def api(log: dw.Logger):
    log.info("the API was asked")
    return json.loads((HERE / "api.json").read_text())

@dw.observable_source
def rates():
    return (HERE / "rates.txt").read_text()

@dw.asset(partitions=keys, partition_by="partition", backfill=dw.BackfillPolicy.ranges(max_partitions=100))
def calls(api: pl.LazyFrame) -> pl.LazyFrame:
    return api.select("partition", "version")

@dw.asset
def converted(rates: pl.LazyFrame) -> pl.LazyFrame:
    return rates.select("version")

@dw.asset
def other() -> pl.LazyFrame:
    return pl.LazyFrame({"n": [1]})
"""


def lay_out_files(project: Project) -> Project:
    project.write("deltaworks.toml", SETTINGS)
    project.write("tables.py", FILES)
    for number in range(1, 32):
        put(project, f"2013-01-{number:02}", number)
    return project


def lay_out_service(project: Project) -> Project:
    project.write("deltaworks.toml", SETTINGS)
    project.write("tables.py", API)
    answer(project, {str(number): 1 for number in range(300)})
    project.write("rates.txt", "v1")
    return project


def put(project: Project, day: str, n: int, name: str = "trips.csv") -> Path:
    folder = project.folder / "data" / day[:7]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{day} {name}"
    path.write_text(f"day,n\n{day},{n}\n", encoding="utf-8")
    return path


def answer(project: Project, versions: object) -> None:
    project.write("api.json", json.dumps(versions))


def totals(result: Any) -> tuple[int, int, int, int]:
    return tuple(result.json["totals"][name] for name in ("materialized", "failed", "skipped", "commits"))  # type: ignore[return-value]


def counts(project: Project, asset: str) -> tuple[int, int, int]:
    found = project.status()[asset]["partitions"]
    assert found["total"] == found["fresh"] + found["stale"] + found["missing"]
    assert (found["external"], found["failed"]) == (0, 0)
    return found["fresh"], found["stale"], found["missing"]


def ranges(project: Project, asset: str, word: str) -> list[tuple[list[str], list[str]]]:
    """The ranges of an asset with a status, each with its causes."""
    found = project.status("--partitions")[asset]["ranges"]
    return [
        (bounds, each["causes"]) for each in found if each["status"] == word for bounds in each["partitions"]["ranges"]
    ]


def observed(result: Any) -> dict[str, dict[str, Any]]:
    return {each["asset"]: each for each in result.json["observed"]}
