"""Commit: make staged partitions visible, with their record, in one compare-and-swap.

A commit is the file `<version + 1>.json`, put only if it is not there yet: it succeeds only if nobody committed since
the version that was looked at. delta-rs' own call reads the table's whole state for each commit (1.2 to 2.3 s at
100,000 files); this costs about 1 ms at any size. Source: Delta protocol, "Delta Log Entries".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from deltaworks.errors import CommitConflict, StorageError
from deltaworks.io.dtypes import Json
from deltaworks.io.log import Commit, LiveFile, commit_path, parse_commit
from deltaworks.io.record import FORMAT, RECORD_KEY, Kind, Record
from deltaworks.io.staged import StagedFile
from deltaworks.io.table import Table

MAX_TRIES = 100
"""How often a commit is tried against other writers, each of which gets through meanwhile."""


_OPERATIONS: Mapping[Kind, tuple[str, Mapping[str, str]]] = {
    Kind.MATERIALIZE: ("WRITE", {"mode": "Overwrite"}),
    Kind.ROLLBACK: ("RESTORE", {}),
    Kind.WIPE: ("DELETE", {}),
}
"""Delta's word, and its parameters, for a commit of each kind."""


class Content(Protocol):
    """A partition's whole new content."""

    @property
    def key(self) -> str:
        """The partition."""
        ...

    @property
    def files(self) -> Sequence[StagedFile | LiveFile]:
        """All of its files, which lie in the table's folder."""
        ...

    def adds(self, now_ms: int) -> Iterable[Json]:
        """Yield the add action of each file."""
        ...


C = TypeVar("C", bound=Content)


@dataclass(frozen=True, slots=True)
class Committed:
    """What a commit did."""

    version: int | None
    """None: nothing was left to commit."""
    conflicts: tuple[CommitConflict, ...]
    """One for each partition that somebody else changed since it was decided on; it was left out."""
    refused: Mapping[str, str] = field(default_factory=dict[str, str])
    """Why others were left out, by key: they do not go together with what the table holds."""


def commit_partitions(
    table: Table,
    staged: Sequence[C],
    decided_at: Mapping[str, int],
    record_of: Callable[[Sequence[C]], Record],
    verify: Callable[[Table], None],
    now_ms: int,
    describe: Callable[[Table, Sequence[C]], Json] | None = None,
    judge: Callable[[Table, Sequence[C]], Mapping[str, str]] | None = None,
) -> Committed:
    """Give partitions new content and advance the table to the new version.

    A commit by somebody else in between is looked at: partitions that it did not change are committed with the same
    files, partitions that it changed are left out and reported.

    Args:
        table: the table, at any version from those of `decided_at` on.
        staged: the new content of each partition.
        decided_at: by partition key, the version on which it was decided that the partition is to be replaced.
        record_of: makes the record of the partitions that are left.
        verify: called again when a commit in between changed what the table asks of its writers.
        now_ms: the commit's timestamp, in milliseconds since 1970.
        describe: returns what the table is to say about itself from this commit on, as a metadata action, or none if
            that stays; with one, there is a commit even if it changes no partition.
        judge: returns why some of the partitions do not go together with what the table holds, by key; asked again
            after commits in between.

    Raises:
        StorageError: a data file is not there, or others committed `MAX_TRIES` times in between.
        TableMismatch: `verify` refused what a commit in between made of the table.
    """
    assert len({part.key for part in staged}) == len(staged), "a partition is staged once"
    run_id = record_of(staged).run_id
    _secure_files(table, staged)
    conflicts: list[CommitConflict] = []
    refused: dict[str, str] = {}
    is_judged = False
    left = list(staged)
    for _ in range(MAX_TRIES):
        between = table.tail()
        if any(_changes_demands(commit) for commit in between):
            verify(table)
        touched = _touched(table, left, decided_at, run_id)
        conflicts += [
            CommitConflict(table.name, [part.key] if part.key else [], decided_at[part.key], touched[part.key])
            for part in left
            if part.key in touched
        ]
        left = [part for part in left if part.key not in touched]
        if judge is not None and left and (between or not is_judged):
            refused |= judge(table, left)
            left, is_judged = [part for part in left if part.key not in refused], True
        metadata = None if describe is None else describe(table, left)
        if not left and metadata is None:
            return Committed(None, tuple(conflicts), refused)
        content = _commit_file(table, left, record_of(left), metadata, now_ms)
        if table.store.put_new_surely(commit_path(table.name, table.version + 1), content):
            table.apply(parse_commit(table.name, table.version + 1, content, table.places))
            return Committed(table.version, tuple(conflicts), refused)
    raise StorageError(
        f"table {table.name}: other writers committed {MAX_TRIES} times in a row while this commit was tried; "
        "run the command again when they are done"
    )


def _changes_demands(commit: Commit) -> bool:
    is_newer = commit.record is not None and commit.record.needs_format > FORMAT
    return commit.metadata is not None or commit.protocol is not None or is_newer


def _touched(table: Table, staged: Sequence[C], decided_at: Mapping[str, int], run_id: str) -> dict[str, int]:
    """Return the partitions that others changed since they were decided on, with the version of the change."""
    versions = {part.key: table.changed_at(part.key) for part in staged}
    return {
        key: version
        for key, version in versions.items()
        if version > decided_at[key] and table.writers[version].run_id != run_id
    }


def _secure_files(table: Table, staged: Sequence[C]) -> None:
    for part in staged:
        for file in part.files:
            if table.store.size_bytes(f"{table.name}/{file.path}") != file.size_bytes:
                raise StorageError(
                    f"table {table.name}: data file {file.path} is not there as it was written; nothing was "
                    "committed. Run the command again."
                )
    table.store.sync_folders(f"{table.name}/{file.path}" for part in staged for file in part.files)


def _commit_file(table: Table, staged: Sequence[C], record: Record, metadata: Json, now_ms: int) -> bytes:
    operation, parameters = _OPERATIONS[record.kind]
    info = {
        "timestamp": now_ms,
        "operation": operation,
        "operationParameters": parameters,
        "isBlindAppend": False,
        "engineInfo": record.engine,
        RECORD_KEY: record.to_json(),
    }
    actions: list[Json] = [{"commitInfo": info}]
    if metadata is not None:
        actions.append({"metaData": metadata})
    for part in staged:
        # A commit may name a path once only: what stays is added again, which says the same as before.
        stays = {file.path for file in part.files}
        actions += [{"remove": _remove(file, now_ms)} for file in table.files([part.key]) if file.path not in stays]
        actions += [{"add": add} for add in part.adds(now_ms)]
    # NaN is no JSON: other readers could not open the table any more.
    lines = (json.dumps(action, separators=(",", ":"), allow_nan=False) for action in actions)
    return "".join(f"{line}\n" for line in lines).encode()


def _remove(file: LiveFile, now_ms: int) -> Json:
    return {
        "path": file.logged_path,
        "deletionTimestamp": now_ms,
        "dataChange": True,
        "extendedFileMetadata": True,
        "partitionValues": dict(file.partition_values),
        "size": file.size_bytes,
    }
