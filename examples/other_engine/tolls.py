# mypy: ignore-errors
# pyright: basic, reportMissingImports=false, reportAttributeAccessIssue=false
"""Tables of which one is computed by Daft, on its local runner: `pip install daft`, then `deltaworks backfill`.

The engine hands out a folder, Daft writes Parquet into it, and what lies there is cut, checked and committed as if the
function had returned the rows. With `daft.set_runner_ray(...)` the same function works on a cluster of machines, if the
lake lies in an object store that all of them reach.
"""

import datetime as dt

import pandera.polars as pa
import polars as pl

import deltaworks as dw
from deltaworks import LazyFrame

days = dw.DailyPartitions(start="2024-03-01", end="2024-03-08")


class Passage(pa.DataFrameModel):
    """A car at a toll gate."""

    day: pl.Date
    gate: str
    toll: float = pa.Field(ge=0)


class GateDay(pa.DataFrameModel):
    """What a gate took on a day."""

    day: pl.Date
    gate: str = pa.Field(str_matches=r"^[A-Z]$")
    passages: int = pa.Field(gt=0)
    tolls: float = pa.Field(ge=0)


@dw.asset(partitions=days, partition_by="day")
def passages(partition: dw.Partition) -> LazyFrame[Passage]:
    """A hundred cars a day, at four gates."""
    number = pl.int_range(100, eager=True)
    gate = pl.Series(list("ABCD")).gather(number % 4)
    day = dt.date.fromisoformat(partition.key)
    return pl.LazyFrame({"gate": gate, "toll": (number % 7).cast(pl.Float64) + 0.5}).select(
        pl.lit(day).alias("day"), "gate", "toll"
    )


@dw.asset(partitions=days, partition_by="day")
def gate_days(passages: LazyFrame[Passage], staging: dw.Staging) -> dw.StagedFiles[GateDay]:
    """What each gate took, computed and written by Daft."""
    import daft  # noqa: PLC0415 - only this function needs it
    from daft import col  # noqa: PLC0415

    # A table that is larger than memory Daft reads by itself: daft.read_deltalake(...), or daft.read_parquet(...).
    table = daft.from_arrow(passages.collect().to_arrow())
    counted = table.groupby("day", "gate").agg(
        col("toll").count().cast("int64").alias("passages"), col("toll").sum().alias("tolls")
    )
    counted.write_parquet(staging.folder)
    return dw.StagedFiles([staging.folder])
