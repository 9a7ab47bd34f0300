"""Damage: what is wrong with a table's log, commit by commit, past the first thing that is.

Reading a table stops at the first commit that is absent or cut off. Here the rest is looked at too, and also what a
reader cannot see: commits by others whose own counts of files do not fit their actions.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

import polars as pl

from deltaworks.errors import LogGap, StorageError
from deltaworks.io.dtypes import Json
from deltaworks.io.log import Commit, commit_path, last_checkpoint, parse_commit
from deltaworks.io.scan import file_path
from deltaworks.io.store import Store
from deltaworks.io.table import Table
from deltaworks.io.together import sizes_of, together

_COMMIT = re.compile(r"(\d{20})\.json")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint(\..+)?\.parquet")

_ADDED = ("num_added_files", "numAddedFiles", "numFilesAdded", "numRestoredFile", "num_target_files_added")
_REMOVED = ("num_removed_files", "numRemovedFiles", "numFilesRemoved", "numRemovedFile", "num_target_files_removed")
"""What writers call the counts of files in `operationMetrics`."""


@dataclass(frozen=True, slots=True)
class DamagedCommit:
    """A commit that is absent, cut off or not to be understood."""

    version: int
    problem: str
    """After "version 4 of the log"."""


@dataclass(frozen=True, slots=True)
class DamagedCheckpoint:
    """A checkpoint that does not say what the commits up to it come to."""

    paths: tuple[str, ...]
    """What to delete to be rid of it."""
    problem: str


@dataclass(frozen=True)
class Inspection:
    """A log, looked through from end to end."""

    table: Table
    """At the last version before the first damage that stops a reader."""
    last: int
    """The latest version that is known of; -1: there is no table."""
    commits: tuple[DamagedCommit, ...]
    """Ascending."""
    checkpoints: tuple[DamagedCheckpoint, ...]
    last_checkpoint: int
    """The latest version that has one, damaged or not; -1: none has."""

    @property
    def is_readable(self) -> bool:
        """Whether the table could be read to its end."""
        return self.table.version == self.last


def inspect(store: Store, name: str) -> Inspection:
    """Look through a table's log and its checkpoints.

    Cost: reads every commit and every checkpoint.

    Raises:
        StorageError: the disk refuses to be read.
    """
    names = [path.rpartition("/")[2] for path in store.list(f"{name}/_delta_log")]
    versions = {int(found[1]) for each in names if (found := _COMMIT.fullmatch(each))}
    checkpoints: dict[int, list[str]] = {}
    for each in names:
        if found := _CHECKPOINT.fullmatch(each):
            checkpoints.setdefault(int(found[1]), []).append(each)
    hinted = last_checkpoint(store, name)
    last = max((*versions, *checkpoints, -1))

    table = Table(store, name)
    commits: list[DamagedCommit] = []
    wrong: list[DamagedCheckpoint] = []
    contents = together(store, store.read, (commit_path(name, version) for version in sorted(versions)))
    for version in range(last + 1):
        problem = _problem(table, version, next(contents) if version in versions else None)
        if problem is not None:
            commits.append(DamagedCommit(version, problem))
        if version in checkpoints:
            found_wrong = _checkpoint_problem(table, version, sorted(checkpoints[version]))
            if found_wrong is not None:
                paths = [*checkpoints[version], *(["_last_checkpoint"] if version == hinted else [])]
                wrong.append(DamagedCheckpoint(tuple(f"{name}/_delta_log/{each}" for each in paths), found_wrong))
    hint = f"{name}/_delta_log/_last_checkpoint"
    if hinted < 0 and store.exists(hint):
        wrong.append(DamagedCheckpoint((hint,), "cannot be read, so it points to no checkpoint"))
    if hinted >= 0 and hinted not in checkpoints:
        wrong.append(DamagedCheckpoint((hint,), f"names the checkpoint of version {hinted}, which is not there"))
    return Inspection(table, last, tuple(commits), tuple(wrong), max(checkpoints, default=-1))


def _problem(table: Table, version: int, content: bytes | None) -> str | None:
    """Say what is wrong with a commit; advance the table by it if nothing stopped a reader before."""
    if content is None:
        return "is absent though a later one exists"
    try:
        commit = parse_commit(table.name, version, content, table.places)
        if table.version == version - 1:
            table.apply(commit)
    except LogGap as error:
        return error.problem
    except StorageError as error:
        return f"cannot be understood ({error})"
    return _short(content, commit) or _not_emptied(table, commit)


def _short(content: bytes, commit: Commit) -> str | None:
    """Compare the files of an outside commit with what it says about itself."""
    infos = (json.loads(line).get("commitInfo") for line in content.splitlines() if line.strip())
    metrics: Json = next((info.get("operationMetrics") for info in infos if info), None) or {}
    for words, verb, found in ((_ADDED, "adds", len(commit.added)), (_REMOVED, "removes", len(commit.removed))):
        said = next((_count(metrics[word]) for word in words if word in metrics), None)
        if said is not None and found < said:
            return f"was cut off (it says that it {verb} {said} files, and {verb} {found})"
    return None


def _count(value: object) -> int | None:
    return int(str(value)) if str(value).isdecimal() else None


def _not_emptied(table: Table, commit: Commit) -> str | None:
    """Find a partition that a record says is empty now, though its old files were not removed."""
    if commit.record is None or table.version != commit.version or table.names_keys:
        return None
    for group in commit.record.groups:
        for key, rows in zip(("",) if group.keys is None else group.keys, group.rows, strict=True):
            if rows == 0 and table.files([key]):  # of what others wrote, a record does not know the rows
                return f"was cut off (it recorded that {key or 'the table'} is empty and does not remove its files)"
    return None


def _checkpoint_problem(table: Table, version: int, names: list[str]) -> str | None:
    """Compare a checkpoint with the table; one in several parts is only read."""
    for name in names:
        content = table.store.read(f"{table.name}/_delta_log/{name}") or b""
        try:
            df = pl.read_parquet(io.BytesIO(content))
            adds = df["add"].drop_nulls().struct.field("path").to_list()
            is_whole = len(names) == 1 and ("sidecar" not in df.columns or df["sidecar"].drop_nulls().is_empty())
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
            return f"cannot be read ({type(error).__name__}: {' '.join(str(error).split())})"
        live = {file.path for _, file in table.live_files()}
        if is_whole and table.version == version and {unquote(path) for path in adds} != live:
            return f"names {len(adds)} data files, and the commits come to {len(live)}, or to others"
    return None


def data_damage(table: Table) -> Iterator[tuple[str, str, str]]:
    """Yield the live files that are not in the store as the log says: partition, path, what is wrong."""
    files = [(key, file) for key, file in table.live_files() if "://" not in file.path]
    sizes = sizes_of(table.store, (file_path(table.name, file) for _, file in files))
    for (key, file), size_bytes in zip(files, sizes, strict=True):
        if size_bytes is None:
            yield key, file.path, "is not there"
        elif size_bytes != file.size_bytes:
            yield key, file.path, f"has {size_bytes} bytes instead of {file.size_bytes}"
