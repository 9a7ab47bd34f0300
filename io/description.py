"""Description: what a table's definition says about it, as Delta's metadata tells other readers.

The description and the comments of columns are Delta's own; owners, group and tags are properties of the table.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from deltaworks.errors import LogGap
from deltaworks.io.commit import MAX_TRIES, always_behind, put_next
from deltaworks.io.dtypes import Json
from deltaworks.io.log import commit_path
from deltaworks.io.record import Record
from deltaworks.io.table import Table

OWNERS, GROUP, TAG = "deltaworks.owners", "deltaworks.group", "deltaworks.tag."
"""Properties: the owners with commas between them, the group, and one property for each tag, which ends in its name."""


@dataclass(frozen=True, slots=True)
class Description:
    """What is said about a table."""

    text: str = ""
    columns: Mapping[str, str] = field(default_factory=dict[str, str])
    """The comment of each column that has one."""
    owners: tuple[str, ...] = ()
    group: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def properties(self) -> dict[str, str]:
        """The properties that say it."""
        owners = {OWNERS: ",".join(self.owners)} if self.owners else {}
        group = {GROUP: self.group} if self.group else {}
        return owners | group | {TAG + name: value for name, value in self.tags.items()}

    def commented(self, delta_schema: Json) -> Json:
        """Return Delta's JSON of a schema with the comments in it; a column without one keeps what it has."""
        return delta_schema | {"fields": [self._commented(column) for column in delta_schema["fields"]]}

    def described(self, metadata: Json) -> Json:
        """Return a metadata action with the description in it.

        What others have said stays where this says nothing of the same; of our own properties nothing else stays.
        """
        before: Mapping[str, str] = metadata.get("configuration") or {}
        others = {name: value for name, value in before.items() if not name.startswith((OWNERS, GROUP, TAG))}
        schema = json.loads(metadata["schemaString"])
        commented = self.commented(schema)
        return metadata | {
            "description": self.text or metadata.get("description"),
            "configuration": others | self.properties,
            # The text of a schema that says it all stays as it is, whoever wrote it.
            "schemaString": metadata["schemaString"] if commented == schema else json.dumps(commented),
        }

    def _commented(self, column: Json) -> Json:
        comment = self.columns.get(column["name"])
        if comment is None:
            return column
        return column | {"metadata": {**(column.get("metadata") or {}), "comment": comment}}


def last_metadata(table: Table) -> Json:
    """Return the metadata action that holds at a table's version.

    Raises:
        LogGap: no commit says what the table is.
    """
    for version in range(table.version, -1, -1):
        content = table.store.read(commit_path(table.name, version)) or b""
        lines = content.splitlines() if b'"metaData"' in content else ()
        actions: list[Json] = [json.loads(line) for line in lines if b'"metaData"' in line]
        found = [action["metaData"] for action in actions if "metaData" in action]
        if found:
            return found[-1]
    raise LogGap(table.name, 0, "does not create a table")


def is_described(table: Table, description: Description) -> bool:
    """Return whether a table says of itself all that it is to say.

    Cost: reads the log backwards to its last metadata action.
    """
    found = last_metadata(table)
    return bool(description.described(found) == {"description": None, **found})


def describe(
    table: Table, description: Description, record: Record, verify: Callable[[Table], None], now_ms: int
) -> bool:
    """Make a table say what it is to say, in a commit that changes no partition; return whether there was need to.

    Args:
        table: the table; it is advanced.
        description: what it is to say.
        record: what the commit says about itself.
        verify: called before each try: may this engine write to the table as it is?
        now_ms: the commit's timestamp, in milliseconds since 1970.

    Raises:
        StorageError: the lake cannot be written.
        TableMismatch: `verify` refused.
    """
    for _ in range(MAX_TRIES):
        table.tail()
        if is_described(table, description):
            return False
        verify(table)
        metadata = description.described(last_metadata(table))
        if put_next(table, record, [{"metaData": metadata}], now_ms, {"operation": "SET TBLPROPERTIES"}):
            return True
    raise always_behind(table)
