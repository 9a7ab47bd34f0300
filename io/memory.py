"""Memory: what a lake has learnt of a table that others write, which that table's log may cease to tell.

Whoever writes the table may delete its old commits. Which version last changed each partition is known from then on
only to those who read them in time, so it is a record of the lake: it lies below `_deltaworks/state/`, in one file for
each table, together with the live files that are compared with the next checkpoint when commits are gone unread.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from deltaworks.errors import StorageError
from deltaworks.io.baseline import Baseline, find_baseline
from deltaworks.io.external import External
from deltaworks.io.index import SAVE_BYTES, state_json, state_of
from deltaworks.io.live_files import LiveFiles
from deltaworks.io.log import LiveFile, commit_path, digest
from deltaworks.io.store import ENGINE_FOLDER, Store
from deltaworks.io.table import Table
from deltaworks.io.table_state import PARTITION_SCHEMA, TableState

FOLDER = f"{ENGINE_FOLDER}/state/external"

FORMAT = 1
"""Of the file. Another one is not understood, and what it knows counts as not known."""

_KEY = "deltaworks"
_SCHEMA = pl.Schema([*PARTITION_SCHEMA.items(), ("files", pl.String())])
"""One row a partition that was ever changed: its state, and its live files as JSON."""


@dataclass(frozen=True, slots=True)
class _Memory:
    state: TableState
    epoch: int
    is_whole: bool
    """Whether it counted as one partition then."""
    content: bytes
    """Of the file, the largest part of which are the live files: they are not always asked for."""

    def live(self) -> LiveFiles:
        live = LiveFiles()
        files = pl.read_parquet(io.BytesIO(self.content), columns=["files"])["files"]
        for key, text in zip(self.state.partitions["key"], files, strict=True):
            for path, logged_path, size_bytes, values, has_deletion_vector in json.loads(text):
                live.add(key, LiveFile(path, logged_path, size_bytes, values, has_deletion_vector))
        return live


def load_external(store: Store, name: str, external: External) -> Table:
    """Read a table that others write at its latest version, from what is remembered of it and the commits after that.

    Where commits are gone that nobody read, the table goes on from the next checkpoint. If its log is not the one that
    is remembered, a new epoch begins; then, or if nothing is remembered, all is told by what is left of the log.

    Raises:
        LogGap: a commit is missing or damaged, and there is no checkpoint to go on from.
    """
    memory = _read(external)
    if memory is None:
        return Table.read(store, name, external=external)
    goes_on, baseline = _continuation(store, name, memory)
    external = _in_epoch(external, memory, goes_on=goes_on)
    if not goes_on or memory.is_whole != external.is_whole:
        return Table.read(store, name, external=external)
    table = Table.restore(store, name, memory.state, memory.live, external)
    if baseline is not None:
        table.skip_to(baseline)
    table.follow()
    return table


def as_known(store: Store, name: str, external: External) -> External:
    """Return what a table that others write is to a lake, in the epoch that its log is in now.

    Raises:
        LogGap: a checkpoint is damaged.
    """
    memory = _read(external)
    if memory is None:
        return external
    goes_on, _ = _continuation(store, name, memory)
    return _in_epoch(external, memory, goes_on=goes_on)


def remember(table: Table) -> None:
    """Keep what is known of a table, unless more is kept already.

    Raises:
        StorageError: the lake cannot be written.
    """
    assert table.external is not None, "tables of the lake's own need no memory: their logs are never cleaned"
    if not table.exists:
        return
    kept = _read(table.external)
    if kept is not None and _is_more(kept, table, table.external):
        return
    state = table.state()
    files: dict[str, list[tuple[Any, ...]]] = {}
    for key, file in table.live_files():
        values = dict(file.partition_values)
        files.setdefault(key, []).append(
            (file.path, file.logged_path, file.size_bytes, values, file.has_deletion_vector)
        )
    texts = [json.dumps(files.get(key, [])) for key in state.partitions["key"]]
    anchor = {"format": FORMAT, "version": state.version, "digest": state.digest.hex()}
    facts = anchor | {"is_whole": table.external.is_whole, "epoch": table.external.epoch} | state_json(state)
    buffer = io.BytesIO()
    df = state.partitions.with_columns(files=pl.Series(texts, dtype=pl.String))
    df.write_parquet(buffer, metadata={_KEY: json.dumps(facts)})
    table.external.lake.put(_path(table.external), buffer.getvalue())
    table.is_indexed, table.read_bytes = True, 0


def remember_if_due(table: Table) -> None:
    """Keep what is known of a table if nothing is kept that can be used, or if much log was read past it.

    Who may not write to the lake does without, and knows what the log still tells.
    """
    if table.is_indexed and table.read_bytes < SAVE_BYTES:
        return
    try:
        remember(table)
    except StorageError:
        return


def memory_problem(external: External) -> str | None:
    """Say why what is remembered of a table cannot be used; none if it can, or if there is nothing."""
    path = _path(external)
    if not external.lake.exists(path) or _parsed(external.lake.read(path)) is not None:
        return None
    return f"{external.lake.uri(path)} cannot be read"


def _continuation(store: Store, name: str, memory: _Memory) -> tuple[bool, Baseline | None]:
    """Return whether a log goes on from what is remembered, and with which checkpoint where its commit is gone.

    A checkpoint of the very version that is remembered must have its files: another history of the same table may have
    come as far.
    """
    state = memory.state
    content = store.read(commit_path(name, state.version))
    if content is not None:
        return digest(content) == state.digest, None
    baseline = find_baseline(store, name, since=state.version)
    if baseline is None or baseline.metadata.table_id != state.metadata.table_id:
        return False, baseline
    is_same = baseline.version > state.version or _named(baseline.files) == _named(file for _, file in memory.live())
    return is_same, baseline


def _named(files: Iterable[LiveFile]) -> set[tuple[str, bool]]:
    return {(file.path, file.has_deletion_vector) for file in files}


def _in_epoch(external: External, memory: _Memory, *, goes_on: bool) -> External:
    return replace(external, epoch=memory.epoch if goes_on else memory.epoch + 1)


def _is_more(kept: _Memory, table: Table, external: External) -> bool:
    if kept.epoch != external.epoch:
        return kept.epoch > external.epoch
    return kept.is_whole == external.is_whole and kept.state.version > table.version


def _path(external: External) -> str:
    return f"{FOLDER}/{external.key}.parquet"


def _read(external: External) -> _Memory | None:
    """Return what is remembered; none: nothing is, or it cannot be read."""
    return _parsed(external.lake.read(_path(external)))


def _parsed(content: bytes | None) -> _Memory | None:
    if content is None:
        return None
    try:
        facts: Mapping[str, Any] = json.loads(pl.read_parquet_metadata(io.BytesIO(content))[_KEY])
        if facts["format"] != FORMAT or pl.read_parquet_schema(io.BytesIO(content)) != _SCHEMA:
            return None
        partitions = pl.read_parquet(io.BytesIO(content), columns=PARTITION_SCHEMA.names())
        return _Memory(state_of(partitions, facts), facts["epoch"], facts["is_whole"], content)
    except (pl.exceptions.PolarsError, OSError, KeyError, TypeError, ValueError, AttributeError):
        return None
