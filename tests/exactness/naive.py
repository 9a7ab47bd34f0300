"""A Delta log read in the most naive way: every commit file from the first, line by line, into dictionaries.

Nothing here is shared with the engine, so that what the two agree on was found twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import unquote

KeyOf: TypeAlias = Callable[[Mapping[str, str | None]], str]
"""From the partition values of a file, as they stand in the log, to the key of its partition."""


@dataclass(frozen=True)
class Change:
    """One commit that changed one partition."""

    version: int
    run_id: str | None
    """None: somebody else wrote it."""
    has_files: bool
    """Whether the partition has live files after it."""
    rows: int | None = None
    code: str | None = None
    inputs: dict[str, Any] = field(default_factory=dict[str, Any])
    """By table id, as in the record."""
    kind: str = "materialize"
    """What the record says that the commit was made for."""

    @property
    def has_content(self) -> bool:
        """Whether the partition is there after it, even with no row."""
        return self.has_files or (self.run_id is not None and self.code is not None)


@dataclass
class History:
    """All that a table's log says."""

    table_id: str | None = None
    version: int = -1
    changes: dict[str, list[Change]] = field(default_factory=dict[str, list[Change]])
    """By partition key, ascending; the key of an unpartitioned table is empty."""
    live: dict[str, str] = field(default_factory=dict[str, str])
    """The key of each live file."""
    ever_added: set[str] = field(default_factory=set[str])
    runs: dict[int, str | None] = field(default_factory=dict[int, str | None])
    """Who made each version; none: an outside writer."""

    def last(self, key: str, version: int | None = None) -> Change | None:
        """The last change of a partition, or the last one up to a version."""
        found = [each for each in self.changes.get(key, ()) if version is None or each.version <= version]
        return found[-1] if found else None

    def made_by(self, run_id: str) -> list[str]:
        """The keys that a run committed, once for each time."""
        return sorted(key for key, each in self.materializations() if each.run_id == run_id)

    def materializations(self) -> Iterator[tuple[str, Change]]:
        """Every change that stands in a record."""
        return ((key, each) for key, changes in self.changes.items() for each in changes if each.run_id is not None)


def only_value(values: Mapping[str, str | None]) -> str:
    """Return the value of the only partition column, or an empty text if there is none."""
    assert len(values) <= 1
    return next((value or "null" for value in values.values()), "")


def read_history(table: Path, key_of: KeyOf = only_value) -> History:
    """Read a table's whole log; of a table that is not there, an empty one."""
    history = History()
    for version, file in enumerate(sorted((table / "_delta_log").glob("[0-9]*.json"))):
        assert file.name == f"{version:020d}.json", f"{file} is not version {version}"
        _read_commit(history, version, _actions(file.read_text("utf-8")), key_of)
    return history


def leftovers(table: Path, history: History) -> list[str]:
    """The data files that no commit ever added."""
    files = (file.relative_to(table).as_posix() for file in table.rglob("*.parquet*") if "_delta_log" not in file.parts)
    return sorted(file for file in files if file not in history.ever_added)


def _read_commit(history: History, version: int, actions: list[dict[str, Any]], key_of: KeyOf) -> None:
    record: dict[str, Any] | None = None
    touched: set[str] = set()
    for action in actions:
        if "metaData" in action:
            history.table_id = action["metaData"]["id"]
        elif "commitInfo" in action:
            record = action["commitInfo"].get("deltaworks")
        elif "remove" in action:
            key = history.live.pop(unquote(action["remove"]["path"]))
            if action["remove"]["dataChange"]:
                touched.add(key)
        elif "add" in action:
            path, key = unquote(action["add"]["path"]), key_of(action["add"]["partitionValues"])
            history.live[path] = key
            history.ever_added.add(path)
            if action["add"]["dataChange"]:
                touched.add(key)
    history.version = version
    history.runs[version] = record["run_id"] if record else None
    alive = set(history.live.values())
    for group in record["groups"] if record else ():
        keys = [""] if group["keys"] is None else group["keys"]
        assert len(keys) == len(group["rows"])
        for key, rows in zip(keys, group["rows"], strict=True):
            assert record is not None
            by, code = record["run_id"], group["code"]["source"]
            change = Change(version, by, key in alive, rows, code, group["inputs"], record["kind"])
            history.changes.setdefault(key, []).append(change)
            touched.discard(key)
    for key in touched:
        assert record is None, f"version {version} changes {key!r}, which its record does not name"
        history.changes.setdefault(key, []).append(Change(version, None, key in alive))


@lru_cache(maxsize=4096)
def _actions(commit: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in commit.splitlines()]
