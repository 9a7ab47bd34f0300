"""Calls for several partitions at once: how many they make, and what becomes of those that fail."""

from __future__ import annotations

from typing import Any

import pytest

from tests.acceptance.conftest import Here

MODULE = """
import os
from pathlib import Path

import pandera.polars as pa
import polars as pl
import deltaworks as dw
from deltaworks import LazyFrame

days = dw.DailyPartitions(start="2024-01-01", end="2024-01-17")
HERE = Path(__file__).parent


class Down(ConnectionError):
    pass


class Row(pa.DataFrameModel):
    day: pl.Date
    n: int = pa.Field(lt=100)


def rows(partition, n=1):
    note = HERE / "calls"
    with note.open("a") as file:
        file.write(f"{partition.keys[0][-2:]}..{partition.keys[-1][-2:]}\\n")
    return pl.LazyFrame({"day": list(partition.keys)}).select(pl.col("day").str.to_date(), n=pl.lit(n, pl.Int64))


@dw.asset(partitions=days, partition_by="day", ARGUMENTS)
def table(partition: dw.Partition) -> LazyFrame[Row]:
    made = rows(partition)
    BODY
    return made
"""


def write(here: Here, body: str = "pass", arguments: str = "backfill=dw.BackfillPolicy.ranges()") -> None:
    here.write("tables.py", MODULE.replace("BODY", body).replace("ARGUMENTS", arguments))


def run(here: Here, *arguments: str) -> tuple[dict[str, Any], list[str]]:
    """Return the report of a backfill, and what was called in its course."""
    (here.folder / "calls").unlink(missing_ok=True)
    document = here.run("backfill", "--json", "--workers", "1", *arguments).json
    calls = here.folder / "calls"
    return document, calls.read_text().splitlines() if calls.exists() else []


def failed(document: dict[str, Any]) -> dict[str, str]:
    return {failure["partition"]: failure["error"] for failure in document["failures"]}


def test_a_range_that_fails_is_split_until_those_at_fault_are_known(here: Here) -> None:
    write(here, 'assert not {"2024-01-03", "2024-01-11"} & set(partition.keys), partition.keys')

    document, calls = run(here)

    totals = document["totals"]
    assert (totals["materialized"], totals["failed"]) == (14, 2)
    assert list(failed(document)) == ["2024-01-03", "2024-01-11"]
    assert failed(document)["2024-01-03"].startswith("table 2024-01-03: AssertionError: ['2024-01-03'] (")
    assert calls[:3] == ["01..16", "01..08", "09..16"]
    assert max(calls) == "13..16", "halves that are right are called once"
    assert len(calls) == 15


def test_a_range_of_which_all_fail_costs_less_than_twice_its_partitions(here: Here) -> None:
    write(here, 'raise Down("no route")')

    document, calls = run(here)

    assert len(failed(document)) == 16
    assert len(calls) == 2 * 16 - 1


def test_partitions_that_break_their_contract_split_nothing(here: Here) -> None:
    write(here, 'made = made.with_columns(n=pl.when(pl.col("day").dt.day() == 5).then(200).otherwise("n"))')

    document, calls = run(here)

    assert calls == ["01..16"]
    assert (document["totals"]["materialized"], list(failed(document))) == (15, ["2024-01-05"])


def test_single_partitions_of_a_split_range_are_retried_by_themselves(here: Here) -> None:
    write(
        here,
        'tried = (HERE / "calls").read_text()\n'
        '    if "2024-01-06" in partition.keys and tried.count("06..06") < 3: raise Down("no route")',
        "backfill=dw.BackfillPolicy.ranges(8), retry=dw.RetryPolicy(max_retries=2, delay_s=0)",
    )

    document, calls = run(here)

    assert document["totals"]["materialized"] == 16
    assert [call for call in calls if "06" in call] == ["05..06", *["06..06"] * 3]
    assert calls.count("01..08") == 1, "a range is split at once, and not retried"


@pytest.mark.parametrize(
    ("kind", "policy", "tries"),
    [
        ("threads", "", 3),
        ("threads", ", retry_on=[ConnectionError]", 3),
        ("threads", ", retry_on=['tables.Down', 'TimeoutError']", 3),
        ("threads", ", retry_on=[TimeoutError]", 1),
        ("threads", ", retry_on=[OSError], give_up_on=[Down]", 1),
        ("threads", ", give_up_on=['Down']", 1),
        ("threads", ", give_up_on=[ValueError]", 3),
        ("processes", ", retry_on=['tables.Down']", 3),
        ("processes", ", give_up_on=[Down]", 1),
    ],
)
def test_which_errors_are_retried_is_told_by_their_classes(here: Here, kind: str, policy: str, tries: int) -> None:
    write(here, 'raise Down("no route")', f"retry=dw.RetryPolicy(max_retries=2, delay_s=0{policy})")

    document, calls = run(here, "--partition", "2024-01-01", "--executor", kind)

    assert len(calls) == tries
    assert failed(document)["2024-01-01"].startswith("table 2024-01-01: Down: no route")


def test_a_range_whose_process_dies_is_split_too(here: Here) -> None:
    write(
        here,
        'if "2024-01-02" in partition.keys: os._exit(7)',
        "backfill=dw.BackfillPolicy.ranges(), isolate=True",
    )

    document, calls = run(here, "--from", "2024-01-01", "--to", "2024-01-02")

    assert failed(document) == {"2024-01-02": "table 2024-01-02: the worker process ended with exit code 7"}
    assert calls == ["01..02", "01..01", "02..02"]


def test_a_single_run_waits_for_all_that_it_is_made_from(here: Here) -> None:
    write(here, arguments="")
    here.edit(
        "tables.py",
        'end="2024-01-17"',
        'end="2024-03-01"',
    )
    with (here.folder / "tables.py").open("a") as file:
        file.write(
            """

@dw.asset(partitions=days, partition_by="day", backfill=dw.BackfillPolicy.single_run())
def whole(table: LazyFrame[Row], partition: dw.Partition) -> LazyFrame[Row]:
    with (HERE / "whole").open("a") as file:
        file.write(f"{len(partition.keys)}\\n")
    return table
"""
        )

    document, _ = run(here)
    first = (here.folder / "whole").read_text()
    run(here, "whole", "--only", "all", "--from", "2024-01-05", "--to", "2024-01-09")

    assert document["totals"]["materialized"] == 120
    assert first == "60\n", "one call, though its upstream is committed in batches of 50"
    assert (here.folder / "whole").read_text() == "60\n5\n"


def test_a_single_run_makes_what_can_be_made_when_the_rest_is_blocked(here: Here) -> None:
    write(here, 'assert partition.start.day != 9, "no"', "")
    with (here.folder / "tables.py").open("a") as file:
        file.write(
            """

@dw.asset(partitions=days, partition_by="day", backfill=dw.BackfillPolicy.single_run())
def whole(table: LazyFrame[Row], partition: dw.Partition) -> LazyFrame[Row]:
    rows(partition)
    return table
"""
        )

    document, calls = run(here)

    assert document["totals"]["materialized"] == 30
    assert (document["totals"]["failed"], document["totals"]["skipped"]) == (1, 1)
    assert [call for call in calls if call[:2] != call[-2:]] == ["01..08", "10..16"]


def test_calls_sized_by_bytes_begin_small_and_use_what_the_log_says_the_next_time(here: Here) -> None:
    write(here, arguments="backfill=dw.BackfillPolicy.auto(target_bytes=1_000_000)")

    document, calls = run(here)
    _, again = run(here, "--only", "all")

    assert document["totals"]["materialized"] == 16
    assert calls[0] == "01..01"
    assert len(calls) < 6
    assert again == ["01..16"]


def test_calls_sized_by_bytes_stay_below_their_target(here: Here) -> None:
    write(here)
    run(here)
    sizes = [file.stat().st_size for file in (here.lake / "table").rglob("*.parquet")]
    target = int(sum(sizes) / len(sizes) * 4.5)
    write(here, arguments=f"backfill=dw.BackfillPolicy.auto(target_bytes={target})")

    _, calls = run(here, "--only", "all")

    assert calls == ["01..04", "05..08", "09..12", "13..16"]


def test_calls_in_a_pool_are_sized_when_there_is_room_for_them(here: Here) -> None:
    write(here, arguments='pool="sea", backfill=dw.BackfillPolicy.auto(target_bytes=1_000_000)')

    _, calls = run(here)

    assert calls[0] == "01..01"
    assert len(calls) < 6
