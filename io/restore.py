"""Restore: what a table's earlier version had that its present one has not, as content that can be committed again.

Data files are never changed, so an earlier content is brought back by naming its files once more.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from deltaworks.errors import StorageError, TableMismatch
from deltaworks.io.dtypes import Json, schema_difference
from deltaworks.io.log import LiveFile, commit_path
from deltaworks.io.materialization import Materialization
from deltaworks.io.record import Group, Restored
from deltaworks.io.store import Store
from deltaworks.io.table import Table
from deltaworks.io.table_state import Origin


@dataclass(frozen=True, slots=True)
class RestoredPartition:
    """A partition as it was at an earlier version."""

    key: str
    rows: int | None
    """None: it has no content, or others wrote it."""
    files: tuple[LiveFile, ...]
    logged: tuple[Json, ...]
    """The add action of each file, as it stands in the log."""
    made: Materialization | None
    """By what, from what and where its content was made; none: it has no content."""

    def adds(self, now_ms: int) -> Iterator[Json]:  # noqa: ARG002 - the files are as old as they were
        """Yield the add action of each file."""
        return ({**add, "dataChange": True} for add in self.logged)


def find_restored(now: Table, then: Table, keys: Iterable[str]) -> list[RestoredPartition]:
    """Return the partitions whose content differs between two versions of a table, as they were at the earlier one.

    Cost: reads the log up to the earlier version for the actions that named the files.

    Raises:
        LogGap: a commit is missing or damaged.
    """
    before, after = contents(then), contents(now)
    wanted = [key for key in keys if _differs(now, then, key, before, after)]
    files = {key: tuple(then.files([key])) for key in wanted}
    logged = _logged(then.store, then.name, {file.path for part in files.values() for file in part}, then.version)
    return [
        RestoredPartition(
            key,
            content.rows,
            files[key],
            tuple(logged[file.path] for file in files[key]),
            content.made,
        )
        for key in wanted
        for content in (before.get(then.places.of_key(key), _NOTHING),)
    ]


def refuse_other_columns(now: Table, then: Table, addable: Collection[str]) -> None:
    """Make sure that rows of an earlier version are rows of the present one.

    Columns in `addable` may have been added since: the rows are null there.

    Raises:
        TableMismatch: other columns, dtypes or partition columns have changed since.
    """
    assert now.metadata is not None, "a table that exists"
    assert then.metadata is not None, "a table that exists"
    lacking = {name for name in addable if name not in then.schema()}
    difference = schema_difference(
        {name: dtype for name, dtype in now.schema().items() if name not in lacking}, then.schema()
    )
    if difference is None and now.metadata.partition_columns != then.metadata.partition_columns:
        difference = "it is partitioned by others"
    if difference is not None:
        raise TableMismatch(
            f"table {now.name}: the columns of version {then.version} are not those of version {now.version}: "
            f"{difference}. Nothing was written. `deltaworks show` reads the rows as they were."
        )


def restored_groups(parts: Sequence[RestoredPartition], *, is_partitioned: bool) -> Iterator[Group]:
    """Yield one group for each change of the table whose content is restored, and one for what is gone."""
    by_origin: dict[int, list[RestoredPartition]] = {}
    for part in parts:
        by_origin.setdefault(id(part.made), []).append(part)
    for members in by_origin.values():
        made = members[0].made
        yield Group(
            keys=tuple(part.key for part in members) if is_partitioned else None,
            rows=tuple(0 if made is None else part.rows for part in members),
            source=None if made is None else made.source,
            override=None if made is None else made.override,
            inputs={} if made is None else made.inputs,
            restored_from=None if made is None else made.content_from,
            config_hash=None if made is None else made.config_hash,
        )


@dataclass(frozen=True, slots=True)
class Content:
    """What a table says about the content of one partition."""

    rows: int | None = None
    made: Materialization | None = None
    """None: there is none. What others wrote has a materialization without a source."""


_NOTHING = Content()


def contents(table: Table) -> dict[str, Content]:
    """Return the content of every partition that has one, by place."""
    outside: dict[int, Materialization] = {}
    found: dict[str, Content] = {}
    known: Iterator[tuple[str, int, int, int | None, int | None]] = table.partitions().iter_rows()
    for key, version, origin, rows, number in known:
        if origin == Origin.GONE:
            continue
        if number is not None:
            found[key] = Content(rows, table.materializations[number])
            continue
        if version not in outside:
            outside[version] = Materialization(version, "", None, None, {}, Restored(version, None))
        found[key] = Content(None, outside[version])
    return found


def _differs(now: Table, then: Table, key: str, before: Mapping[str, Content], after: Mapping[str, Content]) -> bool:
    was = before.get(then.places.of_key(key), _NOTHING).made
    is_now = after.get(now.places.of_key(key), _NOTHING).made
    if was is None or is_now is None:
        return was is not is_now
    if was.content_from == is_now.content_from:
        return False
    return {file.path for file in then.files([key])} != {file.path for file in now.files([key])}


def _logged(store: Store, name: str, paths: Collection[str], up_to: int) -> dict[str, Json]:
    """Return the action that added each of some files last, up to a version."""
    found: dict[str, Json] = {}
    for version in range(up_to, -1, -1) if paths else ():
        content = store.read(commit_path(name, version)) or b""
        for line in reversed(content.splitlines()):
            action: Json = json.loads(line) if b'"add"' in line else {}
            if "add" in action and (path := unquote(action["add"]["path"])) in paths:
                found.setdefault(path, action["add"])
        if len(found) == len(paths):
            return found
    if len(found) < len(paths):
        raise StorageError(f"table {name}: its log changed while it was read; run the command again")
    return found
