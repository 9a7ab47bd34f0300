"""Previews: the first rows of tables, a few at a time, and none for longer than somebody waits for it."""

from __future__ import annotations

import shlex
import threading
import time
from concurrent.futures import Future

import polars as pl

from deltaworks.engine.planning.graph import Node
from deltaworks.engine.workspace.peeking import Peek, peek
from deltaworks.errors import RequestError, StorageError
from deltaworks.web.workspace import Sight

MOST_AT_ONCE = 2
"""How many are read at the same time. One that takes too long counts until it has ended."""

PATIENCE_S = 10.0
"""How long a preview may take, and wait for its turn."""

MOST_BYTES = 4_000_000
"""Of the rows in memory."""


class Previews:
    """Reads the first rows of tables; what that costs is bounded, see `peek`."""

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._free = threading.BoundedSemaphore(MOST_AT_ONCE)
        self._patience_s = patience_s

    def read(self, sight: Sight, node: Node, version: int | None, partition: str, rows: int) -> Peek:
        """Return the first rows of an asset, as many as fit into memory for a preview.

        Raises:
            RequestError: it is a view, has no such version or partition, or its first row does not fit.
            StorageError: data files are gone, or it takes too long.
        """
        command = show_command(node, version, partition)
        if node.key not in sight.project.graph.nodes:
            raise RequestError(f"{node.key} is a view: code of the project computes its rows, as `{command}` does.")
        until_s = time.monotonic() + self._patience_s
        if not self._free.acquire(timeout=self._patience_s):
            raise StorageError(f"Other previews take long, so this one has not begun; `{command}` shows the rows.")
        done = Future[Peek]()
        threading.Thread(target=self._read, args=(done, sight, node, version, partition, rows), daemon=True).start()
        try:
            found = done.result(until_s - time.monotonic())
        except TimeoutError as error:
            raise StorageError(
                f"The first rows of {node.key} were not read within {self._patience_s:g} s; `{command}` takes the time "
                "that it needs."
            ) from error
        total = _told_total(sight, node) if found.total is None and version is None and not partition else found.total
        return Peek(_fitting(found.df, command), total)

    def _read(
        self, done: Future[Peek], sight: Sight, node: Node, version: int | None, partition: str, rows: int
    ) -> None:
        try:
            done.set_result(peek(sight.project.graph, sight.project.store, node.key, version, partition, rows))
        except BaseException as error:  # noqa: BLE001 - whoever waits for it raises it
            done.set_exception(error)
        finally:
            self._free.release()


def show_command(node: Node, version: int | None, partition: str) -> str:
    """Return what shows the same in a terminal."""
    at = "" if version is None else f"@v{version}"
    named = ["--partition", partition] if partition else []
    return shlex.join(["deltaworks", "show", f"{node.key}{at}", *named])


def _fitting(df: pl.DataFrame, command: str) -> pl.DataFrame:
    """Return as many of the first rows as a preview may have."""
    fitting = df
    while fitting.height > 1 and fitting.estimated_size() > MOST_BYTES:
        fitting = fitting.head(fitting.height // 2)
    size_bytes = fitting.estimated_size()
    if size_bytes > MOST_BYTES:
        raise RequestError(
            f"The first row has {size_bytes / 1e6:,.1f} MB, expected at most {MOST_BYTES / 1e6:g} MB; `{command}` "
            "shows it."
        )
    return fitting


def _told_total(sight: Sight, node: Node) -> int | None:
    """Return how many rows a table has as its commits tell it; none: one does not."""
    state = sight.status(node.key).state
    rows = state.columns["rows"].filter(state.exists)
    return None if state.undefined or rows.null_count() else int(rows.sum())
