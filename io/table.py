"""Table: a Delta table as its commit log tells it.

It starts empty and is advanced by reading commits; nothing else is consulted. What it answers: which partitions there
are, by whom and at which version each was last changed, and which files hold them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum

import polars as pl

from deltaworks.errors import LogGap, StorageError, TableMismatch, VersionGone
from deltaworks.io.log import Commit, LiveFile, Metadata, Removed, commit_path, digest, tail
from deltaworks.io.protocol import Protocol, reader_demand
from deltaworks.io.record import FORMAT, Group
from deltaworks.io.store import Store


class Origin(IntEnum):
    """Who last changed a partition."""

    ENGINE = 0
    """A materialization; its group says from what."""
    OUTSIDE = 1
    """A commit without a record."""
    GONE = 2
    """An outside commit that left it no file."""


@dataclass(frozen=True, slots=True)
class Materialization:
    """A group of a record, with the commit that it stands in."""

    version: int
    run_id: str
    group: Group


@dataclass(frozen=True, slots=True)
class Writer:
    """Who made a version."""

    run_id: str | None
    """None: an outside writer."""
    operation: str
    engine_info: str
    timestamp_ms: int
    size_bytes: int

    def __str__(self) -> str:
        return f"run {self.run_id}" if self.run_id else f"an outside writer ({self.operation}, {self.engine_info})"


PARTITION_SCHEMA = pl.Schema(
    {"key": pl.String, "version": pl.Int64, "origin": pl.UInt8, "rows": pl.Int64, "materialization": pl.UInt32}
)
"""One row a partition: its key, the version that last changed it, its origin, its rows and the index of its
materialization, the last two null for what was written outside."""


class Table:
    """The state of one table at one version. Advance it with `tail`; it never goes back."""

    def __init__(self, store: Store, name: str) -> None:
        self.store, self.name = store, name
        self.version = -1
        """The latest version seen; -1: there is no table."""
        self.metadata: Metadata | None = None
        self.protocol: Protocol | None = None
        self.materializations: list[Materialization] = []
        self.writers: dict[int, Writer] = {}
        """By version."""
        self.largest_partition_bytes = 0
        """The size of the largest partition that a commit has written."""
        self.needs_format = FORMAT
        """The newest record format that one of its records asks its writers for."""
        self._digest = b""
        """Of the commit file of `version`."""
        self._files: dict[str, dict[str, LiveFile]] = {}
        self._size_bytes: dict[str, int] = {}
        """Of each partition's live files."""
        self._key_of_path: dict[str, str] = {}
        self._changed_at: dict[str, int] = {}
        self._changes: dict[str, list[object]] = {column: [] for column in PARTITION_SCHEMA}

    @classmethod
    def read(cls, store: Store, name: str, version: int | None = None) -> Table:
        """Read a table's log from its beginning, to its end or to one version.

        Raises:
            VersionGone: the log ends before `version`.
            LogGap: a commit is missing or damaged.
        """
        table = cls(store, name)
        for commit in tail(store, name, after=-1, up_to=version):
            table.apply(commit)
        if version is not None and table.version < version:
            raise VersionGone(name, version, table.version)
        return table

    @property
    def exists(self) -> bool:
        """Whether there is a table."""
        return self.version >= 0

    @property
    def table_id(self) -> str | None:
        """The id that Delta gave the table when it was created."""
        return None if self.metadata is None else self.metadata.table_id

    def tail(self) -> list[Commit]:
        """Read and apply what was committed since, and return it.

        Raises:
            StorageError: the table was dropped since, and perhaps made anew.
            LogGap: a commit is missing or damaged.
        """
        if self.exists:
            content = self.store.read(commit_path(self.name, self.version))
            if content is None or digest(content) != self._digest:
                raise StorageError(
                    f"table {self.name}: version {self.version} of the log is no longer the commit that was read; the "
                    "table was dropped or put back meanwhile. Run the command again to decide on what is there now."
                )
        commits = list(tail(self.store, self.name, after=self.version))
        for commit in commits:
            self.apply(commit)
        return commits

    def apply(self, commit: Commit) -> None:
        """Advance by the next commit."""
        assert commit.version == self.version + 1, "commits are applied in order"
        if commit.version == 0 and (commit.metadata is None or commit.protocol is None):
            raise LogGap(self.name, 0, "does not create a table")
        self.version, self._digest = commit.version, commit.digest
        self.metadata = commit.metadata or self.metadata
        self.protocol = commit.protocol or self.protocol
        run_id = commit.record.run_id if commit.record else None
        self.writers[commit.version] = Writer(
            run_id, commit.operation, commit.engine_info, commit.timestamp_ms, commit.size_bytes
        )
        changed: set[str] = set()
        for removed in commit.removed:
            key = self._remove(removed)
            if removed.changes_data and key is not None:
                changed.add(key)
        for added in commit.added:
            self._add(added.key, added.file)
            if added.changes_data:
                changed.add(added.key)
        recorded = self._note_record(commit)
        for key in changed - recorded:
            origin = Origin.OUTSIDE if self._files.get(key) else Origin.GONE
            self._note(key, commit.version, origin, None, None)

    def partitions(self) -> pl.DataFrame:
        """Return the state of every partition ever changed, in no order. Columns: `PARTITION_SCHEMA`."""
        changes = pl.DataFrame(self._changes, schema=PARTITION_SCHEMA)
        return changes.unique("key", keep="last")

    def changed_at(self, key: str) -> int:
        """Return the version that last changed a partition; -1: none did."""
        return self._changed_at.get(key, -1)

    def files(self, keys: Iterable[str]) -> list[LiveFile]:
        """Return the live files of some partitions."""
        return [file for key in keys for file in self._files.get(key, {}).values()]

    def live_keys(self) -> Iterator[str]:
        """Yield the keys of the partitions that have files."""
        return (key for key, files in self._files.items() if files)

    def schema(self) -> pl.Schema:
        """Return the columns, partition columns included.

        Raises:
            TableMismatch: a column's type or the way that the table's files are written cannot be read here, or there
                is no table.
        """
        if self.metadata is None or self.protocol is None:
            raise TableMismatch(f"there is no table {self.name}")
        demand = reader_demand(self.protocol, self.metadata.configuration)
        if demand:
            raise TableMismatch(f"table {self.name} {demand}, which this engine does not do; it cannot be read")
        return self.metadata.schema()

    def _note_record(self, commit: Commit) -> set[str]:
        if commit.record is None:
            return set()
        self.needs_format = max(self.needs_format, commit.record.needs_format)
        recorded: set[str] = set()
        for group in commit.record.groups:
            index = len(self.materializations)
            self.materializations.append(Materialization(commit.version, commit.record.run_id, group))
            for key, rows in zip(("",) if group.keys is None else group.keys, group.rows, strict=True):
                self._note(key, commit.version, Origin.ENGINE, rows, index)
                recorded.add(key)
        return recorded

    def _note(self, key: str, version: int, origin: Origin, rows: int | None, materialization: int | None) -> None:
        self._changed_at[key] = version
        for column, value in zip(self._changes, (key, version, int(origin), rows, materialization), strict=True):
            self._changes[column].append(value)

    def _add(self, key: str, file: LiveFile) -> None:
        self._remove(Removed(key, file.path, changes_data=False))
        self._files.setdefault(key, {})[file.path] = file
        self._key_of_path[file.path] = key
        size_bytes = self._size_bytes.get(key, 0) + file.size_bytes
        self._size_bytes[key] = size_bytes
        self.largest_partition_bytes = max(self.largest_partition_bytes, size_bytes)

    def _remove(self, removed: Removed) -> str | None:
        """Forget a file and return its partition; none if neither the action nor an add names it."""
        key = self._key_of_path.pop(removed.path, None)
        if key is None:
            return removed.key
        self._size_bytes[key] -= self._files[key].pop(removed.path).size_bytes
        return key
