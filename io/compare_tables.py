"""Compare tables: find the rows in which two tables, or two versions of one, differ.

What consists of the same data files on both sides is equal and not read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl

from deltaworks.io.compare import Part, Terms, compare
from deltaworks.io.difference import Difference
from deltaworks.io.log import LiveFile
from deltaworks.io.scan import of_keys, refuse_removed_files, scan_files
from deltaworks.io.table import Table

_Files = Mapping[str, Sequence[LiveFile]]


@dataclass(frozen=True, slots=True)
class Side:
    """A table as one side of a comparison."""

    table: Table
    """At the version that is compared."""
    name: str
    """Of its asset, for messages."""
    keys: Sequence[str] | None = None
    """The partitions that are compared; none: all of them."""

    def __str__(self) -> str:
        return f"{self.name}@v{self.table.version}"

    def files(self) -> _Files:
        """Return the live files, by place."""
        has_all = self.keys is None or self.table.names_keys  # where rows name their keys, files hold those of any
        places = self.table.live_keys() if has_all else map(self.table.places.of_key, self.keys or ())
        return {place: sorted(self.table.files([place]), key=lambda file: file.path) for place in places}

    def columns(self) -> dict[str, pl.DataType]:
        """Return the partition columns with their dtypes, in the table's order."""
        assert self.table.metadata is not None, "compare a table that exists"
        schema = self.table.schema()
        return {name: schema[name] for name in self.table.metadata.partition_columns}

    def scan(self, files: Sequence[LiveFile]) -> pl.LazyFrame:
        """Scan some of its files."""
        table, columns = self.table, list(self.columns())
        lf = scan_files(table.store, table.name, files, table.schema(), columns, table.version)
        return of_keys(lf, self.keys) if table.names_keys and self.keys is not None else lf


def compare_tables(a: Side, b: Side, terms: Terms) -> Difference:
    """Compare two tables that exist, or some of their partitions.

    Cost: reads the data files that are not the same on both sides; holds no more than `terms.pass_bytes` of Parquet.

    Raises:
        FilesGone: vacuum removed data files that are needed.
        TableMismatch: a table cannot be read here.
        RequestError: the key is not in both, or is none.
    """
    before, after = a.files(), b.files()
    places = list(dict.fromkeys((*before, *after)))
    is_same_table = a.table.table_id == b.table.table_id
    changed = [place for place in places if not (is_same_table and _is_same(before, after, place))]
    for side, files in ((a, before), (b, after)):
        way_out = f"choose a later version of {side.name}, or only other partitions"
        refuse_removed_files(side.table, [place for place in changed if place in files], way_out)
    parts = (
        Part(a.scan(_of(before, chosen)), b.scan(_of(after, chosen)), _size_bytes(before, after, chosen))
        for chosen in _chunks(a, b, changed, before, after, terms)
    )
    found = compare((str(a), str(b)), (a.table.schema(), b.table.schema()), parts, terms)
    return replace(found, partitions_compared=len(changed), partitions_unchanged=len(places) - len(changed))


def _is_same(before: _Files, after: _Files, place: str) -> bool:
    files = before.get(place, ())
    return list(files) == list(after.get(place, ())) and not any(file.has_deletion_vector for file in files)


def _chunks(
    a: Side, b: Side, places: Sequence[str], before: _Files, after: _Files, terms: Terms
) -> Iterator[Sequence[str]]:
    """Yield partitions that are compared together: few, if no row of one can be equal to a row of another."""
    columns = a.columns()
    is_apart = columns == b.columns() and list(columns) == list(b.columns())
    if not columns or not is_apart or (terms.key and not set(columns) <= set(terms.key)):
        if places:
            yield places
        return
    chunk: list[str] = []
    for place in places:
        if chunk and _size_bytes(before, after, [*chunk, place]) > terms.pass_bytes:
            yield chunk
            chunk = []
        chunk.append(place)
    if chunk:
        yield chunk


def _of(files: _Files, places: Sequence[str]) -> list[LiveFile]:
    return [file for place in places for file in files.get(place, ())]


def _size_bytes(before: _Files, after: _Files, places: Sequence[str]) -> int:
    return sum(file.size_bytes for files in (before, after) for file in _of(files, places))
