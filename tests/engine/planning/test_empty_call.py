"""Empty call: which functions are left alone, and that nothing of a rehearsal gets out."""

from __future__ import annotations

import logging
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

import deltaworks as dw
from deltaworks import DataFrame, LazyFrame
from tests.engine.planning.flown import Daily, Flight, check, findings


def test_dynamic_partitions_without_keys_are_rehearsed_with_one() -> None:
    @dw.asset(partitions=dw.DynamicPartitions("airport"), partition_by="carrier")
    def by_airport(flights: LazyFrame[Flight], partition: dw.Partition) -> pl.LazyFrame:
        return flights.select("day", carrier=pl.lit(partition.key)).select("nowhere")

    (problem,) = check(by_airport)
    assert "ColumnNotFoundError" in problem.message


def test_a_function_with_a_resource_is_not_called() -> None:
    class Mail(dw.Resource):
        host: str = "localhost"

    @dw.asset
    def daily(flights: LazyFrame[Flight], mail: Mail) -> pl.LazyFrame:
        raise AssertionError

    found = findings(daily, mail=Mail())
    assert (found.problems, found.left[daily.key]) == ((), "asks for a resource")


def _first_row(flights: pl.LazyFrame) -> pl.LazyFrame:
    return flights.filter(pl.col("delay") > flights.collect().row(0)[2])


def _from_rows(flights: pl.LazyFrame) -> pl.LazyFrame:
    return pl.LazyFrame([{"name": row[1]} for row in flights.collect().iter_rows()])


def _typed_by_rows(flights: pl.LazyFrame) -> pl.LazyFrame:
    return pl.LazyFrame({"name": [row[1] for row in flights.collect().iter_rows()]})


def _needs_a_file(flights: pl.LazyFrame) -> pl.LazyFrame:
    return flights.join(pl.scan_parquet("/nowhere/x.parquet"), on="carrier")


def _greatest(flights: pl.LazyFrame) -> pl.LazyFrame:
    return flights.filter(pl.col("delay") > flights.collect()["delay"].max() / 2)


def _leaves(flights: pl.LazyFrame) -> pl.LazyFrame:
    sys.exit(3)


def _pivots(flights: pl.LazyFrame) -> pl.LazyFrame:
    return flights.collect().pivot(on="carrier", index="day", values="delay").lazy().select("AA")


def _returns_early(flights: pl.LazyFrame) -> pl.LazyFrame:
    df = flights.collect()
    return pl.LazyFrame({"sorry": [1]}) if df.is_empty() else df.lazy()


def _writes(flights: pl.LazyFrame) -> pl.LazyFrame:
    flights.sink_csv("x.csv")
    return flights


def _counts_in_python(flights: pl.LazyFrame) -> pl.LazyFrame:
    return flights.select(pl.col("delay").map_batches(_halved, return_dtype=pl.Float64))


def _halved(values: pl.Series) -> pl.Series:
    return pl.Series([values[0] / 2])


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (_first_row, "fails without rows: OutOfBoundsError"),
        (_from_rows, "takes values out of rows"),
        (_typed_by_rows, "takes values out of rows"),
        (_pivots, "takes values out of rows"),
        (_returns_early, "takes values out of rows"),
        (_needs_a_file, "reads what is not there: FileNotFoundError: "),
        (_greatest, "fails without rows: TypeError: unsupported operand"),
        (_counts_in_python, "fails without rows: IndexError: index 0 is out of bounds"),
        (_leaves, "fails without rows: SystemExit: 3"),
        (_writes, "does what is not to be rehearsed (sink_csv)"),
    ],
)
def test_a_body_that_needs_rows_or_files_is_left_alone(
    body: Callable[[pl.LazyFrame], pl.LazyFrame], reason: str
) -> None:
    @dw.asset
    def daily(flights: LazyFrame[Flight]) -> pl.LazyFrame:
        return body(flights)

    @dw.asset
    def after(daily: pl.LazyFrame) -> pl.LazyFrame:
        return daily.select("nothing is known of it")

    found = findings(daily, after)
    assert found.problems == ()
    assert found.left[daily.key].startswith(reason)


def test_a_body_that_collects_and_stays_in_polars_is_checked() -> None:
    @dw.asset
    def daily(flights: DataFrame[Flight]) -> LazyFrame[Daily]:
        return flights.lazy().collect().select("day").lazy()

    (problem,) = check(daily)
    assert problem.message == "the result of daily: column 'delay' is missing; Daily declares it as Float64."


def test_an_interrupt_ends_the_check() -> None:
    @dw.asset
    def daily(flights: LazyFrame[Flight]) -> pl.LazyFrame:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check(daily)
    assert pl.LazyFrame({"a": [1]}).collect().write_csv() == "a\n1\n"


def _opens(_: pl.LazyFrame, path: Path) -> None:
    path.write_text("x")


def _makes_a_folder(_: pl.LazyFrame, path: Path) -> None:
    path.mkdir()


def _writes_parquet(lf: pl.LazyFrame, path: Path) -> None:
    lf.collect().write_parquet(path)


def _sinks(lf: pl.LazyFrame, path: Path) -> None:
    pl.collect_all([lf.sink_csv(path, lazy=True)])


def _starts(_: pl.LazyFrame, path: Path) -> None:
    subprocess.run(["touch", str(path)], check=True)


@pytest.mark.parametrize("write", [_opens, _makes_a_folder, _writes_parquet, _sinks, _starts])
def test_nothing_is_written(write: Callable[[pl.LazyFrame, Path], None], tmp_path: Path) -> None:
    @dw.asset
    def daily(flights: LazyFrame[Flight]) -> pl.LazyFrame:
        write(flights, tmp_path / "x")
        return flights

    assert check(daily) == ()
    assert list(tmp_path.iterdir()) == []
    write(pl.LazyFrame({"a": [1]}), tmp_path / "x")  # afterwards, everything may be written again
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_nothing_is_printed_or_logged(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    @dw.asset
    def daily(flights: LazyFrame[Flight], log: dw.Logger) -> pl.LazyFrame:
        print("out")
        print("err", file=sys.stderr)
        log.warning("careful")
        logging.getLogger("mine").error("broken")
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        return flights.select(pl.col("delay").map_batches(_loud, return_dtype=pl.Float64))

    assert check(daily) == ()
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []
    logging.getLogger("mine").error("heard again")
    assert [record.message for record in caplog.records] == ["heard again"]


def _loud(values: pl.Series) -> pl.Series:
    print("loud")
    return values
