"""Staged: files that lie in the lake but that no commit names yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from deltaworks.io.dtypes import Json
from deltaworks.io.store import ENGINE_FOLDER

REJECTS = f"{ENGINE_FOLDER}/rejects"


@dataclass(frozen=True, slots=True)
class StagedFile:
    """A data file of a partition."""

    path: str
    """Below the table's folder."""
    size_bytes: int
    statistics: str
    """The `stats` text of its add action."""


@dataclass(frozen=True, slots=True)
class RejectsFile:
    """Where the rejected rows of one partition lie."""

    asset: str
    name: str
    """As records call it: `<run id>/<number>.parquet`."""

    @property
    def path(self) -> str:
        """Below the lake's root."""
        return f"{REJECTS}/{self.asset}/{self.name}"


@dataclass(frozen=True, slots=True)
class StagedPartition:
    """A partition's whole new content: all of its files."""

    key: str
    values: Mapping[str, str]
    """By partition column, as the log writes them; empty for an unpartitioned table."""
    rows: int
    files: tuple[StagedFile, ...]
    rejects: RejectsFile | None = None
    """The rows that were left out of it and are kept."""

    def adds(self, now_ms: int) -> Iterator[Json]:
        """Yield the add action of each file."""
        return (add_action(file, self.values, now_ms) for file in self.files)


def add_action(file: StagedFile, values: Mapping[str, str | None], now_ms: int, *, changes_data: bool = True) -> Json:
    """Return what adds a file to the partition with these values."""
    return {
        "path": quote(file.path, safe="/=:@!$&'()*+,;~"),
        "partitionValues": dict(values),
        "size": file.size_bytes,
        "modificationTime": now_ms,
        "dataChange": changes_data,
        "stats": file.statistics,
    }
