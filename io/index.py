"""Index: what a table's log comes to, kept as two files so that only newer commits need to be read.

It is a cache: absent, stale, damaged or of another table, it is left aside and the log is read from its beginning. The
files of the table are a file of their own, read only by those who scan or write.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import polars as pl

from deltaworks.errors import StorageError
from deltaworks.io import index_file
from deltaworks.io.dtypes import Json
from deltaworks.io.failpoints import Step, hit
from deltaworks.io.live_files import LiveFiles
from deltaworks.io.log import LiveFile, Metadata
from deltaworks.io.materialization import Materialization
from deltaworks.io.protocol import Protocol
from deltaworks.io.record import Kind, Pin, Restored
from deltaworks.io.store import ENGINE_FOLDER, Store
from deltaworks.io.table import Table
from deltaworks.io.table_state import TableState
from deltaworks.io.writer import Writer

FOLDER = f"{ENGINE_FOLDER}/index"

FORMAT = 3
"""Of the index files. Another one is left aside."""

SAVE_BYTES = 64 * 1024
"""How much log is read past an index before it is written anew: reading so much costs about as much as writing one."""

_FILES_SCHEMA = pl.Schema(
    {
        "key": pl.String,
        "path": pl.String,
        "logged_path": pl.String,
        "size_bytes": pl.Int64,
        "partition_values": pl.String,
        "has_deletion_vector": pl.Boolean,
    }
)


def load_table(store: Store, name: str) -> Table:
    """Read a table at its latest version, from its index and the commits after it.

    Cost: the index's state and one read for each commit after it.

    Raises:
        LogGap: a commit is missing or damaged.
    """
    state = _read_state(store, name)
    if state is not None:
        # Not the state itself, which would hold its partitions as long as nobody asks for files.
        kept = (store, name, state.version, state.digest)
        table = Table.restore(store, name, state, partial(_read_files, *kept), load_sizes=partial(_read_sizes, *kept))
        if table.is_same():
            table.tail()
            return table
    return Table.read(store, name)


def load_indexed(store: Store, name: str) -> Table:
    """Read a table as `load_table`, and write its index if that is due. Then its files wait there until asked for.

    A lake of which no table has an index is read in the memory that one table takes, not all of them together.

    Raises:
        LogGap: a commit is missing or damaged.
    """
    table = load_table(store, name)
    return load_table(store, name) if save_index_if_due(table) else table


def save_index(table: Table) -> None:
    """Write a table's index.

    Raises:
        StorageError: the lake cannot be written.
    """
    assert table.external is None, "nothing is written beside a table that others write"
    if not table.exists:
        return
    state = table.state()
    # The state comes last: it is what says that there is an index.
    files = [
        (
            key,
            file.path,
            file.logged_path,
            file.size_bytes,
            json.dumps(dict(file.partition_values)),
            file.has_deletion_vector,
        )
        for key, file in table.live_files()
    ]
    hit(Step.INDEX)
    anchor = {"format": FORMAT, "version": state.version, "digest": state.digest.hex()}
    _write(table.store, _files_path(table.name), pl.DataFrame(files, schema=_FILES_SCHEMA, orient="row"), anchor)
    hit(Step.INDEX_HALF)
    _write(table.store, _state_path(table.name), state.partitions, anchor | state_json(state))
    table.is_indexed = True


def save_index_if_due(table: Table) -> bool:
    """Write a table's index if it has none that can be used, or if much log was read past it; say whether it was.

    Who may not write to the lake does without: everything is in the logs.
    """
    if not table.exists or (table.is_indexed and table.read_bytes < SAVE_BYTES):
        return False
    try:
        save_index(table)
    except StorageError:
        return False
    return True


def index_problem(table: Table) -> str | None:
    """Say what is wrong with the index of a table that was read from its log; none if it is right or absent.

    The index of a log that was put back or made anew is known to be none of this table's, and is no problem.
    """
    store, name = table.store, table.name
    if not store.exists(_state_path(name)):
        return None
    state = _read_state(store, name)
    if state is None:
        return "cannot be read"
    kept = Table.restore(store, name, state, lambda: _read_files(store, name, state.version, state.digest))
    try:
        kept.tail()
    except StorageError:
        return None
    table.tail()
    return None if _facts(kept) == _facts(table) else "says something else than the log"


def index_paths(name: str) -> tuple[str, str]:
    """Return the files of a table's index, whether they are there or not."""
    return _state_path(name), _files_path(name)


def drop_index(store: Store, name: str) -> None:
    """Delete a table's index."""
    for path in index_paths(name):
        store.delete(path)


def _facts(table: Table) -> tuple[Json, ...]:
    """Return everything that a table says, in a form that can be compared."""
    state = table.state()
    numbered = dict(enumerate(state.materializations))
    made = {
        key: (version, origin, rows, numbered.get(number))
        for key, version, origin, rows, number in state.partitions.iter_rows()
    }
    files = {(key, file.path): file for key, file in table.live_files()}
    whole = (state.version, state.digest, state.metadata, state.protocol, state.needs_format, state.largest_file_bytes)
    return (*whole, made, files, dict(state.writers))


def _state_path(name: str) -> str:
    return f"{FOLDER}/{name}.index"


def _files_path(name: str) -> str:
    return f"{FOLDER}/{name}.files"


def _write(store: Store, path: str, df: pl.DataFrame, facts: Mapping[str, Json]) -> None:
    # A cache need not survive a power cut: what is lost is older or damaged, and both are seen.
    replace(store, durable=False).put(path, index_file.to_bytes(df, facts))


def _read_state(store: Store, name: str) -> TableState | None:
    found = _read(store, _state_path(name))
    if found is None:
        return None
    partitions, facts = found
    try:
        return state_of(partitions, facts)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _read_files(store: Store, name: str, version: int, digest: bytes) -> LiveFiles:
    """Return the live files at an index's version; from the log, if the two files of the index are not of one piece."""
    live = LiveFiles()
    files = _files(store, name, version, digest)
    if files is None:
        for key, file in Table.read(store, name, version).live_files():
            live.add(key, file)
        return live
    for key, path, logged_path, size_bytes, values, has_deletion_vector in files.iter_rows():
        live.add(key, LiveFile(path, logged_path, size_bytes, json.loads(values), has_deletion_vector))
    return live


def _read_sizes(store: Store, name: str, version: int, digest: bytes) -> pl.DataFrame | None:
    """Return the sizes of partitions at an index's version, as `Table.sizes` does; none: only the files tell."""
    files = _files(store, name, version, digest)
    return None if files is None else files.group_by("key").agg(pl.col("size_bytes").sum())


def _files(store: Store, name: str, version: int, digest: bytes) -> pl.DataFrame | None:
    """Return the file of the index that says which files are live; none: it is not of one piece with the other."""
    found = _read(store, _files_path(name))
    is_same = found is not None and (found[1].get("version"), found[1].get("digest")) == (version, digest.hex())
    return found[0] if found is not None and is_same else None


def _read(store: Store, path: str) -> tuple[pl.DataFrame, dict[str, Any]] | None:
    content = store.read(path)
    return None if content is None else index_file.from_bytes(content, FORMAT)


def state_json(state: TableState) -> dict[str, Json]:
    """Return what is known of a table beside its partitions."""
    metadata, protocol = state.metadata, state.protocol
    return {
        "stamp": state.stamp,
        "needs_format": state.needs_format,
        "largest_file_bytes": state.largest_file_bytes,
        "metadata": [
            metadata.table_id,
            metadata.schema_string,
            list(metadata.partition_columns),
            dict(metadata.configuration),
        ],
        "protocol": [
            protocol.min_reader_version,
            protocol.min_writer_version,
            sorted(protocol.reader_features),
            sorted(protocol.writer_features),
        ],
        "materializations": [
            [
                made.version,
                made.run_id,
                made.source,
                made.override,
                {table_id: [pin.asset, pin.version, dict(pin.members)] for table_id, pin in made.inputs.items()},
                None if made.restored_from is None else [made.restored_from.version, made.restored_from.run_id],
                made.config_hash,
            ]
            for made in state.materializations
        ],
        "writers": [
            [version, writer.run_id, writer.operation, writer.engine_info, writer.timestamp_ms, writer.kind]
            for version, writer in state.writers.items()
        ],
    }


def state_of(partitions: pl.DataFrame, facts: Mapping[str, Any]) -> TableState:
    """Return what is known of a table from its partitions, the rest, its version and digest."""
    table_id, schema_string, partition_columns, configuration = facts["metadata"]
    reader_version, writer_version, reader_features, writer_features = facts["protocol"]
    return TableState(
        version=facts["version"],
        digest=bytes.fromhex(facts["digest"]),
        stamp=facts["stamp"],
        metadata=Metadata(table_id, schema_string, tuple(partition_columns), configuration),
        protocol=Protocol(reader_version, writer_version, frozenset(reader_features), frozenset(writer_features)),
        needs_format=facts["needs_format"],
        largest_file_bytes=facts["largest_file_bytes"],
        partitions=partitions,
        materializations=tuple(
            Materialization(
                version,
                run_id,
                source,
                override,
                {each: Pin(asset, pinned, tuple(members.items())) for each, (asset, pinned, members) in inputs.items()},
                None if restored is None else Restored(*restored),
                config_hash,
            )
            for version, run_id, source, override, inputs, restored, config_hash in facts["materializations"]
        ),
        writers={
            version: Writer(run_id, operation, engine_info, timestamp_ms, None if kind is None else Kind(kind))
            for version, run_id, operation, engine_info, timestamp_ms, kind in facts["writers"]
        },
    )
