"""State: what a lake's logs say about the partitions of a graph, by ordinal.

Values only: the caller reads the logs. One asset's state is a frame with one row a partition of its definition, so a
million partitions are a normal size.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import NamedTuple

import polars as pl

from deltaworks.engine.definitions.asset import AssetKind
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet, shared
from deltaworks.engine.definitions.partitions.protocols import Partitions
from deltaworks.engine.definitions.partitions.time_partitions import TimePartitions
from deltaworks.engine.planning.graph import AssetGraph, Node
from deltaworks.engine.planning.lapse import Lapse, lapses
from deltaworks.io.materialization import Materialization
from deltaworks.io.places import WHOLE
from deltaworks.io.run_entry import Failure, RunEntry
from deltaworks.io.table import Table
from deltaworks.io.table_state import Origin
from deltaworks.io.writer import Writer


@dataclass(frozen=True)
class AssetState:
    """What is recorded about one asset."""

    partitions: Partitions
    """Those of its definition, as the columns have them."""
    version: int | None
    """The table's version; none: there is no table."""
    table_id: str | None
    columns: pl.DataFrame
    """By ordinal: version, origin, rows, materialization, as in `PARTITION_SCHEMA`; null where nothing is recorded."""
    materializations: Sequence[Materialization]
    writers: Mapping[int, Writer]
    failures: Mapping[int, str]
    """By ordinal, in which run the last attempt failed and why; of partitions that nobody has changed since."""
    beyond: pl.Series
    """Where partitions lie that have content but are not in the definition."""
    fault: str | None = None
    """Why a table that others write cannot be read, in which case nothing else is known of it; none: it can."""
    lapse: Lapse | None = None
    """Of a source, since when it could not be observed; none: the last observation went well, or there was none."""

    def still_holds(self, table: Table) -> bool:
        """Whether a table is the one that this is the state of, and nothing was committed to it since."""
        version = table.version if table.exists else None
        return self.materializations is table.materializations and self.version == version

    @property
    def undefined(self) -> int:
        """How many partitions have content but are not in the definition."""
        return self.beyond.len()

    def some_beyond(self, most: int) -> list[str]:
        """Return the keys of the first of them, as the definition would write them where that means nothing else."""
        places: list[str] = self.beyond.head(most).to_list()
        keys = ((place, self.partitions.key_beyond(place)) for place in places)
        return [key if self.partitions.ordinal(key) is None else place for place, key in keys]

    @cached_property
    def failed(self) -> PartitionSet:
        """Partitions whose last attempt failed and that nobody has changed since."""
        return PartitionSet.of(pl.Series(list(self.failures), dtype=pl.Int64), self.partitions.size)

    @cached_property
    def exists(self) -> pl.Series:
        """Whether each partition has content (Boolean): written by the engine, even with no row, or from outside."""
        return shared(certain(self.columns["origin"] != int(Origin.GONE)))

    @cached_property
    def made(self) -> pl.Series:
        """The materialization of each partition whose content hangs on it; what was restored, somebody chose."""
        made = self.columns["materialization"]
        return made if self.is_by_engine.all() else made.set(~self.is_by_engine, None)

    @cached_property
    def is_by_engine(self) -> pl.Series:
        """Whether the engine made each partition last (Boolean)."""
        return shared(certain(self.columns["origin"] == int(Origin.ENGINE)))

    @cached_property
    def writer(self) -> pl.Series:
        """Who made each version, in words, by version; null where no partition is of that version."""
        writers: list[str | None] = [None] * (0 if self.version is None else self.version + 1)
        for version, writer in self.writers.items():
            writers[version] = str(writer)
        return pl.Series(writers, dtype=pl.String)


LakeState = Mapping[AssetKey, AssetState]


def certain(mask: pl.Series) -> pl.Series:
    """Return a mask in which null is no. Most have none, and looking for them is far cheaper than filling them."""
    return mask.fill_null(False) if mask.has_nulls() else mask


class _Attempt(NamedTuple):
    run_id: str
    failure: Failure

    def __str__(self) -> str:
        line = next(iter(self.failure.error.splitlines()), "")
        whose, _, problem = line.partition(": ")
        is_named = problem and whose.split(" ")[0] == self.failure.asset  # the partitions of the call stand there too
        told = problem if is_named else line
        return f"failed in run {self.run_id}: {told.removesuffix(' Nothing was committed for it.').removesuffix('.')}"


def lake_state(
    graph: AssetGraph,
    tables: Mapping[AssetKey, Table],
    runs: Iterable[RunEntry],
    faults: Mapping[AssetKey, str] | None = None,
    before: LakeState | None = None,
) -> LakeState:
    """Return the state of every asset from its table and the ledger's runs, oldest first.

    Args:
        graph: the assets.
        tables: that of each.
        runs: those of the ledger.
        faults: the tables that cannot be read, and why: those count as if nothing were there.
        before: an earlier state; of what has not changed since, it is taken over.
    """
    failures: dict[str, dict[str, _Attempt]] = {}
    runs = list(runs)
    for run in runs:
        for failure in run.failures:
            failures.setdefault(failure.asset, {})[failure.partition or ""] = _Attempt(run.run_id, failure)
    lapsed = lapses(runs)
    states: dict[AssetKey, AssetState] = {}
    for key, node in graph.nodes.items():
        attempts, known = failures.get(str(key), {}), (before or {}).get(key)
        lapse = lapsed.get(str(key)) if graph.is_source(key) else None
        fault = (faults or {}).get(key)
        if known is not None and (known.lapse, known.fault) == (lapse, fault) and known.still_holds(tables[key]):
            failed = _failures(node, tables[key], attempts)
            states[key] = known if failed == known.failures else replace(known, failures=failed)
            continue
        found = _asset_state(node, tables[key], attempts)
        states[key] = found if lapse is None and fault is None else replace(found, lapse=lapse, fault=fault)
    return states


def existing(node: Node, table: Table) -> PartitionSet:
    """Return the partitions of a table that have content now."""
    there = table.partitions().filter(pl.col("origin") != int(Origin.GONE))
    return PartitionSet.of(ordinals_of(node, table, there["key"]).drop_nulls(), node.partitions.size)


def _asset_state(node: Node, table: Table, attempts: Mapping[str, _Attempt]) -> AssetState:
    changes = table.partitions()
    if table.names_keys:
        changes = changes.filter(pl.col("key") != WHOLE)  # the file that holds all of them
    ordinals = ordinals_of(node, table, changes["key"])
    columns, beyond = changes.clone(), changes["key"].clear()
    columns.drop_in_place("key")  # of the clone, a tenth of the cost of `drop`
    if ordinals.has_nulls():
        beyond = changes["key"].filter(ordinals.is_null() & (columns["origin"] != int(Origin.GONE)))
        columns, ordinals = columns.filter(ordinals.is_not_null()), ordinals.drop_nulls()
    return AssetState(
        partitions=node.partitions,
        version=table.version if table.exists else None,
        table_id=table.table_id,
        columns=_by_ordinal(columns, ordinals, node.partitions.size),
        materializations=table.materializations,
        writers=table.writers,
        failures=_failures(node, table, attempts),
        beyond=beyond,
    )


def _by_ordinal(columns: pl.DataFrame, ordinals: pl.Series, size: int) -> pl.DataFrame:
    """Return a row for each ordinal; null where there was none. An index has them in this order already."""
    if ordinals.equals(pl.int_range(size, eager=True)):
        return columns
    rows = pl.Series([None], dtype=pl.UInt32).new_from_index(0, size)
    places = rows.scatter(ordinals, pl.int_range(ordinals.len(), dtype=pl.UInt32, eager=True))
    return columns.select(pl.all().gather(places))


def ordinals_of(node: Node, table: Table, places: pl.Series) -> pl.Series:
    """Return the ordinals of a table's places; null where one is no partition of the definition.

    A definition reads an instant however it is spelled, but a partition lies in one place only: what lies in a column
    of texts under another spelling of its instant is not the partition that the engine would replace.
    """
    first = _start_of_run(node.partitions, places, in_utc=bool(table.places.instants))
    if first is not None:
        return pl.int_range(first, first + places.len(), eager=True)
    ordinals = node.partitions.ordinals(places)
    clocks = [isinstance(each, TimePartitions) and each.cadence.is_clock for each in node.partitions.dimensions]
    if not any(clocks) or places.is_empty():
        return ordinals
    if len(clocks) == 1 and table.places.instants:
        is_own = places.str.ends_with("Z")
    else:
        own = {table.places.of_key(key) for key in node.partitions.keys(ordinals.drop_nulls())}
        is_own = places.is_in(list(own))
    return ordinals.set(~is_own, None)


def _start_of_run(partitions: Partitions, places: pl.Series, *, in_utc: bool) -> int | None:
    """Return the first ordinal of consecutive partitions that lie just at these places; none: others do, or in gaps.

    Tables list their partitions by key, so this is the usual case, and to write keys is cheaper than to read them.
    """
    if places.is_empty() or len(partitions.dimensions) != 1:
        return None
    first, last = partitions.ordinal(places[0]), partitions.ordinal(places[-1])
    if first is None or last is None or last - first != places.len() - 1:
        return None
    return first if _spelled(partitions, first, last, in_utc=in_utc).equals(places) else None


@lru_cache(maxsize=4)
def _spelled(partitions: Partitions, first: int, last: int, *, in_utc: bool) -> pl.Series:
    """Return the places of consecutive partitions; tables with the same definition share them."""
    ordinals = pl.int_range(first, last + 1, eager=True)
    if in_utc and isinstance(partitions, TimePartitions) and partitions.cadence.is_clock:
        return partitions.starts_at.gather(ordinals).dt.to_string("%Y-%m-%dT%H:%MZ")
    return partitions.keys(ordinals)


def _failures(node: Node, table: Table, attempts: Mapping[str, _Attempt]) -> dict[int, str]:
    if node.asset.kind is AssetKind.SOURCE:
        return {}  # the next look may find all as it was, which is no commit that could make a failure history
    # A version that is not there yet: the table was put back since, or it was another one and the entry does not say.
    last = {
        key: attempt
        for key, attempt in attempts.items()
        if attempt.failure.table_id in (None, table.table_id)
        and table.changed_at(key) <= attempt.failure.table_version <= table.version
    }
    ordinals = node.partitions.ordinals(pl.Series(list(last), dtype=pl.String)) if last else ()
    return {
        ordinal: str(attempt) for ordinal, attempt in zip(ordinals, last.values(), strict=True) if ordinal is not None
    }
