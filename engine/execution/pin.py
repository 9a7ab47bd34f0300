"""Pin: at which version one call reads its upstreams, and which of its partitions lack something there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

import polars as pl

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.mappings.segments import Ordinals
from deltaworks.engine.execution.agenda import Blocked
from deltaworks.engine.execution.task import PinnedInput
from deltaworks.engine.planning.graph import AssetGraph, Edge, Needs
from deltaworks.engine.planning.members import common_members, members_of, members_vary
from deltaworks.engine.planning.state import existing
from deltaworks.io.table import Table

_FEW = 50
"""Up to so many keys are spelled one by one, 1 to 6 us each; all at once, any number takes 40 to 300 us."""

Members: TypeAlias = dict[tuple[AssetKey, str, int], str | None]
"""What tells the partitions that an input of an asset reads at a version of its table, as far as it was found out."""


def lacking(
    graph: AssetGraph, tables: Mapping[AssetKey, Table], key: AssetKey, first: int, last: int
) -> dict[int, Blocked]:
    """Return which of consecutive partitions lack an upstream partition, by ordinal.

    A plan leaves out what lacks one, but until a call begins others may delete what it needs; read then, it would look
    like a partition without rows.
    """
    found: dict[int, Blocked] = {}
    for edge in graph.nodes[key].upstream:
        if edge.needs is Needs.NONE:
            continue
        ordinals = range(first, last + 1)
        absent = _absent(graph, tables[edge.upstream], edge, ordinals)
        if absent:
            for ordinal, missed in _missed(edge, ordinals, absent):
                found[ordinal] = Blocked(key, ordinal, edge.upstream, missed)
    return found


def pin(graph: AssetGraph, table: Table, edge: Edge, first: int, last: int, read: Members | None = None) -> PinnedInput:
    """Pin an upstream for consecutive partitions at its version when the run began, or at the run's last commit to it.

    `read` keeps between calls what does not depend on the partitions.

    Raises:
        TableMismatch: the table cannot be read.
    """
    keys = _keys(graph, edge, edge.correspondence.upstream_of(first, last))
    upstream = graph.nodes[edge.upstream]
    return PinnedInput(
        asset=edge.upstream,
        table=table.name,
        table_id=table.table_id,
        version=table.version,
        files=tuple(table.files(keys)),
        schema=table.schema() if table.exists else None,
        partition_columns=() if table.metadata is None else table.metadata.partition_columns,
        members=_members(graph, table, edge, range(first, last + 1), {} if read is None else read),
        root=None if table.external is None else table.store.uri(""),
        storage=table.store.profile if table.external is not None else None,
        computed_columns=upstream.computed_columns,
        keys=tuple(keys) if table.names_keys else None,
        base=None if upstream.asset.files is None else upstream.asset.files.base,
    )


def _members(graph: AssetGraph, table: Table, edge: Edge, ordinals: range, read: Members) -> tuple[str, ...]:
    """Return what tells the set of partitions that an input reads, of each partition that the call makes."""
    upstream = graph.nodes[edge.upstream]
    if not (upstream.is_partitioned or edge.hops):
        return ()
    if edge.correspondence.joins_all:
        place = edge.downstream, edge.argument.argument, table.version
        if place not in read:
            read[place] = common_members(edge, upstream.partitions, existing(upstream, table))
        digest = read[place]
        return () if digest is None else (digest,) * len(ordinals)
    if not members_vary(edge):
        return ()
    absent = set[int]() if edge.needs is Needs.EACH else _absent(graph, table, edge, ordinals)
    mapped = (edge.correspondence.upstream_of(ordinal, ordinal) for ordinal in ordinals)
    return tuple(members_of(edge, *each, absent) for each in zip(ordinals, mapped, strict=True))


def _absent(graph: AssetGraph, table: Table, edge: Edge, ordinals: range) -> set[int]:
    """Return which of the upstream partitions that some partitions are made from do not exist."""
    mapped = edge.correspondence.upstream_of(ordinals[0], ordinals[-1])
    is_there = map(table.has_content, _keys(graph, edge, mapped))
    return {each for each, has_content in zip(mapped, is_there, strict=True) if not has_content}


def _keys(graph: AssetGraph, edge: Edge, ordinals: Ordinals) -> list[str]:
    partitions = graph.nodes[edge.upstream].partitions
    if len(ordinals) <= _FEW:
        return [partitions.key(ordinal) for ordinal in ordinals]
    return partitions.keys(pl.Series(ordinals, dtype=pl.Int64)).to_list()


def _missed(edge: Edge, ordinals: range, absent: set[int]) -> Iterator[tuple[int, int]]:
    """Yield the partitions that cannot be made, each with an absent upstream partition that it lacks."""
    for ordinal in ordinals:
        mapped = edge.correspondence.upstream_of(ordinal, ordinal)
        match edge.needs:
            case Needs.EACH:
                lacks = not absent.isdisjoint(mapped)
            case Needs.ONE:
                lacks = absent.issuperset(mapped)
            case Needs.NONE:
                lacks = False
        if lacks and mapped:
            yield ordinal, next(each for each in mapped if each in absent)
