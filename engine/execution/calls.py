"""Calls: the tasks of one run, numbered, each with what its function reads pinned when the call begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.execution.agenda import Blocked
from deltaworks.engine.execution.entry import calls_before
from deltaworks.engine.execution.pin import Members, lacking
from deltaworks.engine.execution.pinned_task import pinned_task
from deltaworks.engine.execution.task import Task
from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.io.run_entry import RunEntry
from deltaworks.io.table import Table


class Calls:
    """What is called in one run."""

    def __init__(self, graph: AssetGraph, tables: Mapping[AssetKey, Table], entry: RunEntry) -> None:
        """Begin after the calls of earlier attempts; `tables` are those that the run advances."""
        self._graph, self._tables, self._entry = graph, tables, entry
        self._number = calls_before(entry)
        self._read: Members = {}

    def number(self) -> int:
        """Return a number that no other task of the run has."""
        self._number += 1
        return self._number

    def lacking(self, key: AssetKey, first: int, last: int) -> Mapping[int, Blocked]:
        """Return which partitions of a call lack an upstream, by ordinal."""
        return lacking(self._graph, self._tables, key, first, last)

    def task(self, keys: Sequence[AssetKey], first: int, last: int) -> Task:
        """Return the task that makes partitions of assets, by one call, from what the tables hold now.

        Raises:
            TableMismatch: a table cannot be read.
        """
        task, *others = (self._task(key, first, last) for key in keys)
        return replace(task, others=tuple(others)) if others else task

    def _task(self, key: AssetKey, first: int, last: int) -> Task:
        run_id, config = self._entry.run_id, self._entry.config.get(self._graph.nodes[key].asset.config_name)
        number = self.number()
        return pinned_task(
            self._graph, self._tables, key, first, last, read=self._read, run_id=run_id, number=number, config=config
        )
