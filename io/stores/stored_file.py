"""StoredFile: a file as a store lists it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file as the store lists it."""

    path: str
    size_bytes: int
    modified_at: dt.datetime
    """By the store's own clock."""
    stamp: str
    """The same as `Store.stamp` says."""

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]
