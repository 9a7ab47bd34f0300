"""LakePast: what commits did to the partitions of assets, read from the logs by version when it is asked for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping

import polars as pl

from deltaworks.engine.definitions.asset import AssetKind
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.execution.opening import log_folder, open_version, place_of_table
from deltaworks.engine.planning.graph import AssetGraph, Node
from deltaworks.engine.planning.lacking import LONG_AGO, Changed, Part
from deltaworks.engine.planning.state import ordinals_of
from deltaworks.io.history import placed
from deltaworks.io.log import Commit, commit_path, parse_commit
from deltaworks.io.places import WHOLE
from deltaworks.io.record import Kind
from deltaworks.io.store import Store
from deltaworks.io.table import Table
from deltaworks.io.table_state import Origin, materialization_of, origin_of
from deltaworks.io.writer import Writer


class LakePast:
    """The commits of a lake's tables. What was read is kept: a commit never changes."""

    def __init__(self, graph: AssetGraph, store: Store, tables: Mapping[AssetKey, Table]) -> None:
        """Read nothing yet; `tables` are those of the lake as it is now."""
        self._graph, self._store, self._tables = graph, store, tables
        self._read: dict[tuple[AssetKey, int], Changed | None] = {}
        self._earliest: dict[AssetKey, int] = {}

    def commit(self, asset: AssetKey, version: int) -> Changed | None:
        """Return what a commit did; none: its file is not there any more.

        Raises:
            LogGap: it cannot be read.
        """
        if (asset, version) not in self._read:
            self._read[asset, version] = self._changed(self._graph.nodes[asset], version)
        return self._read[asset, version]

    def earliest(self, asset: AssetKey) -> int:
        """Return the first version whose commit is still there; 0, if none is."""
        if asset not in self._earliest:
            store, folder = log_folder(self._store, self._graph.nodes[asset].asset)
            names = (path.rpartition("/")[2].partition(".") for path in store.list(folder))
            there = (int(number) for number, _, kind in names if kind == "json" and number.isdecimal())
            self._earliest[asset] = min(there, default=0)
        return self._earliest[asset]

    def _changed(self, node: Node, version: int) -> Changed | None:
        store, name = place_of_table(self._store, node.asset)
        content = store.read(commit_path(name, version))
        if content is None:
            return None
        table = self._tables[node.key]
        if node.asset.kind is AssetKind.EXTERNAL:
            commit = parse_commit(name, version, content, table.places, is_foreign=True)
        else:
            commit, _ = placed(store, name, version, content, table.places)
        return Changed(
            at=_at(store, name, commit),
            writer=_writer(commit),
            parts=tuple(part for part in _parts(self._store, node, table, commit) if part.partitions),
        )


def _parts(store: Store, node: Node, table: Table, commit: Commit) -> list[Part]:
    found: list[Part] = []
    recorded: set[str] = set()
    if commit.record is not None:
        for group, places in zip(commit.record.groups, commit.recorded, strict=True):
            origin = origin_of(group)
            made = materialization_of(commit.version, commit.record.run_id, group) if origin is Origin.ENGINE else None
            found.append(Part(_partitions(node, table, places), origin, made))
            recorded.update(places)
        if commit.record.kind in (Kind.OBSERVE, Kind.MAINTAIN):
            return found  # the file that holds everything was replaced, and the record says what differs
    others = commit.changed_keys - recorded
    if None in others and node.is_partitioned:
        # It removed files without saying of which partitions, as only others do; so it may have been any.
        found.append(Part(PartitionSet.all(node.partitions.size), Origin.OUTSIDE, None))
        return found
    outside = {WHOLE if each is None else each for each in others}
    added = {each.key for each in commit.added}
    emptied = outside - added
    if emptied and node.upstream:
        emptied -= set(open_version(store, node.asset, commit.version).live_keys())
    else:
        emptied = set[str]()
    found.append(Part(_partitions(node, table, outside - emptied), Origin.OUTSIDE, None))
    found.append(Part(_partitions(node, table, emptied), Origin.GONE, None))
    return found


def _partitions(node: Node, table: Table, places: Iterable[str]) -> PartitionSet:
    """Return the partitions of places of a table, as far as the definition has them."""
    keys = pl.Series(list(places), dtype=pl.String).unique().sort()
    return PartitionSet.of(ordinals_of(node, table, keys).drop_nulls(), node.partitions.size)


def _at(store: Store, name: str, commit: Commit) -> dt.datetime:
    """Return when a commit was made; by its file, where it does not say, as some outside writers do not."""
    if commit.timestamp_ms:
        return dt.datetime.fromtimestamp(commit.timestamp_ms / 1000, dt.UTC)
    return store.modified_at(commit_path(name, commit.version)) or LONG_AGO


def _writer(commit: Commit) -> str:
    run_id = None if commit.record is None else commit.record.run_id
    return str(Writer(run_id, commit.operation, commit.engine_info, commit.timestamp_ms))
