"""History: a table's commits from the latest one backwards."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from deltaworks.errors import LogGap
from deltaworks.io.log import Commit, commit_path, parse_commit
from deltaworks.io.store import Store


def history(store: Store, table: str) -> Iterator[Commit]:
    """Yield a table's commits, newest first, back to the oldest one that the log still has; none if there is no table.

    Cost: the log is listed once; a commit file is read when it is asked for.

    Raises:
        LogGap: a commit file is absent though an earlier one exists, or cannot be read as commits are.
    """
    names = (PurePosixPath(path).name for path in store.list(f"{table}/_delta_log"))
    versions = {int(name[:20]) for name in names if _COMMIT.fullmatch(name)}
    if not versions:
        return
    for version in range(max(versions), min(versions) - 1, -1):
        content = store.read(commit_path(table, version))
        if content is None:
            raise LogGap(table, version, "is absent though an earlier one exists")
        yield parse_commit(table, version, content)


def changes_data(commit: Commit) -> bool:
    """Return whether a commit changed or made any partition, and not only how its rows are stored or described."""
    made = commit.record is not None and bool(commit.record.groups)
    return made or bool(commit.changed_keys)


_COMMIT = re.compile(r"\d{20}\.json")
