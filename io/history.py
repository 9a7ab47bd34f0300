"""History: a table's commits from the latest one backwards."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import PurePosixPath

from deltaworks.errors import LogGap, StorageError
from deltaworks.io.log import Commit, commit_path, parse_commit
from deltaworks.io.places import Places
from deltaworks.io.store import Store
from deltaworks.io.table import Table
from deltaworks.io.together import together


def history(store: Store, table: str, external: Table | None = None, *, before: int | None = None) -> Iterator[Commit]:
    """Yield a table's commits, newest first, back to the oldest one that the log still has; none if there is no table.

    `external`: the table, if others write it. `before`: only commits of versions below this one.

    Cost: the log is listed once and its oldest commit read; others are read when they are asked for, in an object
    store a little before.

    Raises:
        LogGap: a commit file is absent though an earlier one exists, or cannot be read as commits are.
    """
    names = (PurePosixPath(path).name for path in store.list(f"{table}/_delta_log"))
    versions = {int(name[:20]) for name in names if _COMMIT.fullmatch(name)}
    if not versions:
        return
    places = _places(store, table, min(versions)) if external is None else external.places
    newest = max(versions) if before is None else min(max(versions), before - 1)
    backwards = range(newest, min(versions) - 1, -1)
    with closing(
        together(store, store.read, (commit_path(table, version) for version in backwards), eager=False)
    ) as contents:
        for version, content in zip(backwards, contents, strict=True):
            if content is None:
                raise LogGap(table, version, "is absent though an earlier one exists")
            if external is not None:
                yield parse_commit(table, version, content, places, is_foreign=True)
            else:
                commit, places = placed(store, table, version, content, places)
                yield commit


def placed(store: Store, table: str, version: int, content: bytes, places: Places) -> tuple[Commit, Places]:
    """Return a commit of a table that was cut like this once, and how it was cut then: a migration may change that.

    Raises:
        LogGap: it cannot be read as commits are.
    """
    commit = _fitting(table, version, content, places)
    if commit is not None:
        return commit, places
    places = _places(store, table, version)
    return parse_commit(table, version, content, places), places


def _fitting(table: str, version: int, content: bytes, places: Places) -> Commit | None:
    """Return a commit if its partitions lie in these places."""
    try:
        commit = parse_commit(table, version, content, places)
    except LogGap:
        return None
    columns = set(places.columns)
    fits = commit.metadata is not None or all(set(each.file.partition_values) == columns for each in commit.added)
    return commit if fits else None


def _places(store: Store, table: str, version: int) -> Places:
    """Return the places of a version, told by the latest commit up to it that describes the table.

    That is the one that made the table, unless it was migrated since or its log cleaned.
    """
    for earlier in range(version, -1, -1):
        content = store.read(commit_path(table, earlier))
        if content is None:
            break
        try:
            metadata = parse_commit(table, earlier, content).metadata if b'"metaData"' in content else None
        except StorageError:
            break  # whoever gets there is told
        if metadata is not None:
            return metadata.places()
    return Places()


def changes_data(commit: Commit) -> bool:
    """Return whether a commit changed or made any partition, and not only how its rows are stored or described."""
    made = commit.record is not None and bool(commit.record.groups)
    return made or bool(commit.changed_keys)


_COMMIT = re.compile(r"\d{20}\.json")
