"""Lifetimes: from which version of a table to which each of its data files was part of it.

A file that a rollback brought back has two lifetimes, so a path has a list of them, oldest first.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from deltaworks.io.log import Commit, commit_path, path_below, tail
from deltaworks.io.record import Kind
from deltaworks.io.store import Store

NEVER = dt.datetime.max.replace(tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Lifetime:
    """A span of versions that a file is part of."""

    key: str
    """The place of its partition."""
    added: int
    """The first version that has it."""
    removed: int | None = None
    """The first version that has it no longer; none: the latest one has it."""
    removed_at: dt.datetime = NEVER
    """The later one of what the commit that removed it says and when the store wrote that commit."""

    def holds_any(self, versions: Sequence[int]) -> bool:
        """Return whether any of some versions, ascending, has the file."""
        place = bisect_left(versions, self.added)
        return place < len(versions) and (self.removed is None or versions[place] < self.removed)


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What a commit that only moved rows from file to file was asked for."""

    target_bytes: int
    z_order: tuple[str, ...]


@dataclass(frozen=True)
class Lifetimes:
    """The whole log of a table, file by file."""

    version: int
    """The latest one that was read; -1: there is no table."""
    of: Mapping[str, Sequence[Lifetime]]
    """By path below the table's folder."""
    rewrites: Mapping[int, Rewrite]
    """By version, the commits of this engine that moved rows."""

    def rewritten_by(self, path: str) -> tuple[int, Rewrite] | None:
        """Return the commit that made a live file out of others; none: the file was not made so."""
        lifetimes = self.of.get(path, ())
        version = lifetimes[-1].added if lifetimes else -1
        return (version, self.rewrites[version]) if version in self.rewrites else None


def read_lifetimes(store: Store, name: str) -> Lifetimes:
    """Read when each file of a table came and went.

    Cost: reads every commit of the log.

    Raises:
        LogGap: a commit is missing or damaged.
    """
    version, found = -1, dict[str, list[Lifetime]]()
    rewrites: dict[int, Rewrite] = {}
    for commit in tail(store, name, after=-1):
        version = commit.version
        for path, removed_at in _removed(store, name, commit):
            lifetimes = found.get(path)
            if lifetimes and lifetimes[-1].removed is None:
                lifetimes[-1] = replace(lifetimes[-1], removed=version, removed_at=removed_at)
        for added in commit.added:
            lifetimes = found.setdefault(path_below(store, name, added.file.path), [])
            if not lifetimes or lifetimes[-1].removed is not None:
                lifetimes.append(Lifetime(added.key, version))
        if commit.record is not None and commit.record.kind is Kind.MAINTAIN and commit.added:
            told = commit.record.metadata
            rewrites[version] = Rewrite(int(told.get("target_bytes", 0)), tuple(told.get("z_order", ())))
    return Lifetimes(version, found, rewrites)


def _removed(store: Store, name: str, commit: Commit) -> Iterator[tuple[str, dt.datetime]]:
    if not commit.removed:
        return
    written_at = store.modified_at(commit_path(name, commit.version)) or NEVER
    for removed in commit.removed:
        said_ms = commit.timestamp_ms if removed.removed_at_ms is None else removed.removed_at_ms
        yield path_below(store, name, removed.path), max(written_at, _instant(said_ms))


def _instant(ms: int) -> dt.datetime:
    try:
        return dt.datetime.fromtimestamp(ms / 1000, dt.UTC)
    except (OverflowError, ValueError, OSError):
        return NEVER
