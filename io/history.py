"""History: a table's commits from the latest one backwards."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from deltaworks.errors import LogGap, StorageError
from deltaworks.io.log import Commit, commit_path, parse_commit
from deltaworks.io.places import Places
from deltaworks.io.store import Store
from deltaworks.io.table import Table


def history(store: Store, table: str, external: Table | None = None, *, before: int | None = None) -> Iterator[Commit]:
    """Yield a table's commits, newest first, back to the oldest one that the log still has; none if there is no table.

    `external`: the table, if others write it. `before`: only commits of versions below this one.

    Cost: the log is listed once and its oldest commit read; another commit file is read when it is asked for.

    Raises:
        LogGap: a commit file is absent though an earlier one exists, or cannot be read as commits are.
    """
    names = (PurePosixPath(path).name for path in store.list(f"{table}/_delta_log"))
    versions = {int(name[:20]) for name in names if _COMMIT.fullmatch(name)}
    if not versions:
        return
    places = _places(store, table, min(versions)) if external is None else external.places
    newest = max(versions) if before is None else min(max(versions), before - 1)
    for version in range(newest, min(versions) - 1, -1):
        content = store.read(commit_path(table, version))
        if content is None:
            raise LogGap(table, version, "is absent though an earlier one exists")
        yield parse_commit(table, version, content, places, is_foreign=external is not None)


def _places(store: Store, table: str, oldest: int) -> Places:
    """Return the places that the oldest commit tells: the one that made the table, unless the log was cleaned."""
    content = store.read(commit_path(table, oldest))
    try:
        metadata = None if content is None else parse_commit(table, oldest, content).metadata
    except StorageError:
        metadata = None  # whoever gets there is told
    return Places() if metadata is None else metadata.places()


def changes_data(commit: Commit) -> bool:
    """Return whether a commit changed or made any partition, and not only how its rows are stored or described."""
    made = commit.record is not None and bool(commit.record.groups)
    return made or bool(commit.changed_keys)


_COMMIT = re.compile(r"\d{20}\.json")
