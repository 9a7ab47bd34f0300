"""What a run did not try is told in a line for each asset and cause, however many partitions there are."""

from __future__ import annotations

from deltaworks.cli.skipped import blocked_lines, made_by_others_lines
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.execution.events import PartitionBlocked, PartitionSkipped
from deltaworks.engine.execution.report import RunReport
from deltaworks.io.run_entry import RunEntry, RunStatus

ENTRY = RunEntry("r", RunStatus.FAILURE, "backfill", "2026-01-02T00:00:00+00:00")
DOWN, TOTAL = AssetKey("down"), AssetKey("total")


def blocked(*events: PartitionBlocked) -> list[str]:
    return [cell.text for cell in blocked_lines(RunReport(ENTRY, events, ()))]


def test_partitions_that_lack_others_of_one_asset_are_told_together() -> None:
    days = [f"2024-01-{day:02}" for day in range(1, 21)]
    lacking = [PartitionBlocked(DOWN, day, f"bad {day}") for day in days]

    assert blocked(*lacking) == ["skipped: 20 partitions of down, since 20 partitions of bad were not made"]
    assert blocked(*lacking[:1], PartitionBlocked(TOTAL, "", "down 2024-01-01")) == [
        "skipped: 1 partition of down, since bad 2024-01-01 was not made",
        "skipped: 1 partition of total, since bad 2024-01-01 was not made",
    ]


def test_what_was_not_made_and_what_is_not_there_are_told_apart() -> None:
    gone = [PartitionBlocked(DOWN, f"2024-02-0{day}", f"bad 2024-02-0{day}", is_gone=True) for day in (1, 2)]

    assert blocked(PartitionBlocked(DOWN, "2024-01-01", "bad 2024-01-01"), *gone) == [
        "skipped: 1 partition of down, since bad 2024-01-01 was not made",
        "skipped: 2 partitions of down, since 2 partitions of bad are not there",
    ]


def test_what_others_have_made_is_told_by_who_did() -> None:
    days = [f"2024-01-{day:02}" for day in range(1, 21)]
    skipped = tuple(PartitionSkipped(DOWN, day, 3, "run x" if day < "2024-01-18" else "run y") for day in days)

    assert [cell.text for cell in made_by_others_lines(RunReport(ENTRY, (), skipped))] == [
        "skipped: 17 partitions of down, made by run x meanwhile",
        "skipped: 3 partitions of down, made by run y meanwhile",
    ]
