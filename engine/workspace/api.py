"""The Python door: materialize assets in this process and read tables, without a project around them."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Event as Flag
from typing import Any

import polars as pl

from deltaworks.engine.definitions.asset import Asset
from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.definitions.resources import Resource
from deltaworks.engine.execution.launch import launch
from deltaworks.engine.execution.observe import observe
from deltaworks.engine.execution.run import RunReport
from deltaworks.engine.planning.graph import build_graph
from deltaworks.engine.planning.plan import Only, plan
from deltaworks.engine.planning.request import request
from deltaworks.engine.workspace.dynamic_keys import read_dynamic_keys
from deltaworks.engine.workspace.reading import read_table
from deltaworks.errors import RequestError, RunError
from deltaworks.io.store import Store


def materialize(
    assets: Sequence[Asset[..., Any]],
    *,
    lake: str | Path,
    partition: str | Sequence[str] | None = None,
    resources: Mapping[str, Resource] | None = None,
    workers: int = 2,
) -> RunReport:
    """Make assets now, whatever their status, and return how it went.

    Args:
        assets: what to make, and every upstream of it.
        lake: where the tables lie.
        partition: the keys to make; none: every partition.
        resources: by name, for the assets that ask for them.
        workers: how many calls run at once.

    Raises:
        RunError: a partition failed; the others are committed.
        DeltaworksError: the definitions or the request are wrong; nothing was run.
    """
    definitions = Definitions(assets, resources)
    store = Store.at(str(lake))
    graph = build_graph(definitions, _now(), read_dynamic_keys(definitions, store))
    observation = observe(graph, store)
    asked = request(graph, tuple(graph.nodes), _keys(partition))
    report = launch(
        definitions,
        graph,
        store,
        observation.tables,
        plan(graph, observation.status, asked, frozenset({Only.ALL})),
        workers=workers,
        command="dw.materialize",
        environ=os.environ,
        now=_now,
        tell=lambda _: None,
        stop=Flag(),
    )
    if report.entry.failures:
        more = f" ({report.entry.failed - 1} more failed)" if report.entry.failed > 1 else ""
        first = report.entry.failures[0]
        raise RunError(f"{first.error}{more}", asset=first.asset, partition=first.partition)
    return report


def read(
    asset: str | Asset[..., Any],
    *,
    lake: str | Path,
    version: int | None = None,
    partition: str | Sequence[str] | None = None,
) -> pl.LazyFrame:
    """Return the rows of a table, lazily.

    Columns: those of the table's schema, partition columns included. Row order is not defined.

    Args:
        asset: an asset, or the folder of its table, which is its key unless it has a location.
        lake: where the table lies.
        version: the table's version; none: the latest.
        partition: the keys to read; none: every partition.

    Raises:
        RequestError: there is no table.
        VersionGone: it has no such version.
    """
    name = asset.table_name if isinstance(asset, Asset) else asset
    return read_table(Store.at(str(lake)), name, version=version, partitions=_keys(partition) or None)


def _keys(partition: str | Sequence[str] | None) -> Sequence[str]:
    if partition is None:
        return ()
    if not partition:
        raise RequestError("partition is empty; leave it out to mean every partition")
    return (partition,) if isinstance(partition, str) else partition


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
