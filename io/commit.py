"""Commit: make staged partitions visible, with their record, in one compare-and-swap.

A commit is the file `<version + 1>.json`, put only if it is not there yet: it succeeds only if nobody committed since
the version that was looked at. delta-rs' own call reads the table's whole state for each commit (1.2 to 2.3 s at
100,000 files); this costs about 1 ms at any size. Source: Delta protocol, "Delta Log Entries".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Protocol, TypeVar

from deltaworks.errors import CommitConflict, StorageError
from deltaworks.io.dtypes import Json
from deltaworks.io.failpoints import Step, hit
from deltaworks.io.log import Commit, LiveFile, commit_path, parse_commit
from deltaworks.io.protocol import upgrade
from deltaworks.io.record import FORMAT, RECORD_KEY, Kind, Record
from deltaworks.io.staged import StagedFile
from deltaworks.io.table import Table
from deltaworks.io.together import sizes_of

MAX_TRIES = 100
"""How often a commit is tried against other writers, each of which gets through meanwhile."""


_OPERATIONS: Mapping[Kind, tuple[str, Mapping[str, str]]] = {
    Kind.MATERIALIZE: ("WRITE", {"mode": "Overwrite"}),
    Kind.OBSERVE: ("WRITE", {"mode": "Overwrite"}),
    Kind.ROLLBACK: ("RESTORE", {}),
    Kind.WIPE: ("DELETE", {}),
    Kind.MAINTAIN: ("OPTIMIZE", {}),
}
"""Delta's word, and its parameters, for a commit of each kind."""

_NO_FACTS: Mapping[str, Json] = {}


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
    """One for each partition that was changed since it was decided on, by others or by another attempt of the same
    run; it was left out."""
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
    secure_files(table, [file for part in staged for file in part.files])
    conflicts: list[CommitConflict] = []
    refused: dict[str, str] = {}
    is_judged = False
    left = list(staged)
    for _ in range(MAX_TRIES):
        between = table.tail()
        if any(changes_demands(commit) for commit in between):
            verify(table)
        touched = _touched(table, left, decided_at)
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
        if put_next(table, record_of(left), _actions(table, left, metadata, now_ms), now_ms):
            return Committed(table.version, tuple(conflicts), refused)
    raise always_behind(table)


def commit_whole(
    table: Table,
    parts: Sequence[C],
    record: Record,
    metadata: Json,
    verify: Callable[[Table], None],
    now_ms: int,
) -> int:
    """Make a table consist of some partitions and nothing else, under other columns, and return its new version.

    A reader sees the table as it was or as it is to be, never a mixture.

    Args:
        table: the table, at the version on which all of this was decided.
        parts: the content of every partition that it is to have.
        record: what the commit says about itself.
        metadata: what the table says about itself from this commit on.
        verify: called before each try: may this engine write to the table as it is?
        now_ms: the commit's timestamp, in milliseconds since 1970.

    Raises:
        CommitConflict: others changed rows of the table, or what it says about itself, since it was decided.
        StorageError: a data file is not there, or others committed `MAX_TRIES` times in between.
        TableMismatch: `verify` refused.
    """
    decided_at = table.version
    secure_files(table, [file for part in parts for file in part.files])
    for _ in range(MAX_TRIES):
        theirs = next((commit for commit in table.tail() if _changes_anything(commit)), None)
        if theirs is not None:
            raise CommitConflict(table.name, [], decided_at, theirs.version)
        verify(table)
        gone = ({"remove": remove_action(file, now_ms)} for _, file in table.live_files())
        added = ({"add": add} for part in parts for add in part.adds(now_ms))
        if put_next(table, record, chain(described(table, metadata), gone, added), now_ms):
            return table.version
    raise always_behind(table)


def put_next(
    table: Table, record: Record, actions: Iterable[Json], now_ms: int, facts: Mapping[str, Json] = _NO_FACTS
) -> bool:
    """Put the commit after the version that a table is at, and advance it; return false if somebody else was faster.

    Args:
        table: the table.
        record: what the commit says about itself.
        actions: what it does.
        now_ms: its timestamp, in milliseconds since 1970.
        facts: what its `commitInfo` says beside that, in place of what is usual.
    """
    operation, parameters = _OPERATIONS[record.kind]
    info = {
        "timestamp": now_ms,
        "operation": operation,
        "operationParameters": parameters,
        "isBlindAppend": False,
        "engineInfo": record.engine,
        **facts,
        RECORD_KEY: record.to_json(),
    }
    # NaN is no JSON: other readers could not open the table any more.
    lines = (json.dumps(action, separators=(",", ":"), allow_nan=False) for action in ({"commitInfo": info}, *actions))
    content = "".join(f"{line}\n" for line in lines).encode()
    hit(Step.BEFORE_PUT)
    if not table.store.put_new_surely(commit_path(table.name, table.version + 1), content):
        return False
    hit(Step.AFTER_PUT)
    table.apply(parse_commit(table.name, table.version + 1, content, table.places))
    return True


def always_behind(table: Table) -> StorageError:
    """Return what is raised when others committed before each of `MAX_TRIES`."""
    return StorageError(
        f"table {table.name}: other writers committed {MAX_TRIES} times in a row while this commit was tried; "
        "run the command again when they are done"
    )


def changes_demands(commit: Commit) -> bool:
    """Return whether a table may ask something else of its writers since a commit."""
    is_newer = commit.record is not None and commit.record.needs_format > FORMAT
    return commit.metadata is not None or commit.protocol is not None or is_newer


def _changes_anything(commit: Commit) -> bool:
    """Return whether a commit does more than to move rows from file to file."""
    is_recorded = commit.record is not None and bool(commit.record.groups)
    return bool(commit.changed_keys) or is_recorded or changes_demands(commit)


def _touched(table: Table, staged: Sequence[C], decided_at: Mapping[str, int]) -> dict[str, int]:
    """Return the partitions that were changed since they were decided on, with the version of the change."""
    versions = {part.key: table.changed_at(part.key) for part in staged}
    return {key: version for key, version in versions.items() if version > decided_at[key]}


def secure_files(table: Table, files: Sequence[StagedFile | LiveFile]) -> None:
    """Make sure that files that are to be committed are there and stay there.

    Raises:
        StorageError: one is not: a commit that names it would make the table unreadable.
    """
    sizes = sizes_of(table.store, (f"{table.name}/{file.path}" for file in files))
    for file, size_bytes in zip(files, sizes, strict=True):
        if size_bytes != file.size_bytes:
            raise StorageError(
                f"table {table.name}: data file {file.path} is not there as it was written; nothing was "
                "committed. Run the command again."
            )
    hit(Step.BEFORE_SYNC)
    table.store.sync_folders(f"{table.name}/{file.path}" for file in files)
    hit(Step.AFTER_SYNC)


def _actions(table: Table, staged: Sequence[C], metadata: Json | None, now_ms: int) -> Iterator[Json]:
    yield from described(table, metadata)
    for part in staged:
        # A commit may name a path once only: what stays is added again, which says the same as before.
        stays = {file.path for file in part.files}
        gone = (file for file in table.files([part.key]) if file.path not in stays)
        yield from ({"remove": remove_action(file, now_ms)} for file in gone)
        yield from ({"add": add} for add in part.adds(now_ms))


def described(table: Table, metadata: Json | None) -> Iterator[Json]:
    """Yield the actions by which a table says something else about itself: metadata, and what its columns ask for."""
    if metadata is None:
        return
    assert table.protocol is not None, "a table that exists"
    protocol = upgrade(table.protocol, metadata["schemaString"])
    if protocol is not None:
        yield {"protocol": protocol}
    yield {"metaData": metadata}


def remove_action(file: LiveFile, now_ms: int, *, changes_data: bool = True) -> Json:
    """Return what removes a file."""
    return {
        "path": file.logged_path,
        "deletionTimestamp": now_ms,
        "dataChange": changes_data,
        "extendedFileMetadata": True,
        "partitionValues": dict(file.partition_values),
        "size": file.size_bytes,
    }
