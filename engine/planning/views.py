"""Views: what lies between an asset and the tables that it is made from, taken out of the way for all that decides.

An argument that is a view becomes an edge to each table that the view is made from, by each way that leads there, whose
correspondence is that of all steps in one. Nothing of a view is ever missing: an asset needs the tables' partitions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl

from deltaworks.engine.definitions.asset import Asset
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.mappings.composed import compose, goes_into_one
from deltaworks.engine.definitions.mappings.correspondence import Correspondence
from deltaworks.engine.definitions.partitions.partition_columns import PartitionColumn
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.definitions.partitions.protocols import Dimension
from deltaworks.validation import declare

if TYPE_CHECKING:
    from deltaworks.engine.planning.graph import Edge, Node


def expanded(edge: Edge) -> Iterator[Edge]:
    """Yield the edges to tables that an argument stands for: itself, or those of the view that it is."""
    if edge.view is None:
        yield edge
        return
    for onward in edge.view.upstream:
        argument = replace(
            onward.argument,
            argument=f"{edge.argument.argument}.{onward.argument.argument}",
            allow_missing=edge.argument.allow_missing or onward.argument.allow_missing,
        )
        yield replace(
            onward,
            downstream=edge.downstream,
            argument=argument,
            correspondence=compose(edge.correspondence, onward.correspondence),
            hops=(edge, *(onward.hops or (onward,))),
        )


def with_partitions(view: Asset[..., Any], upstream: Iterable[Node]) -> Asset[..., Any]:
    """Return a view with the partitions that it has by its upstreams, if it declares none.

    They are those of its partitioned upstreams, if all have the same. Their partition columns are its own, if its model
    has them; without a model it is expected to have them.
    """
    partitioned = [node for node in upstream if node.partitions.dimensions]
    if view.partitions.dimensions or len({node.partitions for node in partitioned}) != 1:
        return view
    fitting = (node.asset.partition_columns for node in partitioned if _has_columns(view, node))
    return replace(view, partitions=partitioned[0].asset.partitions, partition_columns=next(fitting, ()))


def _has_columns(view: Asset[..., Any], upstream: Node) -> bool:
    columns, dimensions = upstream.asset.partition_columns, upstream.partitions.dimensions
    if len(columns) != len(dimensions):
        return False  # another view, which has none of its own
    if view.model is None or declare(view.model).patterns:
        return True
    schema = {column.name: column.dtype for column in declare(view.model).columns if column.required}
    return all(_fits(column, each, schema) for column, each in zip(columns, dimensions, strict=True))


def _fits(column: PartitionColumn, dimension: Dimension, schema: Mapping[str, pl.DataType]) -> bool:
    try:
        dtype = column.dtype(schema)
    except pl.exceptions.PolarsError:
        return False
    return dtype is not None and dimension.column_problem(dtype) is None


def overlaps(reads: Iterable[Edge]) -> bool:
    """Tell whether partitions of a view are made from what others of it are made from, too."""
    return not all(goes_into_one(edge.correspondence) for edge in reads)


def cut_problem(view: Node, done: Mapping[AssetKey, Node]) -> str | None:
    """Say why a view cannot give some of its partitions by themselves; none: it can.

    A whole table that it reads beside others is looked up: it makes no rows of other partitions.
    """
    if not view.partitions.dimensions or view.partition_columns:
        return None
    keyed = [edge for edge in view.reads if done[edge.upstream].partitions.dimensions]
    mixed = next((edge for edge in keyed if not goes_into_one(edge.correspondence)), None)
    if mixed is None:
        return None
    return (
        f"several of its partitions are made from the same partition of {mixed.upstream}, so its result must be cut to "
        "those that are read, but its model has no partition column; return one, or declare partitions and partition_by"
    )


def readable(view: Node, there: Callable[[AssetKey], PartitionSet]) -> PartitionSet:
    """Return the partitions of a view that can be computed from those partitions of tables that are there."""
    found = PartitionSet.all(view.partitions.size)
    for edge in view.reads:
        if not edge.argument.allow_missing:
            found = found & reachable(edge, there(edge.upstream) if edge.view is None else readable(edge.view, there))
    return found


def reachable(edge: Edge, there: PartitionSet) -> PartitionSet:
    """Return the downstream partitions of an edge that have what they need among these upstream ones."""
    if edge.argument.allow_missing:
        return PartitionSet.all(edge.correspondence.downstream_size)
    found = edge.correspondence.downstream(there) - edge.waiting
    if edge.correspondence.needs_each:
        found = found - edge.correspondence.downstream(PartitionSet.all(there.size) - there)
    return found


def cut_between(edge: Edge, there: PartitionSet) -> Iterator[tuple[Node, PartitionSet]]:
    """Yield the views on an edge whose result is cut to the same partitions for all of its downstream, and to which.

    `there`: the partitions of the table at its end that exist.
    """
    joined: Correspondence | None = None
    for place, hop in enumerate(edge.hops[:-1]):
        joined = hop.correspondence if joined is None else compose(joined, hop.correspondence)
        if hop.view is not None and hop.view.is_cut and joined.joins_all:
            found = there
            for onward in reversed(edge.hops[place + 1 :]):
                found = reachable(onward, found)
            yield hop.view, found & joined.upstream(PartitionSet.all(joined.downstream_size))
