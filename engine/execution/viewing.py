"""Viewing: the rows of a view for whoever asks for them, computed from the tables as they are."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.definitions.mappings.composed import runs_of
from deltaworks.engine.definitions.mappings.segments import Ordinals
from deltaworks.engine.execution.asset_resources import asset_resources
from deltaworks.engine.execution.cuts import cuts
from deltaworks.engine.execution.given import Given
from deltaworks.engine.execution.opening import open_latest
from deltaworks.engine.execution.pin import pin
from deltaworks.engine.planning.graph import AssetGraph, Node
from deltaworks.errors import RequestError
from deltaworks.io.store import Store


def view_rows(
    definitions: Definitions,
    graph: AssetGraph,
    store: Store,
    view: Node,
    ordinals: Ordinals,
    environ: Mapping[str, str],
) -> pl.LazyFrame:
    """Return the rows of some partitions of a view, lazily, from the latest versions of the tables that it reads.

    Partitions that lack something have no rows, as those of a table that are missing. A view with a resource that has
    to be put away is computed before that.

    Args:
        definitions: the resources.
        graph: all assets.
        store: the lake.
        view: the view.
        ordinals: its partitions, ascending; the function is called once for each run of consecutive ones.
        environ: where resources find their `EnvVar`s.

    Raises:
        RequestError: none of its tables is there yet, or there is no partition.
        RunError: the function of a view raised, or did not return a frame.
        ValidationFailed: the columns of a view are not those that its model declares.
    """
    tables = {edge.upstream: open_latest(store, graph.nodes[edge.upstream].asset) for edge in view.upstream}
    if not any(table.exists for table in tables.values()):
        names = ", ".join(map(str, tables))
        raise RequestError(
            f"View {view.key} is made from {names}, of which there is no table in lake {store.uri('')} yet; "
            "`deltaworks backfill` makes it."
        )
    if not ordinals:
        raise RequestError(f"View {view.key} has no partitions yet: they are {view.partitions}.")
    with asset_resources(definitions, [view], environ) as resources:
        parts: list[pl.LazyFrame] = []
        for first, last in runs_of(ordinals):
            inputs = {
                edge.argument.argument: pin(graph, tables[edge.upstream], edge, first, last) for edge in view.upstream
            }
            given = Given(inputs, cuts(graph, tables, view, range(first, last + 1)), store, resources)
            parts.append(given.view(view, "", ""))
        rows = pl.concat(parts)
        return rows.collect().lazy() if resources.scope.is_set_up else rows
