"""Commit log: one JSON file a version, read by name from the last version known.

Listing a log or asking delta-rs for its history reads every file of it; opening the next file by name costs about
0.2 ms. Source: Delta protocol, "Delta Log Entries" and "Actions".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import polars as pl

from deltaworks.errors import LogGap, TableMismatch
from deltaworks.io.dtypes import Json, from_delta_schema
from deltaworks.io.partition_values import partition_key
from deltaworks.io.record import RECORD_KEY, Record, read_record
from deltaworks.io.store import Store


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
class Metadata:
    """What a table says about itself."""

    table_id: str
    schema_string: str
    partition_columns: tuple[str, ...]
    configuration: Mapping[str, str]

    def schema(self) -> pl.Schema:
        """Return the columns as Polars dtypes, partition columns included.

        Raises:
            TableMismatch: a column's type cannot be read here.
        """
        try:
            return from_delta_schema(self.schema_string)
        except ValueError as error:
            raise TableMismatch(f"table {self.table_id}: {error}") from error


@dataclass(frozen=True, slots=True)
class Protocol:
    """What a table asks of its readers and writers."""

    min_reader_version: int
    min_writer_version: int
    reader_features: frozenset[str]
    writer_features: frozenset[str]


@dataclass(frozen=True, slots=True)
class Commit:
    """One version of a table: what it changed and what it says about itself."""

    version: int
    size_bytes: int
    timestamp_ms: int
    operation: str
    engine_info: str
    record: Record | None
    """None: an outside write."""
    added: tuple[tuple[str, LiveFile], ...]
    """Partition key and file, in the order of the commit."""
    removed: tuple[tuple[str | None, str], ...]
    """Partition key, where the action names it, and path."""
    changed_keys: frozenset[str]
    """Partitions with an action that changes data."""
    removed_unnamed: frozenset[str]
    """Paths removed with a change of data by actions that do not name their partition."""
    metadata: Metadata | None
    protocol: Protocol | None


def commit_path(table: str, version: int) -> str:
    """Return where a version's commit file lies."""
    return f"{table}/_delta_log/{version:020d}.json"


def tail(store: Store, table: str, after: int, up_to: int | None = None) -> Iterator[Commit]:
    """Yield the commits after a version, ascending; at most one look-up finds nothing.

    Raises:
        LogGap: a commit file is absent though later ones are known, or cannot be read as commits are.
    """
    version = after + 1
    while up_to is None or version <= up_to:
        content = store.read(commit_path(table, version))
        if content is None:
            break
        yield parse_commit(table, version, content)
        version += 1
    if up_to is None and last_checkpoint(store, table) >= version:
        raise LogGap(table, version, "is absent though a later checkpoint exists")


def parse_commit(table: str, version: int, content: bytes) -> Commit:
    """Read one commit file.

    Raises:
        LogGap: it is empty, cut off or has no action.
    """
    info: Json = None
    metadata, protocol = None, None
    added: list[tuple[str, LiveFile]] = []
    removed: list[tuple[str | None, str]] = []
    changed: set[str] = set()
    unnamed: set[str] = set()
    try:
        actions = [json.loads(line) for line in content.splitlines() if line.strip()]
        for action in actions:
            if "add" in action:
                file = _live_file(action["add"])
                key = partition_key(file.partition_values)
                added.append((key, file))
                if action["add"]["dataChange"]:
                    changed.add(key)
            elif "remove" in action:
                remove = action["remove"]
                path, values = unquote(remove["path"]), remove.get("partitionValues")
                key = None if values is None else partition_key(values)
                removed.append((key, path))
                if remove["dataChange"]:
                    unnamed.add(path) if key is None else changed.add(key)
            elif "commitInfo" in action:
                info = action["commitInfo"]
            elif "metaData" in action:
                metadata = _metadata(action["metaData"])
            elif "protocol" in action:
                protocol = _protocol(action["protocol"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LogGap(table, version, f"cannot be read ({type(error).__name__}: {error})") from error
    if not actions:
        raise LogGap(table, version, "is empty")
    info = info or {}
    document = info.get(RECORD_KEY)
    return Commit(
        version=version,
        size_bytes=len(content),
        timestamp_ms=int(info.get("timestamp") or 0),
        operation=str(info.get("operation") or "unknown"),
        engine_info=str(info.get("engineInfo") or "unknown"),
        record=None if document is None else read_record(document, table),
        added=tuple(added),
        removed=tuple(removed),
        changed_keys=frozenset(changed),
        removed_unnamed=frozenset(unnamed),
        metadata=metadata,
        protocol=protocol,
    )


def last_checkpoint(store: Store, table: str) -> int:
    """Return the version of the latest checkpoint that the log points to; -1: none."""
    content = store.read(f"{table}/_delta_log/_last_checkpoint")
    try:
        return -1 if content is None else int(json.loads(content)["version"])
    except (ValueError, KeyError, TypeError):
        return -1  # a hint that cannot be read says nothing; the commit files do


def _live_file(add: Json) -> LiveFile:
    return LiveFile(
        path=unquote(add["path"]),
        logged_path=add["path"],
        size_bytes=int(add["size"]),
        partition_values=add["partitionValues"],
        has_deletion_vector=add.get("deletionVector") is not None,
    )


def _metadata(action: Json) -> Metadata:
    return Metadata(
        table_id=action["id"],
        schema_string=action["schemaString"],
        partition_columns=tuple(action["partitionColumns"]),
        configuration=action.get("configuration") or {},
    )


def _protocol(action: Mapping[str, Any]) -> Protocol:
    return Protocol(
        min_reader_version=int(action["minReaderVersion"]),
        min_writer_version=int(action["minWriterVersion"]),
        reader_features=frozenset(action.get("readerFeatures") or ()),
        writer_features=frozenset(action.get("writerFeatures") or ()),
    )
