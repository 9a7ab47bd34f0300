"""Scattered: the partitions of a table whose rows lie in many small files, or in no z-order.

A file smaller than half the target size is small. Where a partition has several small files, they become files of
about the target size, in the order of the log. What one such commit has made is not done again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from deltaworks.io.lifetimes import Lifetimes, Rewrite
from deltaworks.io.log import LiveFile, path_below
from deltaworks.io.protocol import reader_demand, writer_demand
from deltaworks.io.record import FORMAT
from deltaworks.io.table import Table


@dataclass(frozen=True, slots=True)
class Layout:
    """How the rows of a table are to lie in files."""

    target_bytes: int = 128 * 1024 * 1024
    """The size that files are to have."""
    z_order: tuple[str, ...] = ()
    """The columns to sort by; none: rows stay in their order, and files that are large enough as they are."""


@dataclass(frozen=True, slots=True)
class Scattered:
    """A partition whose rows are to be moved."""

    key: str
    live: tuple[LiveFile, ...]
    """All of its files; if others change any of them, the partition is left as it is."""
    groups: tuple[tuple[LiveFile, ...], ...]
    """Files whose rows come together, in the order of the log."""

    @property
    def size_bytes(self) -> int:
        """The size of the files that go."""
        return sum(file.size_bytes for group in self.groups for file in group)

    @property
    def files(self) -> int:
        """How many files go."""
        return sum(map(len, self.groups))


def compaction_demand(table: Table) -> str | None:
    """Say why the files of a table are left alone, or none if they may be rewritten."""
    assert table.metadata is not None, "a table that exists"
    assert table.protocol is not None, "a table that exists"
    configuration, schema_string = table.metadata.configuration, table.metadata.schema_string
    demand = reader_demand(table.protocol, configuration)
    demand = demand or writer_demand(table.protocol, configuration, schema_string, changes_data=False)
    if table.needs_format > FORMAT:
        return "a newer deltaworks wrote to it, so its files are left as they are"
    if demand is not None:
        return f"it {demand}, which this engine does not do, so its files are left as they are"
    try:
        schema = table.metadata.schema()
    except ValueError as error:
        return f"{error}, so its files are left as they are"
    if any(schema[column] == pl.Binary for column in table.metadata.partition_columns):
        return "a partition column of it is binary, so its files are left as they are"
    return None


def find_scattered(table: Table, lifetimes: Lifetimes, layout: Layout) -> list[Scattered]:
    """Return the partitions of a table whose rows are to be moved.

    Files that another table owns, or that have deletion vectors, keep their partition from it.
    """
    found: list[Scattered] = []
    for key in sorted(table.live_keys()):
        live = tuple(table.files([key]))
        if any(_is_foreign(table, file) or file.has_deletion_vector for file in live):
            continue
        groups = _sorted_anew(live, lifetimes, layout) if layout.z_order else _small(live, lifetimes, layout)
        if groups:
            found.append(Scattered(key, live, groups))
    return found


def _small(live: Sequence[LiveFile], lifetimes: Lifetimes, layout: Layout) -> tuple[tuple[LiveFile, ...], ...]:
    """Return the small files of a partition in groups of about the target size; none if that gains nothing."""
    small = [file for file in live if file.size_bytes < layout.target_bytes / 2]
    rewrite = _one_rewrite(small, lifetimes)
    if len(small) < 2 or (rewrite is not None and rewrite.target_bytes >= layout.target_bytes):
        return ()
    groups: list[list[LiveFile]] = [[]]
    size_bytes = 0
    for file in small:
        size_bytes += file.size_bytes
        if size_bytes > layout.target_bytes and groups[-1]:
            groups.append([])
            size_bytes = file.size_bytes
        groups[-1].append(file)
    if len(groups) > 1 and len(groups[-1]) == 1:
        groups[-2] += groups.pop()
    return tuple(map(tuple, groups))


def _sorted_anew(live: Sequence[LiveFile], lifetimes: Lifetimes, layout: Layout) -> tuple[tuple[LiveFile, ...], ...]:
    rewrite = _one_rewrite(live, lifetimes)
    return () if rewrite is not None and rewrite.z_order == layout.z_order else (tuple(live),)


def _one_rewrite(files: Sequence[LiveFile], lifetimes: Lifetimes) -> Rewrite | None:
    """Return what one commit was asked for that made all of these files out of others; none: no such one did."""
    made = dict(by for file in files if (by := lifetimes.rewritten_by(file.path)) is not None)
    are_all = all(lifetimes.rewritten_by(file.path) is not None for file in files)
    return next(iter(made.values())) if are_all and len(made) == 1 else None


def _is_foreign(table: Table, file: LiveFile) -> bool:
    return path_below(table.store, table.name, file.path) != file.path or file.path.startswith("/")
