"""The built-in checks, each with data that passes and data that does not, and what they say of it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandera.polars as pa
import polars as pl
import pytest

import deltaworks as dw
from deltaworks import LazyFrame
from deltaworks.io.known_statistics import KnownStatistics
from deltaworks.io.table import Table
from tests.acceptance.checked import KEYS, Sale, Work, days, failures, sales


def told(error: str, key: str = KEYS[-1]) -> str:
    """What a failure says beside what all of them say."""
    return error.removeprefix(f"sales {key}: check ").removesuffix(". Nothing was committed for it.")


def test_a_row_count_is_compared_with_the_median_of_those_before(tmp_path: Path) -> None:
    check = dw.checks.row_count_change(sales, max_change=0.5, trailing=4, blocking=True)
    work = Work(tmp_path, [check], rows=dict(zip(KEYS, [1, 4, 5, 6, 4, 8], strict=True)))
    work.make(*KEYS[:1])
    work.checks = []
    work.make(*KEYS[:5])
    work.checks = [check]

    report = work.make(KEYS[5])

    assert told(failures(report)[KEYS[5]]) == (
        "row_count_change failed: 8 rows, expected 2.25 to 6.75: the median of the 4 partitions 2024-01-02 to "
        "2024-01-05 is 4.5, and max_change is 0.5"
    )
    work.rows[KEYS[5]] = 6
    assert failures(work.make(KEYS[5])) == {}
    found = {each["check"]: each["values"] for each in work.records()[-1]["checks"]["metadata"]}
    assert found["row_count_change"] == {"rows": 6, "compared_partitions": 4, "median_rows": 4.5}


def test_a_row_count_of_nothing_is_one_too(tmp_path: Path) -> None:
    check = dw.checks.row_count_change(sales, blocking=True)
    work = Work(tmp_path, [check], rows=dict.fromkeys(KEYS, 4) | {KEYS[5]: 0})

    assert told(failures(work.make())[KEYS[5]]).startswith(
        "row_count_change failed: 0 rows, expected 2 to 6: the median"
    )


def test_what_has_no_time_is_compared_with_what_it_holds(tmp_path: Path) -> None:
    regions = dw.StaticPartitions(["eu", "us"])

    @dw.asset(partitions=regions, partition_by="region")
    def offices(partition: dw.Partition) -> pl.LazyFrame:
        count = {"eu": 10, "us": len(list(tmp_path.glob("_deltaworks/ledger/runs/*/*"))) * 10}[partition.key]
        return pl.LazyFrame({"n": range(count)}).select(region=pl.lit(partition.key), n="n")

    @dw.asset
    def total(offices: pl.LazyFrame) -> pl.LazyFrame:
        return offices.select("n")

    checks = [
        dw.checks.row_count_change(offices, max_change=0.2, blocking=True),
        dw.checks.row_count_change("total", max_change=0.2, blocking=True),
    ]
    work = Work(tmp_path, checks, (offices, total))

    first, second = work.make(), work.again(names=("offices", "total"))

    assert failures(first) == {}
    assert failures(second) == {
        "us": "offices us: check row_count_change failed: 20 rows, expected 8 to 12: the median of what the partition "
        "holds now is 10, and max_change is 0.2. Nothing was committed for it."
    }


def test_nulls_are_compared_as_a_rate_with_all_rows_before(tmp_path: Path) -> None:
    @dw.asset(partitions=days, partition_by="day", code_version="1")
    def readings(partition: dw.Partition) -> pl.LazyFrame:
        nulls = {KEYS[4]: 4, KEYS[5]: 9}.get(partition.key, 2)
        return pl.LazyFrame({"value": [None] * nulls + [1] * (10 - nulls), "id": range(10)}).select(
            day=pl.lit(partition.start), value="value", id="id"
        )

    check = dw.checks.null_rate_drift(readings, max_change=0.3, trailing=5, blocking=True)

    report = Work(tmp_path, [check], (readings,)).make()

    assert failures(report) == {
        KEYS[5]: f"readings {KEYS[5]}: check null_rate_drift failed: 'value' is null in 90.0% of the rows, expected "
        "0.0% to 54.0%: compared with the 5 partitions 2024-01-01 to 2024-01-05, and max_change is 0.3. Nothing was "
        "committed for it."
    }


def test_a_column_without_a_count_of_nulls_is_named(tmp_path: Path) -> None:
    check = dw.checks.null_rate_drift(sales, ["shop", "price"])

    report = Work(tmp_path, [check]).make(*KEYS[:2])

    assert (
        "ColumnNotFoundError: there is no count of nulls in 'price'; there is in shop, amount"
        in failures(report)[KEYS[1]]
    )


@pytest.mark.parametrize("blocking", [False, True])
def test_each_is_a_warning_unless_it_is_blocking(tmp_path: Path, blocking: bool) -> None:
    check = dw.checks.accepted_values(sales, "shop", ["a"], blocking=blocking)
    work = Work(tmp_path, [check], rows={KEYS[0]: 6})

    report = work.make(KEYS[0])

    sentence = "check accepted_values.shop failed: 2 rows of 'shop' with values that are none of a (samples: b)"
    assert list(failures(report).values()) == (
        [f"sales {KEYS[0]}: {sentence}. Nothing was committed for it."] if blocking else []
    )
    assert work.warnings == ([] if blocking else [f"{KEYS[0]}: {sentence}"])


def test_accepted_values_and_nulls_pass(tmp_path: Path) -> None:
    check = dw.checks.accepted_values(sales, "shop", {"a", "b"}, blocking=True)

    assert failures(Work(tmp_path, [check]).make()) == {}


class Shop(pa.DataFrameModel):
    name: str


def shops(*known: str) -> dw.Asset[..., LazyFrame[Shop]]:
    @dw.asset(code_version="1")
    def shops() -> LazyFrame[Shop]:
        return pl.LazyFrame({"name": known}, schema={"name": pl.String})

    return shops


def test_values_are_looked_up_in_another_asset(tmp_path: Path) -> None:
    check = dw.checks.referential(sales, "shop", "shops", "name", blocking=True)
    work = Work(tmp_path, [check], (sales, shops("a", "b")), rows={KEYS[0]: 4, KEYS[1]: 6})

    fine = work.make()
    work.assets = (sales, shops("a"))
    wrong = work.again(names=("shops", "sales"))

    assert failures(fine) == {}
    assert told(failures(wrong)[KEYS[1]], KEYS[1]) == (
        "referential.shop failed: 2 rows of 'shop' with values that are not in 'name' of shops (samples: b)"
    )


def test_a_lookup_in_a_table_that_is_not_there_yet_finds_nothing(tmp_path: Path) -> None:
    work = Work(tmp_path, [dw.checks.referential(sales, "shop", "shops", "name")], [sales, shops("a", "b")])

    report = work.make(KEYS[0], names=["sales"])

    assert failures(report) == {}
    assert work.warnings == [
        f"{KEYS[0]}: check referential.shop failed: 3 rows of 'shop' with values that are not in 'name' of shops "
        "(samples: a, b)"
    ]


def test_a_lookup_reads_every_partition_of_the_other_asset(tmp_path: Path) -> None:
    @dw.asset(partitions=days, partition_by="day")
    def openings(partition: dw.Partition) -> pl.LazyFrame:
        names = {KEYS[0]: ["b"], KEYS[5]: ["a"]}.get(partition.key, [])
        return pl.LazyFrame({"shop": names}, schema={"shop": pl.String}).select(
            day=pl.lit(partition.start), shop="shop"
        )

    everywhere = dw.checks.referential(sales, "shop", openings, blocking=True)
    so_far = dw.checks.referential(
        sales, "shop", openings, mapping=dw.TimeWindowMapping(start_offset=-9), name="opened", blocking=True
    )

    report = Work(tmp_path, [everywhere, so_far], (sales, openings)).make(workers=2)

    assert list(failures(report)) == list(KEYS[:5]), "shop a is opened on the last day"
    assert all("check opened failed: 2 rows" in error for error in failures(report).values())


def at(day: int, hour: int) -> dt.datetime:
    return dt.datetime(2024, 1, day, hour, tzinfo=dt.UTC)


def test_a_day_s_latest_value_is_fresh_by_the_end_of_the_day(tmp_path: Path) -> None:
    @dw.asset(partitions=dw.DailyPartitions("2024-01-01", "2024-01-05", timezone="UTC"), partition_by="day")
    def events(partition: dw.Partition) -> pl.LazyFrame:
        hours = {1: [1, 23], 2: [1], 3: [], 4: [1]}[partition.start.day]
        times = [at(partition.start.day, hour) for hour in hours]
        return pl.LazyFrame({"at": times}, schema={"at": pl.Datetime("us", "UTC")}).select(
            day=pl.lit(partition.start), at="at"
        )

    check = dw.checks.freshness(events, "at", dt.timedelta(hours=2), blocking=True, now=lambda: at(4, 3))

    report = Work(tmp_path, [check], (events,)).make()

    assert failures(report) == {
        KEYS[1]: f"events {KEYS[1]}: check freshness.at failed: the latest value of 'at' is 2024-01-02 01:00:00+00:00, "
        "23:00:00 before 2024-01-03 00:00 UTC; expected at most 2:00:00. Nothing was committed for it.",
        KEYS[
            2
        ]: f"events {KEYS[2]}: check freshness.at failed: no row has a value in 'at'. Nothing was committed for it.",
    }


@pytest.mark.parametrize(("today", "is_fresh"), [(7, True), (9, False)])
def test_a_whole_table_is_fresh_by_now_and_a_date_counts_as_its_end(tmp_path: Path, today: int, is_fresh: bool) -> None:
    @dw.asset
    def latest(sales: LazyFrame[Sale]) -> pl.LazyFrame:
        return sales.select("day")

    check = dw.checks.freshness("latest", "day", dt.timedelta(days=1), blocking=True, now=lambda: at(today, 12))

    report = Work(tmp_path, [check], (sales, latest)).make()

    assert (failures(report) == {}) is is_fresh


def test_a_schema_that_changes_is_told_by_column(tmp_path: Path) -> None:
    def wide(*columns: pl.Expr) -> dw.Asset[..., pl.LazyFrame]:
        @dw.asset(code_version="1")
        def wide() -> pl.LazyFrame:
            return pl.LazyFrame({"a": [1], "b": [2]}).select(columns)

        return wide

    check = dw.checks.schema_unchanged("wide", blocking=True)
    work = Work(tmp_path, [check], (wide(pl.col("a"), pl.col("b")),))
    first = work.make()
    work.assets = (wide(pl.col("a").cast(pl.String), pl.col("b").alias("c")),)

    second = work.again(names=("wide",))

    assert failures(first) == {}
    assert failures(second) == {
        None: "wide: check schema_unchanged failed: column 'b' is gone; column 'c' is new; column 'a' is String, "
        "expected Int64. Nothing was committed for it."
    }


def test_statistics_are_those_of_the_rows_whoever_wrote_them_and_wherever_they_were_moved(tmp_path: Path) -> None:
    work = Work(tmp_path, rows=dict(zip(KEYS, [0, 1, 3, 4, 5, 6], strict=True)))
    work.make()
    work.append_outside(KEYS[2])  # beside the run's rows: only the files together tell
    day = pl.DataFrame({"day": [dt.date(2024, 1, 4)], "shop": ["z"], "amount": [1]})
    day.write_delta(str(tmp_path / "sales"), mode="overwrite", delta_write_options={"predicate": f"day = '{KEYS[3]}'"})
    table = Table.read(work.store, "sales")

    known = {key: KnownStatistics(table).of(key) for key in KEYS}

    rows = pl.read_delta(str(tmp_path / "sales"))
    for key in KEYS[1:]:
        counted = rows.filter(day=dt.date.fromisoformat(key))
        found = known[key]
        assert found is not None
        assert (found.rows, dict(found.nulls)) == (
            counted.height,
            {name: counted[name].null_count() for name in ("shop", "amount")},
        )
    assert known[KEYS[0]] is not None
    assert known[KEYS[0]].rows == 0
    assert KnownStatistics(table).of("2024-01-09") is None


def test_what_the_log_tells_is_not_read_again(tmp_path: Path) -> None:
    check = dw.checks.row_count_change(sales, max_change=0.5, blocking=True)
    work = Work(tmp_path, [check], rows=dict.fromkeys(KEYS, 4) | {KEYS[5]: 1})
    work.make(*KEYS[:5])
    for path in (tmp_path / "sales").rglob("*.parquet"):
        path.write_bytes(b"no Parquet at all")

    report = work.make(KEYS[5], names=("sales",))

    assert "check row_count_change failed: 1 row, expected 2 to 6" in failures(report)[KEYS[5]]
