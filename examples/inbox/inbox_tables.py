"""A loop that runs by itself: files land in a folder, are taken in one by one, summed up, and reported every minute.

A file sensor makes a partition of `sales` from every file that lands in `inbox/`. A sensor on the commits of `sales`,
whoever makes them, brings `by_shop` up to date. A schedule writes the report. `make demo-live` shows it for a minute.
"""

from pathlib import Path
from typing import Annotated

import pandera.polars as pa
import polars as pl

import deltaworks as dw
from deltaworks import LazyFrame

HERE = Path(__file__).parent

files = dw.DynamicPartitions("files")


class Sale(pa.DataFrameModel):
    """Something that was sold."""

    file: str
    shop: str
    amount: float = pa.Field(ge=0)


class ShopTotal(pa.DataFrameModel):
    """What a shop has sold so far."""

    shop: str
    sales: int = pa.Field(gt=0)
    amount: float


@dw.asset(partitions=files, partition_by="file")
def sales(partition: dw.Partition) -> LazyFrame[Sale]:
    """The rows of each file; a file that is written anew replaces its own."""
    path = HERE / "inbox" / partition.key
    return pl.scan_csv(path).select(file=pl.lit(partition.key), shop="shop", amount=pl.col("amount").cast(pl.Float64))


@dw.asset
def by_shop(sales: Annotated[LazyFrame[Sale], dw.Input(mapping=dw.AllPartitionsMapping())]) -> LazyFrame[ShopTotal]:
    """Sales and amounts by shop."""
    return sales.group_by("shop").agg(sales=pl.len().cast(pl.Int64), amount=pl.col("amount").sum()).sort("shop")


take_in = dw.define_asset_job("take_in", sales, partitions=files)
sum_up = dw.define_asset_job("sum_up", by_shop, skip_fresh=True)


@dw.op
def report(totals: Annotated[pl.DataFrame, dw.In(asset="by_shop")], log: dw.Logger) -> None:
    """Write what the shops have sold, for people."""
    lines = [f"- {row['shop']}: {row['sales']} sales, {row['amount']:.2f}" for row in totals.iter_rows(named=True)]
    (HERE / "report.md").write_text("# Sales\n\n" + "\n".join(lines) + "\n")
    log.info("reported %d shops", totals.height)


@dw.job
def report_job() -> None:
    """Report what the shops have sold."""
    report()


@dw.file_sensor("inbox/*.csv", job=take_in)
def on_file(arrivals: dw.Arrivals) -> dw.SensorResult:
    """Take in every file that landed, once it is whole."""
    requests = [dw.RunRequest(partition=file.path, run_key=file.run_key) for file in arrivals]
    return dw.SensorResult(requests, add_partitions={files: [file.path for file in arrivals]})


@dw.asset_sensor(asset=sales, job=sum_up)
def on_sales(commits: dw.Commits) -> dw.RunRequest:
    """Sum up what was taken in, or what somebody else has written to the table."""
    return dw.RunRequest(run_key=f"sales-{commits.version}")


every_minute = dw.define_schedule("every_minute", job=report_job, cron="* * * * *")
