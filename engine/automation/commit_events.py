"""Commit events: read from the log of a table what happened to it after a position, whoever wrote it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace

import polars as pl

from deltaworks.engine.automation.positions import Position
from deltaworks.engine.definitions.asset import AssetKind
from deltaworks.engine.definitions.automation.commits import CommitEvent, Commits, Operation, WrittenBy
from deltaworks.engine.definitions.automation.sensor import CommitsOf
from deltaworks.engine.definitions.partitions.multi_partitions import key_ranges
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.definitions.partitions.protocols import WHOLE
from deltaworks.engine.execution.opening import open_latest, open_version, place_of_table
from deltaworks.engine.planning.graph import Node
from deltaworks.errors import LogGap, StorageError
from deltaworks.io.history import changes_data
from deltaworks.io.log import Commit, commit_path, digest, tail
from deltaworks.io.record import Kind
from deltaworks.io.store import Store
from deltaworks.io.table import Table

_OPERATIONS = {
    Kind.MATERIALIZE: Operation.MATERIALIZE,
    Kind.OBSERVE: Operation.OBSERVE,
    Kind.ROLLBACK: Operation.ROLLBACK,
    Kind.WIPE: Operation.WIPE,
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look at a table found."""

    commits: Commits
    position: Position
    """Up to where it read."""


def position_now(lake: Store, node: Node) -> Position:
    """Return how far the log of an asset's table goes: what comes later is new.

    Raises:
        StorageError: it cannot be read.
    """
    return _position(lake, node, open_latest(lake, node.asset))


def read_commits(lake: Store, node: Node, since: Position, wanted: CommitsOf) -> Seen:
    """Return what happened to an asset's table after a position.

    Raises:
        StorageError: the log cannot be read, or no longer from there on; nothing may be said to have been seen.
    """
    table = open_latest(lake, node.asset)
    position, key = _position(lake, node, table), str(node.key)
    if not table.exists:
        gone = f"{key}: its table is gone; all commits of the next one will be events" if since.version >= 0 else None
        return Seen(Commits(key, since.version, -1, (), note=gone), position)
    after, note = since.version, None
    if since.table_id not in (None, position.table_id):
        after, note = -1, f"{key} is not the table that it was: it was made anew, and all of its commits are events"
    else:
        _refuse_other_history(lake, node, since, table)
    _refuse_cleaned_log(lake, node, after, table)
    try:
        events = tuple(_events(lake, node, after, table, wanted))
    except LogGap as error:
        raise StorageError(
            f"{key}: version {error.version} of the log {error.problem}, so it cannot be told what happened after "
            f"version {after}. Restore the commit file, or pass over it: make what may have changed, and set the "
            f"sensor's cursor to version {error.version} or later by `deltaworks sensor cursor`."
        ) from error
    return Seen(_commits(node, after, table.version, events, note), position)


def _position(lake: Store, node: Node, table: Table) -> Position:
    store, name = place_of_table(lake, node.asset)
    content = store.read(commit_path(name, table.version)) if table.exists else None
    return Position(table.version, table.table_id, None if content is None else digest(content).hex())


def _refuse_other_history(lake: Store, node: Node, since: Position, table: Table) -> None:
    """Refuse a table whose owner has put back an earlier state, after which others commits have the same numbers."""
    store, name = place_of_table(lake, node.asset)
    content = None if since.digest is None else store.read(commit_path(name, since.version))
    is_other = content is not None and digest(content).hex() != since.digest
    if is_other or since.version > table.version:
        raise StorageError(
            f"{node.key}: version {since.version} is not the commit that was seen; the table was put back to an "
            f"earlier state and is at version {table.version} now. Make what may have changed, and set the sensor's "
            "cursor by `deltaworks sensor cursor` to the version that counts as seen."
        )


def _refuse_cleaned_log(lake: Store, node: Node, after: int, table: Table) -> None:
    """Refuse a log that does not reach back to a position, so that commits were deleted before they were seen."""
    store, name = place_of_table(lake, node.asset)
    if after >= table.version or store.exists(commit_path(name, after + 1)):
        return
    there = (
        path.rpartition("/")[2].partition(".")[0] for path in store.list(f"{name}/_delta_log") if path.endswith(".json")
    )
    versions = sorted(int(version) for version in there if version.isdigit())
    first = next((version for version in versions if version > after), table.version + 1)
    if any(version <= after for version in versions) and after >= 0:
        return  # a gap, not a log that was cleaned: reading it says so
    raise StorageError(
        f"{node.key}: versions {after + 1} to {first - 1} of its log were deleted before they were seen, so it cannot "
        "be told what they changed. Make what may have changed, and set the sensor's cursor to version "
        f"{first - 1} by `deltaworks sensor cursor`."
    )


def _events(lake: Store, node: Node, after: int, table: Table, wanted: CommitsOf) -> Iterator[CommitEvent]:
    store, name = place_of_table(lake, node.asset)
    is_foreign = node.asset.kind is AssetKind.EXTERNAL
    for commit in tail(store, name, after, table.version, table.places, is_foreign=is_foreign):
        event = _event(lake, node, commit) if changes_data(commit) else None
        kept = None if event is None else _kept(node, event, wanted)
        if kept is not None:
            yield kept


def _event(lake: Store, node: Node, commit: Commit) -> CommitEvent:
    record = commit.record
    is_ours = record is not None and not record.is_foreign
    keys, undefined = _keys(lake, node, commit)
    counts = [rows for group in record.groups for rows in group.rows] if record is not None and is_ours else [None]
    return CommitEvent(
        version=commit.version,
        operation=_OPERATIONS[record.kind] if record is not None and is_ours else Operation.WRITE,
        delta_operation=commit.operation,
        written_by=WrittenBy.OURS if is_ours else WrittenBy.OUTSIDE,
        run_id=None if record is None else record.run_id,
        engine=commit.engine_info,
        at=dt.datetime.fromtimestamp(commit.timestamp_ms / 1000, dt.UTC) if commit.timestamp_ms else None,
        keys=keys,
        undefined=undefined,
        rows=None if None in counts else sum(rows for rows in counts if rows is not None),
    )


def _keys(lake: Store, node: Node, commit: Commit) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the partitions that a commit changed, and what it changed beyond the definition."""
    if not node.is_partitioned:
        return (), ()
    places = {place for group in commit.recorded for place in group}
    places |= {place for place in commit.changed_keys if place is not None}
    if None in commit.changed_keys:
        places |= _unnamed(lake, node, commit)
    if node.asset.kind is AssetKind.SOURCE:
        places -= {WHOLE}  # the file that holds all of them
    found = pl.Series(sorted(places), dtype=pl.String)
    ordinals = node.partitions.ordinals(found)
    undefined = found.filter(ordinals.is_null()).to_list()
    return (
        tuple(node.partitions.keys(ordinals.drop_nulls().unique().sort()).to_list()),
        tuple(node.partitions.key_beyond(place) for place in undefined),
    )


def _unnamed(lake: Store, node: Node, commit: Commit) -> set[str]:
    """Return the partitions of removed files that the commit names by their paths alone."""
    unnamed = {each.path for each in commit.removed if each.key is None and each.changes_data}
    before = open_version(lake, node.asset, commit.version - 1)
    return {place for place, file in before.live_files() if file.path in unnamed}


def _kept(node: Node, event: CommitEvent, wanted: CommitsOf) -> CommitEvent | None:
    """Return what of an event the sensor is about; none: nothing."""
    if event.operation not in wanted.operations or wanted.written_by not in (None, event.written_by):
        return None
    if wanted.partitions is None or not node.is_partitioned:
        return event
    keys = tuple(filter(wanted.partitions, event.keys))
    return replace(event, keys=keys, undefined=()) if keys else None


def _commits(node: Node, after: int, version: int, events: tuple[CommitEvent, ...], note: str | None) -> Commits:
    changed = pl.Series(sorted({key for event in events for key in event.keys}), dtype=pl.String)
    ordinals = node.partitions.ordinals(changed).drop_nulls() if node.is_partitioned else pl.Series(dtype=pl.Int64)
    ranges = key_ranges(PartitionSet.of(ordinals, node.partitions.size).ranges(), node.partitions)
    key = node.partitions.key
    return Commits(
        asset=str(node.key),
        after=after,
        version=version,
        events=events,
        ordered_keys=tuple(node.partitions.keys(ordinals.sort()).to_list()),
        key_ranges=tuple((key(first), key(last)) for first, last in ranges),
        note=note,
    )
