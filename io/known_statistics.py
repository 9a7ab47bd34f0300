"""Known statistics: row and null counts of a table's partitions, from the commits that brought their content about.

No data is read, unless others wrote a partition in several commits or without statistics.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import unquote

import polars as pl

from deltaworks.io.dtypes import Json
from deltaworks.io.log import commit_path
from deltaworks.io.partition_statistics import PartitionStatistics, added_up
from deltaworks.io.scan import scan_table
from deltaworks.io.table import Table

_ROWS = "\0rows"


class KnownStatistics:
    """The statistics of one table's partitions; what was read of its log is kept."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._added: dict[int, Mapping[str, Mapping[str, str | None]]] = {}
        """By version and place: the `stats` text of each file that was added there."""

    def of(self, key: str) -> PartitionStatistics | None:
        """Return the statistics of a partition; none if it has no content.

        Cost: one commit file for each version that partitions are of; for some of those that others wrote, their rows.
        """
        table = self._table
        if not table.has_content(key):
            return None
        live = {file.path for file in table.files([key])}
        if not live:
            return PartitionStatistics(key, 0, {})
        version = table.changed_at(key)
        added = self._added_at(version).get(table.places.of_key(key), {})
        # A run replaces a partition as a whole, so its files say all, also of rows that were moved since.
        is_whole = table.writers[version].run_id is not None or live <= added.keys()
        texts = added.values() if table.writers[version].run_id is not None else [added.get(path) for path in live]
        found = added_up(key, texts) if added and is_whole else None
        return self._counted(key) if found is None else found

    def _added_at(self, version: int) -> Mapping[str, Mapping[str, str | None]]:
        if version not in self._added:
            found: dict[str, dict[str, str | None]] = {}
            content = self._table.store.read(commit_path(self._table.name, version)) or b""
            for line in content.splitlines():
                action: Json = json.loads(line) if b'"add"' in line else {}
                if "add" in action:
                    added = action["add"]
                    place = self._table.places.of_values(added["partitionValues"])
                    found.setdefault(place, {})[unquote(added["path"])] = added.get("stats")
            self._added[version] = found
        return self._added[version]

    def _counted(self, key: str) -> PartitionStatistics:
        """Count rows and nulls of what the log does not tell."""
        lf = scan_table(self._table, [key])
        plain = [name for name, dtype in lf.collect_schema().items() if not dtype.is_nested()]
        counts = [pl.col(name).null_count() for name in plain if name not in self._table.places.columns]
        row = lf.select(pl.len().alias(_ROWS), *counts).collect(engine="streaming").row(0, named=True)
        return PartitionStatistics(key, row.pop(_ROWS), row)
