"""StagedFiles: rows that another engine has written as Parquet, instead of a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic

from deltaworks.engine.definitions.frames import Model


@dataclass(frozen=True, slots=True)
class Staging:
    """Where another engine writes what an asset's function returns as `StagedFiles`: an argument `staging: Staging`."""

    folder: str
    """A folder of the lake that is the call's own: a path, or the URI of a prefix in an object store. A local one is
    there; it is deleted after the call."""


@dataclass(frozen=True)
class StagedFiles(Generic[Model]):
    """What an asset's function may return instead of a frame, `-> StagedFiles[Model]`.

    The columns of the files, with those that the names of their folders say (`day=2024-01-01/`), must be those of the
    model, dtype by dtype: nothing is cast. Their rows are then cut, checked and written into the table as if the
    function had returned them, in one pass and in bounded memory, and the files are deleted.
    """

    paths: Sequence[str | Path]
    """Files in the folder of the call's `Staging`, or folders, of which all `*.parquet` below count but for what begins
    with `_` or `.`; relative ones are in that folder."""
    rows: int | None = None
    """How many rows the other engine says that they have together; none: it does not."""
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """As in `MaterializeResult`."""
