"""State: what a lake's logs say about the partitions of a graph, by ordinal.

Values only: the caller reads the logs. One asset's state is a frame with one row a partition of its definition, so a
million partitions are a normal size.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partition_set import PartitionSet
from deltaworks.engine.planning.graph import AssetGraph, Node
from deltaworks.io.ledger import Failure, RunEntry
from deltaworks.io.table import PARTITION_SCHEMA, Materialization, Origin, Table, Writer


@dataclass(frozen=True)
class AssetState:
    """What is recorded about one asset."""

    version: int | None
    """The table's version; none: there is no table."""
    table_id: str | None
    columns: pl.DataFrame
    """By ordinal: version, origin, rows, materialization, as in `PARTITION_SCHEMA`; null where nothing is recorded."""
    materializations: Sequence[Materialization]
    writers: Mapping[int, Writer]
    failed: PartitionSet
    """Partitions whose last attempt failed and that nobody has changed since."""
    undefined: int
    """How many partitions have content but are not in the definition."""

    @property
    def exists(self) -> pl.Series:
        """Whether each partition has content (Boolean): written by the engine, even with no row, or from outside."""
        return self.columns["origin"].fill_null(int(Origin.GONE)) != int(Origin.GONE)

    @cached_property
    def writer(self) -> pl.Series:
        """Who made each version, in words, by version; null where no partition is of that version."""
        writers: list[str | None] = [None] * (0 if self.version is None else self.version + 1)
        for version, writer in self.writers.items():
            writers[version] = str(writer)
        return pl.Series(writers, dtype=pl.String)


LakeState = Mapping[AssetKey, AssetState]


def lake_state(graph: AssetGraph, tables: Mapping[AssetKey, Table], runs: Iterable[RunEntry]) -> LakeState:
    """Return the state of every asset from its table and the ledger's runs, oldest first."""
    failures: dict[str, dict[str, Failure]] = {}
    for run in runs:
        for failure in run.failures:
            failures.setdefault(failure.asset, {})[failure.partition or ""] = failure
    return {key: _asset_state(node, tables[key], failures.get(str(key), {})) for key, node in graph.nodes.items()}


def _asset_state(node: Node, table: Table, failures: Mapping[str, Failure]) -> AssetState:
    changes = table.partitions()
    ordinals = node.partitions.ordinals(changes["key"])
    outside = changes.filter(ordinals.is_null() & (changes["origin"] != int(Origin.GONE)))
    size = node.partitions.size
    columns = (
        pl.DataFrame({"ordinal": pl.int_range(size, eager=True)})
        .join(changes.with_columns(ordinal=ordinals), on="ordinal", how="left", maintain_order="left")
        .select(column for column in PARTITION_SCHEMA if column != "key")
    )
    return AssetState(
        version=table.version if table.exists else None,
        table_id=table.table_id,
        columns=columns,
        materializations=table.materializations,
        writers=table.writers,
        failed=_failed(node, table, failures),
        undefined=outside.height,
    )


def _failed(node: Node, table: Table, failures: Mapping[str, Failure]) -> PartitionSet:
    # A version that is not there yet: the table was put back since, or it was another one and the entry does not say.
    keys = [
        key
        for key, failure in failures.items()
        if failure.table_id in (None, table.table_id)
        and table.changed_at(key) <= failure.table_version <= table.version
    ]
    ordinals = node.partitions.ordinals(pl.Series(keys, dtype=pl.String))
    return PartitionSet.of(ordinals.drop_nulls(), node.partitions.size)
