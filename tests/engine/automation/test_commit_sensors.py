"""Sensors on commits: every commit is told once, whoever made it, and what cannot be told is said."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable

import deltaworks as dw
from deltaworks.engine.automation.positions import read_positions
from deltaworks.errors import StorageError
from deltaworks.io.log import commit_path
from tests.engine.automation.sensed import DAYS, Watching, key, keys, write_days

daily = dw.define_asset_job("daily", "made", partitions=DAYS)


@dw.asset(partitions=DAYS, partition_by="day")
def made(partition: dw.Partition) -> pl.LazyFrame:
    return pl.LazyFrame({"day": [partition.start], "n": [1]})


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    return tmp_path / "theirs"


def on_orders(tmp_path: Path, **filters: Any) -> tuple[Watching, list[dw.Commits]]:
    """A sensor on a table that others write, and the commits that it was told."""
    orders = dw.external_asset("orders", uri=tmp_path / "theirs", partitions=DAYS, partition_by="day")
    told: list[dw.Commits] = []

    @dw.asset_sensor(asset=orders, job=daily, tags={"from": "orders"}, **filters)
    def follow(commits: dw.Commits) -> Any:
        told.append(commits)
        for each in commits.partitions():
            yield dw.RunRequest(partition=each, run_key=f"{commits.version}-{each}")

    return Watching(tmp_path, follow, made, orders), told


def test_commits_are_told_once_and_those_before_the_start_are_not(tmp_path: Path, theirs: Path) -> None:
    write_days(theirs, 1)
    sensor, told = on_orders(tmp_path)

    begun = sensor.ask()
    nothing = sensor.ask()
    write_days(theirs, 2, 3)
    write_days(theirs, 3, 5)
    found = sensor.ask()
    after = sensor.ask()

    assert (begun.requests, begun.skip_reason) == ((), "it begins after version 0 of orders")
    assert (nothing.requests, nothing.cursor) == ((), None)
    assert [each.partition for each in found.requests] == keys(2, 3, 5)
    assert found.requests[0].job == "daily"
    assert found.requests[0].tags == {"from": "orders"}
    assert after.requests == ()
    (commits,) = told
    assert [(each.version, each.keys, each.operation) for each in commits] == [
        (1, (key(2), key(3)), dw.Operation.WRITE),
        (2, (key(3), key(5)), dw.Operation.WRITE),
    ]
    assert commits.ranges() == ((key(2), key(3)), (key(5), key(5)))
    assert (commits.after, commits.version, len(commits)) == (0, 2, 2)
    first = commits.events[0]
    assert (first.delta_operation, first.written_by, first.run_id) == ("WRITE", dw.WrittenBy.OUTSIDE, None)
    assert first.engine.startswith("delta-rs")
    assert isinstance(first.at, dt.datetime)


def test_what_moves_or_describes_rows_is_no_event(tmp_path: Path, theirs: Path) -> None:
    write_days(theirs, 1)
    write_days(theirs, 1)
    sensor, told = on_orders(tmp_path)
    sensor.ask()

    table = DeltaTable(str(theirs))
    table.optimize.compact()
    table.alter.set_table_properties({"delta.logRetentionDuration": "interval 9 days"})
    found = sensor.ask()

    assert (found.requests, found.skip_reason, told) == ((), "no commit that it is about", [])
    assert read_positions("", found.cursor)["orders"].version == 3


def test_a_table_that_is_not_there_yet_is_told_from_its_first_commit(tmp_path: Path, theirs: Path) -> None:
    sensor, _ = on_orders(tmp_path)
    assert sensor.ask().skip_reason == "it begins after version -1 of orders"

    write_days(theirs, 4)

    assert sensor.asked() == keys(4)


def test_days_beyond_the_definition_are_told_apart(tmp_path: Path, theirs: Path) -> None:
    sensor, told = on_orders(tmp_path)
    sensor.ask()

    write_days(theirs, 5, 9)

    assert sensor.asked() == keys(5)
    assert (told[0].events[0].keys, told[0].events[0].undefined) == ((key(5),), (key(9),))


def test_our_own_runs_wipes_and_rollbacks_are_told_by_what_they_did(tmp_path: Path) -> None:
    told: list[dw.CommitEvent] = []

    @dw.asset_sensor(asset=made)
    def follow(commits: dw.Commits) -> None:
        told.extend(commits)

    sensor = Watching(tmp_path, follow, made)
    sensor.ask()

    report = dw.materialize([made], lake=sensor.store.root, partition=key(2))
    write_days(sensor.store.root / "made", 2)
    sensor.ask()

    ours, outside = told
    assert (ours.operation, ours.written_by, ours.run_id) == (
        dw.Operation.MATERIALIZE,
        dw.WrittenBy.OURS,
        report.entry.run_id,
    )
    assert (ours.keys, ours.rows) == ((key(2),), 1)
    assert (outside.operation, outside.written_by, outside.keys) == (
        dw.Operation.WRITE,
        dw.WrittenBy.OUTSIDE,
        (key(2),),
    )


@pytest.mark.parametrize(
    ("filters", "partitions"),
    [
        ({"written_by": "ours"}, []),
        ({"written_by": "outside"}, keys(1, 2)),
        ({"operations": ["materialize", "wipe"]}, []),
        ({"operations": [dw.Operation.WRITE]}, keys(1, 2)),
        ({"partitions": keys(2, 3)}, keys(2)),
        ({"partitions": lambda day: day < "2024-01-02"}, keys(1)),
    ],
)
def test_what_the_sensor_is_not_about_is_passed_over(
    tmp_path: Path, theirs: Path, filters: Any, partitions: list[str]
) -> None:
    sensor, told = on_orders(tmp_path, **filters)
    sensor.ask()

    write_days(theirs, 1, 2)
    found = sensor.ask()

    assert [each.partition for each in found.requests] == partitions
    assert bool(told) is bool(partitions)
    assert read_positions("", found.cursor)["orders"].version == 0


def test_several_tables_are_told_together(tmp_path: Path) -> None:
    orders = dw.external_asset("orders", uri=tmp_path / "orders", partitions=DAYS, partition_by="day")
    returns = dw.external_asset("returns", uri=tmp_path / "returns")
    told: list[dict[str, tuple[str, ...]]] = []

    @dw.multi_asset_sensor(assets=[orders, returns], job=daily)
    def follow(changed: Mapping[str, dw.Commits]) -> None:
        told.append({asset: tuple(commits.partitions()) for asset, commits in changed.items()})

    sensor = Watching(tmp_path, follow, made, orders, returns)
    sensor.ask()
    write_days(tmp_path / "orders", 1, 3)
    sensor.ask()
    write_days(tmp_path / "returns", 2)
    write_days(tmp_path / "orders", 4)
    sensor.ask()
    sensor.ask()

    assert told == [{"orders": tuple(keys(1, 3))}, {"orders": tuple(keys(4)), "returns": ()}]


def test_a_table_that_was_made_anew_is_told_from_its_beginning(tmp_path: Path, theirs: Path) -> None:
    write_days(theirs, 1)
    write_days(theirs, 2)
    sensor, told = on_orders(tmp_path)
    sensor.ask()

    shutil.rmtree(theirs)
    gone = sensor.ask()
    write_days(theirs, 3)
    again = sensor.asked()
    shutil.rmtree(theirs)
    for day in (4, 5):
        write_days(theirs, day)
    anew = sensor.asked()

    assert gone.skip_reason == "orders: its table is gone; all commits of the next one will be events"
    assert (again, anew) == (keys(3), keys(4, 5))
    assert told[-1].note == "orders is not the table that it was: it was made anew, and all of its commits are events"


def break_log(theirs: Path) -> None:
    Path(commit_path(str(theirs), 1)).unlink()


def clean_log(theirs: Path) -> None:
    DeltaTable(str(theirs)).create_checkpoint()
    for version in range(3):
        Path(commit_path(str(theirs), version)).unlink()


def put_back(theirs: Path) -> None:
    old = theirs.with_name("old")
    shutil.rmtree(theirs)
    shutil.copytree(old, theirs)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (break_log, "version 1 of its log is absent"),
        (clean_log, "orders: versions 1 to 2 of its log were deleted before they were seen"),
    ],
)
def test_what_was_deleted_unseen_is_said_and_the_cursor_stays(
    tmp_path: Path, theirs: Path, damage: Any, sentence: str
) -> None:
    write_days(theirs, 1)
    sensor, told = on_orders(tmp_path)
    sensor.ask()
    cursor = sensor.cursor
    for day in (2, 3, 4):
        write_days(theirs, day)

    damage(theirs)
    with pytest.raises(StorageError) as refused:
        sensor.ask()

    assert sentence in str(refused.value)
    assert (sensor.cursor, told) == (cursor, [])


def test_a_table_that_was_put_back_is_said(tmp_path: Path, theirs: Path) -> None:
    write_days(theirs, 1)
    shutil.copytree(theirs, tmp_path / "old")
    write_days(theirs, 2)
    sensor, told = on_orders(tmp_path)
    sensor.ask()

    put_back(theirs)
    write_days(theirs, 3)

    with pytest.raises(StorageError, match="orders: version 1 is not the commit that was seen; the table was put back"):
        sensor.ask()
    assert told == []


def test_a_look_finds_the_next_commit_and_costs_no_question_where_there_is_none(tmp_path: Path, theirs: Path) -> None:
    write_days(theirs, 1)
    sensor, told = on_orders(tmp_path)
    watch = sensor.watch()
    assert sensor.is_due(watch)  # it begins

    idle = [sensor.is_due(watch, after_s) for after_s in (1.0, 40.0, 40.0)]
    write_days(theirs, 2)
    found = [sensor.is_due(watch), sensor.is_due(watch)]
    shutil.rmtree(theirs)
    write_days(theirs, 3)
    anew = [sensor.is_due(watch), sensor.is_due(watch, 40.0)]

    assert idle == [False, False, False]
    assert found == [True, False]
    assert anew == [False, True]
    assert [tuple(each.partitions()) for each in told] == [tuple(keys(2)), tuple(keys(3))]


def test_a_table_made_anew_at_the_same_version_while_nobody_looked_is_seen(tmp_path: Path, theirs: Path) -> None:
    write_days(theirs, 1)
    sensor, told = on_orders(tmp_path)
    assert sensor.is_due(sensor.watch())

    unchanged = sensor.is_due(sensor.watch())
    shutil.rmtree(theirs)
    write_days(theirs, 3)
    watch = sensor.watch()
    found = [sensor.is_due(watch), sensor.is_due(watch, 40.0)]

    assert (unchanged, found) == (False, [True, False])
    assert [tuple(each.partitions()) for each in told] == [tuple(keys(3))]
