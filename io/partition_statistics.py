"""Statistics of a partition: how many rows it has, and how many nulls by column, as its commit tells them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from deltaworks.io.dtypes import Json


@dataclass(frozen=True, slots=True)
class PartitionStatistics:
    """What the log says of the rows of one partition."""

    key: str
    rows: int
    nulls: Mapping[str, int]
    """By stored column, but for nested ones; none of a partition without rows."""


def added_up(key: str, texts: Iterable[str | None]) -> PartitionStatistics | None:
    """Return the statistics of a partition from the `stats` texts of all of its files; none if one does not say.

    Source: Delta protocol, "Per-file Statistics".
    """
    rows, nulls = 0, dict[str, int]()
    columns: set[str] | None = None
    for text in texts:
        document: Json = json.loads(text) if text else {}
        if "numRecords" not in document:
            return None
        counts: dict[str, Json] = document.get("nullCount") or {}
        rows += int(document["numRecords"])
        columns = set(counts) if columns is None else columns & counts.keys()
        for column, count in counts.items():
            if isinstance(count, int):
                nulls[column] = nulls.get(column, 0) + count
    return PartitionStatistics(key, rows, {name: count for name, count in nulls.items() if name in (columns or ())})
