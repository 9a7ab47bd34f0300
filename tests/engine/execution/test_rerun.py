"""A rerun makes a commit again from the same versions, writes to no table, and says what came out otherwise."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable

import deltaworks as dw
from deltaworks.engine.planning.plan import Only
from deltaworks.errors import FilesGone, InvalidSettings, RequestError, VersionGone
from deltaworks.io.table import Table

FIRST, SECOND, THIRD, FOURTH = "2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"
ALL = frozenset({Only.ALL})


def files(work: Any) -> set[str]:
    return {str(path.relative_to(work.folder)) for path in work.folder.rglob("*") if path.is_file()}


def test_everything_comes_out_as_it_was_though_the_lake_has_changed(work: Any) -> None:
    work.n = {FIRST: 5, SECOND: 6, THIRD: 7, FOURTH: 8}
    work.make(only=ALL)
    work.overwrite_outside("numbers", FIRST)
    work.wipe("doubled", SECOND)
    work.roll_back("numbers", 1, THIRD)
    there = files(work)

    found = {
        (name, version): work.rerun(name, version) for name in ("doubled", "window", "total") for version in (1, 2)
    }

    assert {key: (each.is_equal, each.notes, each.failures) for key, each in found.items()} == dict.fromkeys(
        found, (True, (), ())
    )
    assert found["doubled", 1].keys == (FIRST, SECOND, THIRD, FOURTH)
    assert found["doubled", 1].difference.rows_a == 8
    assert files(work) == there, "nothing was written"


def test_a_source_runs_again_and_may_give_something_else(work: Any) -> None:
    assert work.rerun("numbers", 1).is_equal
    work.n = {**work.n, SECOND: 9}

    found = work.rerun("numbers", 1)

    assert not found.is_equal
    assert (found.difference.only_a, found.difference.only_b) == (2, 2)
    assert {each.row["n"] for each in found.difference.samples_b} == {9, 10}
    assert {each.row["day"] for each in found.difference.samples_a} == {dt.date(2024, 1, 2)}
    assert work.rerun("numbers", 1, FIRST, THIRD).is_equal


def test_a_doctored_data_file_is_found_out(work: Any) -> None:
    (file,) = Table.read(work.store, "doubled").files([SECOND])
    path = work.folder / "doubled" / file.path
    pl.read_parquet(path).with_columns(n=pl.col("n") + 1).write_parquet(path)

    found = work.rerun("doubled", 1)

    assert sorted(each.row["n"] for each in found.difference.samples_a) == [3, 5]
    assert sorted(each.row["n"] for each in found.difference.samples_b) == [2, 4]


def test_noise_within_the_tolerance_is_equal(work: Any) -> None:
    (file,) = Table.read(work.store, "total").files([""])
    path = work.folder / "total" / file.path
    pl.read_parquet(path).with_columns(x=pl.col("x") * (1 + 1e-12)).write_parquet(path)

    assert work.rerun("total", 1).is_equal


def test_code_that_has_changed_is_told_and_run(work: Any) -> None:
    @dw.asset(partitions=work.assets[0].partitions, partition_by="day", name="doubled")
    def tripled(numbers: pl.LazyFrame) -> pl.LazyFrame:
        return numbers.with_columns(pl.col("n") * 3)

    work.assets = (work.assets[0], tripled)

    found = work.rerun("doubled", 1)

    (note,) = found.notes
    assert note.startswith("code: tripled changed since; it was 1:")
    assert (found.difference.only_a, found.difference.only_b) == (8, 8)


def test_other_columns_are_told(work: Any) -> None:
    @dw.asset(partitions=work.assets[0].partitions, partition_by="day", name="doubled")
    def more(numbers: pl.LazyFrame) -> pl.LazyFrame:
        return numbers.select("day", pl.col("n") * 2, more=pl.lit("x"))

    work.assets = (work.assets[0], more)

    columns = work.rerun("doubled", 1).difference.columns

    assert (columns.removed, columns.added) == ({"x": pl.Float64()}, {"more": pl.String()})


def test_a_call_that_fails_is_told_for_its_partition(work: Any) -> None:
    @dw.asset(partitions=work.assets[0].partitions, partition_by="day", name="doubled")
    def broken(numbers: pl.LazyFrame, partition: dw.Partition) -> pl.LazyFrame:
        if partition.key == SECOND:
            raise ValueError("not this day")
        return numbers.with_columns(pl.col("n") * 2)

    work.assets = (work.assets[0], broken)

    found = work.rerun("doubled", 1)

    (failure,) = found.failures
    assert failure.startswith("doubled 2024-01-02: ValueError: not this day")
    assert (found.is_equal, found.difference.is_equal, found.difference.rows_a) == (False, True, 6)


def test_partitions_that_the_definition_has_no_more_are_left_out(work: Any) -> None:
    fewer = dw.DailyPartitions(start="2024-01-02", end="2024-01-05")

    @dw.asset(partitions=fewer, partition_by="day")
    def numbers(partition: dw.Partition) -> pl.LazyFrame:
        return pl.LazyFrame({"n": [1, 2]}).select(pl.lit(partition.start).alias("day"), "n", x=pl.col("n") / 3)

    work.assets = (numbers,)

    found = work.rerun("numbers", 1)

    assert (found.keys, found.beyond) == ((SECOND, THIRD, FOURTH), (FIRST,))
    assert found.difference.is_equal


def test_what_is_no_materialization_is_refused(work: Any) -> None:
    work.overwrite_outside("numbers", FIRST)
    work.roll_back("numbers", 1)

    for version, what in (
        (0, "was written by an outside"),
        (2, "was written by an outside"),
        (3, "is a rollback by run"),
    ):
        with pytest.raises(RequestError, match=f"Version {version} of numbers {what}"):
            work.rerun("numbers", version)
    with pytest.raises(VersionGone):
        work.rerun("numbers", 4)


def test_what_the_commit_did_not_make_is_refused(work: Any) -> None:
    work.make("numbers", only=ALL, partitions=[FIRST])

    with pytest.raises(RequestError, match="Version 2 of numbers did not make 2024-01-02"):
        work.rerun("numbers", 2, SECOND)


@pytest.mark.parametrize(
    ("name", "way_out"), [("numbers", "cannot be made again"), ("doubled", "nothing left to compare")]
)
def test_removed_files_are_refused(work: Any, name: str, way_out: str) -> None:
    work.make(only=ALL)
    work.vacuum(name)

    with pytest.raises(FilesGone, match=way_out):
        work.rerun("doubled", 1)


def test_an_upstream_that_was_replaced_is_refused(work: Any) -> None:
    uri = Path(work.store.uri("numbers"))
    df = pl.read_delta(str(uri))
    uri.rename(work.folder / "aside")
    df.write_delta(str(uri), delta_write_options={"partition_by": "day"})
    DeltaTable(str(uri)).create_checkpoint()

    with pytest.raises(RequestError, match="was made from another table of numbers than the one that is there now"):
        work.rerun("doubled", 1)


def test_an_upstream_that_was_not_read_is_refused(work: Any) -> None:
    @dw.asset(partitions=work.assets[0].partitions, partition_by="day", name="doubled")
    def both(numbers: pl.LazyFrame, window: pl.LazyFrame) -> pl.LazyFrame:
        return numbers

    @dw.asset(partitions=work.assets[0].partitions, partition_by="day")
    def window(partition: dw.Partition) -> pl.LazyFrame:
        return pl.LazyFrame({"day": [partition.start]})

    work.assets = (work.assets[0], window, both)

    with pytest.raises(RequestError, match="Version 1 of doubled was not made from window, which its code reads now"):
        work.rerun("doubled", 1)


def test_a_missing_variable_is_refused(work: Any) -> None:
    class Secret(dw.Resource):
        token: str

    @dw.asset(partitions=work.assets[0].partitions, partition_by="day")
    def numbers(partition: dw.Partition, secret: Secret) -> pl.LazyFrame:
        return pl.LazyFrame({"day": [partition.start]})

    class Other(type(work)):  # type: ignore[misc]
        @property
        def definitions(self) -> dw.Definitions:
            return dw.Definitions([numbers], {"secret": Secret(token=dw.EnvVar("TOKEN_OF_A_TEST"))})

    with pytest.raises(InvalidSettings, match="TOKEN_OF_A_TEST, which is not set"):
        Other(work.folder, (numbers,)).rerun("numbers", 1)
