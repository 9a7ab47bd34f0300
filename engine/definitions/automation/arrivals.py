"""Arrivals: the files that are new or were changed since a sensor was last asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Arrival:
    """A file that was written, whole."""

    path: str
    """Below the pattern's fixed part."""
    uri: str
    """The full path, or the URI in an object store."""
    version: str
    """Its size, and its time or its tag in an object store: another one whenever it is written anew."""
    is_new: bool
    """Whether it was not there before; else it was written anew."""

    @property
    def run_key(self) -> str:
        """A run key that is the file's in this version alone."""
        return f"{self.path} {self.version}"


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Files that arrived, by path. Those that are still being written come when they are done."""

    files: tuple[Arrival, ...]

    def __iter__(self) -> Iterator[Arrival]:
        return iter(self.files)

    def __len__(self) -> int:
        return len(self.files)
