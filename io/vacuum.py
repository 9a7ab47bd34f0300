"""Vacuum: find the data files of a table that nothing needs any more.

A file goes when no live version has it, its removal is older than the retention, and no version that is pinned has it.
Only files that the table's own log names are looked at, below its own folder.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from deltaworks.io.lifetimes import Lifetime, Lifetimes
from deltaworks.io.store import Store
from deltaworks.io.stores.stored_file import StoredFile
from deltaworks.io.table import Table
from deltaworks.io.together import sizes_of


@dataclass(frozen=True, slots=True)
class Kept:
    """What a table keeps though its latest version has it no longer."""

    pinned: Sequence[int]
    """The versions that something current was made from, ascending."""
    removed_since: dt.datetime
    """Files that were removed then or later stay."""
    shared: Collection[str] = ()
    """Paths below the lake's root that other tables name."""


def expired(name: str, lifetimes: Lifetimes, there: Mapping[str, StoredFile], kept: Kept) -> list[StoredFile]:
    """Return what of the files in a table's folder may be deleted.

    Args:
        name: the table.
        lifetimes: its log.
        there: the files below its folder, by path; those that lie elsewhere are none of its own.
        kept: what stays.
    """
    return [
        file
        for path, lifetimes_of in lifetimes.of.items()
        if lifetimes_of[-1].removed is not None
        and (file := there.get(f"{name}/{path}")) is not None
        and max(each.removed_at for each in lifetimes_of) < kept.removed_since
        and not any(each.holds_any(kept.pinned) for each in lifetimes_of)
        and file.path not in kept.shared
    ]


def unreadable_versions(name: str, lifetimes: Lifetimes, there: Collection[str]) -> tuple[tuple[int, int], ...]:
    """Return the earlier versions of which a data file is gone, as ranges, ascending.

    Args:
        name: the table.
        lifetimes: its log.
        there: the paths of the files below its folder; those that lie elsewhere are not looked at.
    """
    spans = sorted(
        (each.added, each.removed - 1)
        for path, lifetimes_of in lifetimes.of.items()
        if f"{name}/{path}" not in there and not path.startswith("/") and "://" not in path
        for each in lifetimes_of
        if each.removed is not None
    )
    found: list[tuple[int, int]] = []
    for first, last in spans:
        if found and first <= found[-1][1] + 1:
            found[-1] = found[-1][0], max(found[-1][1], last)
        else:
            found.append((first, last))
    return tuple(found)


def pinned_versions(tables: Iterable[Table]) -> dict[str, list[int]]:
    """Return the versions that the present content of tables was made from, ascending, by the id of the table read.

    What a rollback gave back counts with what it had been made from.
    """
    found: dict[str, set[int]] = {}
    for table in tables:
        numbers: list[int] = table.partitions()["materialization"].drop_nulls().unique().to_list()
        for made in (table.materializations[number] for number in numbers):
            for table_id, pin in made.inputs.items():
                found.setdefault(table_id, set()).add(pin.version)
    return {table_id: sorted(versions) for table_id, versions in found.items()}


def shared_files(store: Store, tables: Iterable[Table]) -> frozenset[str]:
    """Return the paths, below the lake's root, of data files that tables name in full: a shallow clone has such."""
    root = f"{store.uri('').rstrip('/')}/"
    paths = (path for table in tables for path in _in_full(table))
    return frozenset(path.removeprefix(root) for path in paths if path.startswith(root))


def _in_full(table: Table) -> Iterator[str]:
    for _, file in table.live_files():
        path = file.path.removeprefix("file://")
        if path.startswith("/"):
            yield path


def missing_pinned(table: Table, lifetimes: Lifetimes, pinned: Sequence[int]) -> list[tuple[str, Lifetime]]:
    """Return the files of pinned versions that are not there, without those that the latest version needs too."""
    needed = [
        (path, each)
        for path, lifetimes_of in lifetimes.of.items()
        if not path.startswith("/") and "://" not in path and lifetimes_of[-1].removed is not None
        for each in lifetimes_of
        if each.holds_any(pinned)
    ]
    sizes = sizes_of(table.store, (f"{table.name}/{path}" for path, _ in needed))
    return [each for each, size_bytes in zip(needed, sizes, strict=True) if size_bytes is None]
