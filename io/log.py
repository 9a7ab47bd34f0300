"""Commit log: one JSON file a version, read by name from the last version known.

Listing a log or asking delta-rs for its history reads every file of it; opening the next file by name costs about
0.2 ms. Source: Delta protocol, "Delta Log Entries" and "Actions".
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import PurePosixPath
from urllib.parse import unquote

import polars as pl

from deltaworks.errors import LogGap
from deltaworks.io.dtypes import Json, from_delta_schema
from deltaworks.io.places import WHOLE, Places
from deltaworks.io.protocol import Protocol
from deltaworks.io.record import RECORD_KEY, Group, Kind, Record, foreign_record, read_record
from deltaworks.io.store import Store
from deltaworks.io.together import until_none

SCHEME = "deltaworks.partitions"
"""The property that says by which kind of partitions a table was made: a key of one kind means nothing to another."""

_UNKNOWN = Places()


@dataclass(frozen=True, slots=True)
class LiveFile:
    """A data file that a version of a table consists of."""

    path: str
    """Below the table's folder."""
    logged_path: str
    """The same as the log writes it, percent-encoded by whoever added the file."""
    size_bytes: int
    partition_values: Mapping[str, str | None]
    has_deletion_vector: bool = False


@dataclass(frozen=True, slots=True)
class Added:
    """A file that a commit added."""

    key: str
    """The place of its partition."""
    file: LiveFile
    changes_data: bool
    """False for what only moves rows from file to file, such as a compaction."""


@dataclass(frozen=True, slots=True)
class Removed:
    """A file that a commit removed."""

    key: str | None
    """None: the action does not name its partition; it is that of the add."""
    path: str
    changes_data: bool
    removed_at_ms: int | None = None
    """When, by the clock of whoever removed it, in milliseconds since 1970; none: the action does not say."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a table says about itself."""

    table_id: str
    schema_string: str
    partition_columns: tuple[str, ...]
    configuration: Mapping[str, str]

    @property
    def names_keys(self) -> bool:
        """Whether its rows name their partitions in a column that does not cut it, as those of a source do."""
        return not self.partition_columns and self.scheme is not None

    @property
    def scheme(self) -> str | None:
        """The kind of its partitions, by which a key means the same; none: nobody has said."""
        return self.configuration.get(SCHEME)

    def schema(self) -> pl.Schema:
        """Return the columns as Polars dtypes, partition columns included.

        Raises:
            ValueError: a column's type cannot be read here.
        """
        return from_delta_schema(self.schema_string)

    def places(self) -> Places:
        """Return where partitions of the table lie."""
        if not self.partition_columns:
            return Places()
        try:
            return Places.of(self.partition_columns, self.schema())
        except ValueError:
            return Places(self.partition_columns)  # a table that cannot be read is told apart later


@dataclass(frozen=True, slots=True)
class Commit:
    """One version of a table: what it changed and what it says about itself."""

    version: int
    digest: bytes
    """Of the commit file: tells the commits of two tables that lay in the same place apart."""
    size_bytes: int
    timestamp_ms: int
    operation: str
    engine_info: str
    record: Record | None
    """None: an outside write."""
    recorded: tuple[Sequence[str], ...]
    """For each group of the record, the places of its partitions."""
    removed: tuple[Removed, ...]
    added: tuple[Added, ...]
    """In the order of the commit, like `removed`; a file in both was added again with other properties."""
    metadata: Metadata | None
    protocol: Protocol | None

    @property
    def changed_keys(self) -> set[str | None]:
        """The partitions whose data it changed, as its actions name them; none stands for those they do not name."""
        actions: tuple[Added | Removed, ...] = (*self.added, *self.removed)
        return {action.key for action in actions if action.changes_data}


def commit_path(table: str, version: int) -> str:
    """Return where a version's commit file lies."""
    return f"{table}/_delta_log/{version:020d}.json"


def path_below(store: Store, table: str, path: str) -> str:
    """Return a logged path below its table's folder; others may log it in full."""
    return path.removeprefix("file://").removeprefix(f"{store.uri(table)}/")


def tail(
    store: Store,
    table: str,
    after: int,
    up_to: int | None = None,
    places: Places = _UNKNOWN,
    *,
    is_foreign: bool = False,
) -> Iterator[Commit]:
    """Yield the commits after a version, ascending; `places` are those of the table at that version.

    Cost: one read a commit; three look-ups find nothing, and of a long log in an object store a few more. From the
    beginning (`after` -1), the log is listed once.

    Raises:
        LogGap: a commit file is absent though a later version is known, or cannot be read as commits are.
    """
    for version, content in _contents(store, table, after, up_to):
        commit = parse_commit(table, version, content, places, is_foreign=is_foreign)
        if commit.metadata is not None and not places.is_whole:
            places = commit.metadata.places()
        yield commit


def records(store: Store, table: str, after: int) -> Iterator[Record]:
    """Yield the records of the commits after a version, ascending; what others wrote has none.

    The keys in them are not compared with files, so it need not be known how the table was cut then.

    Raises:
        LogGap: as of `tail`, but for commits that lack files.
        StorageError: a record cannot be read.
    """
    for version, content in _contents(store, table, after):
        try:
            infos = [action["commitInfo"] for action in _actions(content) if "commitInfo" in action]
        except (ValueError, TypeError) as error:
            raise _unreadable(table, version, error) from error
        for document in (info[RECORD_KEY] for info in infos if info.get(RECORD_KEY) is not None):
            yield read_record(document, table)


def parse_commit(
    table: str, version: int, content: bytes, places: Places = _UNKNOWN, *, is_foreign: bool = False
) -> Commit:
    """Read one commit file of a table with these places, unless the commit itself says which there are.

    `is_foreign`: whether others write the table, so that of a record in it only the run matters.

    Raises:
        LogGap: it is empty or cut off, or has no action.
        StorageError: the record in it cannot be read.
    """
    info: Json = {}
    metadata, protocol = None, None
    added: list[Added] = []
    removed: list[Removed] = []
    try:
        actions = _actions(content)
        described = [read_metadata(action["metaData"]) for action in actions if "metaData" in action]
        if described:
            metadata = described[-1]
            places = places if places.is_whole else metadata.places()
        for action in actions:
            match action:
                case {"add": add}:
                    file = read_file(add)
                    added.append(Added(places.of_values(file.partition_values), file, add["dataChange"]))
                case {"remove": remove}:
                    values = remove.get("partitionValues")
                    key = None if values is None else places.of_values(values)
                    at_ms = remove.get("deletionTimestamp")
                    removed.append(Removed(key, unquote(remove["path"]), remove["dataChange"], at_ms))
                case {"commitInfo": found}:
                    info = found
                case {"protocol": found}:
                    protocol = read_protocol(found)
                case dict():
                    pass  # the metadata, a txn, or what a later protocol adds: no partition's content
                case _:
                    raise TypeError("an action is not an object")
        document = info.get(RECORD_KEY)
        timestamp_ms = int(info.get("timestamp") or 0)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _unreadable(table, version, error) from error
    if not actions:
        raise LogGap(table, version, "is empty")
    record = foreign_record(document) if is_foreign else None if document is None else read_record(document, table)
    groups = () if record is None else record.groups
    recorded = tuple(places.of_keys(_keys(group)) for group in groups)
    added_places = {each.key for each in added}
    if record is not None and record.kind is Kind.MAINTAIN:
        lost = next((each.key for each in removed if each.key is not None and each.key not in added_places), None)
    else:
        lost = _lost_key(groups, recorded, added_places)
    if lost is not None:
        raise LogGap(table, version, f"was cut off (it recorded rows {f'of {lost} ' if lost else ''}and adds no file)")
    return Commit(
        version=version,
        digest=digest(content),
        size_bytes=len(content),
        timestamp_ms=timestamp_ms,
        operation=str(info.get("operation") or "unknown"),
        engine_info=str(info.get("engineInfo") or "unknown"),
        record=record,
        recorded=recorded,
        removed=tuple(removed),
        added=tuple(added),
        metadata=metadata,
        protocol=protocol,
    )


def recorded_in(store: Store, table: str, version: int, places: Places) -> Record | None:
    """Return the record of one version of a table with these places; none: others wrote it, or its commit is gone.

    Raises:
        LogGap: the commit is damaged.
        StorageError: the record in it cannot be read.
    """
    content = store.read(commit_path(table, version))
    return None if content is None else parse_commit(table, version, content, places).record


def digest(content: bytes) -> bytes:
    """Return a hash of a commit file."""
    return hashlib.blake2b(content, digest_size=16).digest()


def last_checkpoint(store: Store, table: str) -> int:
    """Return the version of the latest checkpoint that the log points to; -1: none."""
    content = store.read(f"{table}/_delta_log/_last_checkpoint")
    try:
        return -1 if content is None else int(json.loads(content)["version"])
    except (ValueError, KeyError, TypeError):
        return -1  # a hint that cannot be read says nothing; the commit files do


def _contents(store: Store, table: str, after: int, up_to: int | None = None) -> Iterator[tuple[int, bytes]]:
    """Yield the commit files after a version, each with its version."""
    version = after + 1
    while up_to is None or version <= up_to:
        later = count(version) if up_to is None else range(version, up_to + 1)
        for content in until_none(store, store.read, (commit_path(table, each) for each in later)):
            yield version, content
            version += 1
        if (up_to is not None and version > up_to) or not _goes_on(store, table, version, thorough=after < 0):
            return
        # Others may have committed this version and the next between the two looks.
        missed = store.read(commit_path(table, version))
        if missed is None:
            raise LogGap(table, version, "is absent though a later one exists")
        yield version, missed
        version += 1


def _unreadable(table: str, version: int, error: Exception) -> LogGap:
    return LogGap(table, version, f"cannot be read ({type(error).__name__}: {error})")


def _goes_on(store: Store, table: str, version: int, *, thorough: bool) -> bool:
    """Return whether a version is known that is later than an absent one, or a checkpoint of that one itself."""
    if last_checkpoint(store, table) >= version or store.exists(commit_path(table, version + 1)):
        return True
    names = (PurePosixPath(path).name for path in store.list(f"{table}/_delta_log")) if thorough else ()
    return any(int(name[:20]) >= version for name in names if _VERSION.fullmatch(name))


def _actions(content: bytes) -> list[Json]:
    """Return the actions of a commit file, one a line, all read at once: line by line takes twice the time."""
    lines = [line for line in content.decode().split("\n") if line.strip()]
    separator = ",\n"  # no text goes over the end of a line
    actions: list[Json] = json.loads(f"[{separator.join(lines)}]")
    if len(actions) != len(lines):
        raise ValueError("it has more than one action in a line")
    return actions


def _lost_key(groups: Sequence[Group], recorded: Sequence[Sequence[str]], added: set[str]) -> str | None:
    """Return a partition that a record gives rows, but its commit no file: the rest of the commit is lost.

    A file of a table that is not cut may hold any of them.
    """
    if WHOLE in added:
        return None
    for group, places in zip(groups, recorded, strict=True):
        for key, place, rows in zip(_keys(group), places, group.rows, strict=True):
            if rows and place not in added:
                return key
    return None


def _keys(group: Group) -> tuple[str, ...]:
    return ("",) if group.keys is None else group.keys


_VERSION = re.compile(r"\d{20}\.(json|checkpoint\..*)")


def read_file(add: Json) -> LiveFile:
    """Return the file of an add action."""
    return LiveFile(
        path=unquote(add["path"]),
        logged_path=add["path"],
        size_bytes=int(add["size"]),
        # The protocol writes null as the empty string, most writers as null.
        partition_values={column: value or None for column, value in add["partitionValues"].items()},
        has_deletion_vector=add.get("deletionVector") is not None,
    )


def read_metadata(action: Json) -> Metadata:
    """Return what a metadata action says."""
    return Metadata(
        table_id=action["id"],
        schema_string=action["schemaString"],
        partition_columns=tuple(action["partitionColumns"]),
        configuration=action.get("configuration") or {},
    )


def read_protocol(action: Json) -> Protocol:
    """Return what a protocol action asks for."""
    return Protocol(
        min_reader_version=int(action["minReaderVersion"]),
        min_writer_version=int(action["minWriterVersion"]),
        reader_features=frozenset(action.get("readerFeatures") or ()),
        writer_features=frozenset(action.get("writerFeatures") or ()),
    )
