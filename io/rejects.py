"""Rejects: rows that were left out of a partition and are kept apart, one Parquet file for a partition and a run.

They lie outside the table, in `_deltaworks/rejects/<asset key>/<run id>/`. A file counts from the commit on that names
it, the one that leaves its rows out.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import polars as pl

from deltaworks.io.dtypes import Json
from deltaworks.io.log import recorded_in
from deltaworks.io.parquet import sink_parquet
from deltaworks.io.record import Group, Record
from deltaworks.io.staged import RejectsFile
from deltaworks.io.store import Store
from deltaworks.io.table import Table
from deltaworks.io.table_state import Origin


def sink_rejects(store: Store, file: RejectsFile, lf: pl.LazyFrame) -> pl.LazyFrame:
    """Return the plan that writes rejected rows when it is collected; `secure_rejects` has to follow."""
    return sink_parquet(lf, store, file.path)


def secure_rejects(store: Store, file: RejectsFile) -> None:
    """Make sure that a file and its name outlast a crash of the machine."""
    store.sync_file(file.path)
    store.sync_folders([file.path])


@dataclass(frozen=True, slots=True)
class LeftOut:
    """How many rows were left out. One that breaks a rule which drops and one which quarantines is quarantined."""

    dropped: int = 0
    quarantined: int = 0

    def __add__(self, other: LeftOut) -> LeftOut:
        return LeftOut(self.dropped + other.dropped, self.quarantined + other.quarantined)

    def __bool__(self) -> bool:
        return bool(self.dropped or self.quarantined)


def left_out_by(record: Record) -> LeftOut | None:
    """Return how many rows a commit left out, as its record tells; none: an older engine did not count them."""
    checks = record.checks
    if "dropped" in checks:
        return LeftOut(checks["dropped"], checks["quarantined"])
    not_passed: list[Json] = checks.get("not_passed", [])
    return None if any(each.get("severity") in ("drop", "quarantine") for each in not_passed) else LeftOut()


@dataclass(frozen=True, slots=True)
class Rejected:
    """The rows that a partition left out and that are kept."""

    key: str
    file: RejectsFile
    group: Group
    """What the record that names them says of the partition, and of others that were made in the same way."""
    dropped: tuple[Json, ...]
    """What that record says of rules that left out other rows, which are not kept."""
    is_changed: bool
    """Whether others have changed the partition since, so that its content is not what a function returned."""


def current_rejects(table: Table, keys: Iterable[str] | None = None) -> Iterator[Rejected]:
    """Yield what partitions left out, the latest commits first; of `keys` if given.

    These are the rows that the latest record of a partition names: whoever wrote to it without a record judged none of
    them. Content that a rollback brought back has those that it had, and a partition without content has none.

    Cost: one commit read for each commit that made any of the content. Where others have changed a partition, also
    each one between theirs and the one that named it before.
    """
    if table.external is not None:
        return  # what records in it say of rejects is about another lake
    places = None if keys is None else {table.places.of_key(key) for key in keys}
    contents = {place: made for place, made in _contents(table) if places is None or place in places}
    for record, named in _latest_records(table, {place: version for place, (version, _) in contents.items()}):
        dropped: dict[str, list[Json]] = {}
        for each in record.checks.get("not_passed", ()):
            if each.get("severity") == "drop":
                dropped.setdefault(each.get("partition") or "", []).append(each)
        for place, key, group, name in named:
            if name is not None:
                is_changed = contents[place][1] or group.is_external
                yield Rejected(key, RejectsFile(record.asset, name), group, tuple(dropped.get(key, ())), is_changed)


_Named: TypeAlias = tuple[str, str, Group, str | None]
"""A place, its partition as a record calls it, what the record says of it, and the name of its rejects."""


def _contents(table: Table) -> Iterator[tuple[str, tuple[int, bool]]]:
    """Yield the place of each partition with content, the version that brought it about, and whether others did."""
    known: Iterator[tuple[str, int, int, int | None]]
    known = table.partitions().select("key", "version", "origin", "materialization").iter_rows()
    for place, version, origin, number in known:
        if number is not None:
            made = table.materializations[number]
            yield place, (made.content_from.version, made.content_from.run_id is None)
        elif origin == Origin.OUTSIDE:
            yield place, (version, True)


def _latest_records(table: Table, versions: Mapping[str, int]) -> Iterator[tuple[Record, list[_Named]]]:
    """Yield the latest record up to a version of each place, the newest first, with what it says of those places.

    A record that says that content was brought back gives way to that of the content.
    """
    waiting = [(-version, place) for place, version in versions.items()]
    heapq.heapify(waiting)
    sought: set[str] = set()
    version = table.version + 1
    while (sought or waiting) and version > 0:
        # What others wrote has no record, so that the one before is looked at; else it is known which one is next.
        version = version - 1 if sought else min(version - 1, -waiting[0][0])
        while waiting and -waiting[0][0] >= version:
            sought.add(heapq.heappop(waiting)[1])
        record = recorded_in(table.store, table.name, version, table.places)
        if record is None:
            continue
        named: list[_Named] = []
        for group in record.groups:
            keys = group.keys or ("",)
            for key, name in zip(keys, group.rejects or [None] * len(keys), strict=True):
                place = table.places.of_key(key)
                if place in sought:
                    sought.remove(place)
                    if group.restored_from is None:
                        named.append((place, key, group, name))
                    else:
                        heapq.heappush(waiting, (-group.restored_from.version, place))
        yield record, named


def scan_rejects(store: Store, file: RejectsFile) -> pl.LazyFrame:
    """Return the rejected rows of a partition, lazily.

    Columns: those of its table, and a list of texts that names the rules that each row breaks.
    """
    return pl.scan_parquet(store.uri(file.path), storage_options=store.polars_options)


def count_rejects(store: Store, file: RejectsFile) -> int:
    """Return how many rows a file holds, as its footer says."""
    rows: int = scan_rejects(store, file).select(pl.len()).collect().item()
    return rows


def drop_rejects(store: Store, file: RejectsFile) -> None:
    """Delete a file that no commit is going to name."""
    store.delete(file.path)
