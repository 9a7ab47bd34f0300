"""Sizes: how large partitions are, which tells how many of them a call makes and whether it is held in memory."""

from __future__ import annotations

from collections.abc import Mapping

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.execution.task import Outcome, PinnedInput
from deltaworks.io.table import Table

SMALL_BYTES = 32 * 1024 * 1024
"""Up to this many bytes of Parquet, inputs and result of a single partition are held in memory."""


class Sizes:
    """What is known of the tables of a run: their live files at its start, and what it has staged since."""

    def __init__(self, tables: Mapping[AssetKey, Table]) -> None:
        self._tables = tables
        self._known: dict[AssetKey, tuple[int, int]] = {}

    def of(self, key: AssetKey) -> tuple[int, int]:
        """Return how many bytes how many partitions have.

        Cost: the first time it reads which files the table has.
        """
        if key not in self._known:
            files = list(self._tables[key].live_files()) if self._tables[key].exists else []
            self._known[key] = sum(file.size_bytes for _, file in files), len({partition for partition, _ in files})
        return self._known[key]

    def learn(self, outcome: Outcome) -> None:
        """Take what a call has staged into account."""
        key = outcome.task.asset
        if key in self._known:
            size_bytes, count = self._known[key]
            staged = sum(file.size_bytes for each in outcome.staged for file in each.partition.files)
            self._known[key] = size_bytes + staged, count + len(outcome.staged)


def is_small_call(table: Table, key: AssetKey, inputs: Mapping[str, PinnedInput]) -> bool:
    """Return whether a single partition is known to be small enough to be held in memory."""
    others = [pinned for pinned in inputs.values() if pinned.asset != key]
    sizes = [sum(file.size_bytes for file in pinned.files) for pinned in inputs.values()]
    if not others and not table.exists:
        return False  # nothing is known about a source before its first commit
    return max(sum(sizes), table.largest_file_bytes) <= SMALL_BYTES
