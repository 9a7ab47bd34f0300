"""The Python door: materialize assets in this process, read tables and compare them, without a project around them."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from deltaworks.engine.definitions.asset import Asset, AssetKind
from deltaworks.engine.definitions.asset_check import AssetCheck
from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.definitions.multi_asset import MultiAsset
from deltaworks.engine.definitions.ops.config import Config
from deltaworks.engine.definitions.partitions.resolution import dynamic_dimensions, resolve
from deltaworks.engine.definitions.resources import Resource
from deltaworks.engine.execution.entry import begin_entry
from deltaworks.engine.execution.opening import refuse_own_tables
from deltaworks.engine.execution.report import RunReport
from deltaworks.engine.planning.asset_config import resolve_asset_config
from deltaworks.engine.planning.graph import build_graph
from deltaworks.engine.planning.job_config import ConfigLayer
from deltaworks.engine.planning.request import known_keys, request
from deltaworks.engine.workspace.dynamic_keys import read_dynamic_keys
from deltaworks.engine.workspace.in_process import make
from deltaworks.engine.workspace.reading import open_asset, open_table, read_table, read_view, rows_of
from deltaworks.engine.workspace.surroundings import definitions_around
from deltaworks.engine.workspace.versions import split_version
from deltaworks.errors import RequestError
from deltaworks.io.compare import Terms
from deltaworks.io.compare_tables import Side, compare_tables
from deltaworks.io.difference import Difference
from deltaworks.io.store import Store


def materialize(
    assets: Sequence[Asset[..., Any] | MultiAsset[..., Any]],
    *,
    lake: str | Path,
    partition: str | Sequence[str] | None = None,
    resources: Mapping[str, Resource] | None = None,
    workers: int = 2,
    checks: Sequence[AssetCheck] = (),
    config: Mapping[str, Mapping[str, Any] | Config] | None = None,
    now: Callable[[], dt.datetime] | None = None,
) -> RunReport:
    """Make assets now, whatever their status, and return how it went; sources among them are observed first.

    Args:
        assets: what to make, and every upstream of it.
        lake: where the tables lie.
        partition: the keys to make; none: every partition.
        resources: by name, for the assets that ask for them.
        workers: how many calls run at once.
        checks: what judges the partitions.
        config: by asset, what those are given that take one.
        now: the clock, for partitions without an end and for records; none: that of the machine.

    Raises:
        RunError: a partition failed, a source could not be observed or a table of others not read, or somebody
            canceled the run; what is committed stays.
        DeltaworksError: the definitions or the request are wrong; nothing was run.
    """
    definitions, clock = Definitions(assets, resources, checks), now or _now
    store = Store.at(str(lake))
    refuse_own_tables(definitions, store)
    graph = build_graph(definitions, clock(), read_dynamic_keys(definitions, store))
    given = {key: each.model_dump() if isinstance(each, Config) else each for key, each in (config or {}).items()}
    layers = [ConfigLayer("config=", given)]
    resolve_asset_config(graph, graph.nodes, layers)
    asked = request(graph, tuple(graph.nodes), _keys(partition))
    entry = begin_entry("dw.materialize", clock())
    made = make(definitions, graph, store, asked, entry=entry, workers=workers, now=clock, config=layers)
    made.refuse_failures()
    return made.report


def read(
    asset: str | Asset[..., Any],
    *,
    lake: str | Path,
    version: int | None = None,
    partition: str | Sequence[str] | None = None,
    upstream: Sequence[Asset[..., Any]] = (),
    resources: Mapping[str, Resource] | None = None,
) -> pl.LazyFrame:
    """Return the rows of a table or of a view, lazily.

    Columns: those of the table's schema, partition columns included, or of the view's result. Row order is not defined.

    Args:
        asset: an asset, or the folder of its table, which is its key unless it has a location.
        lake: where the table lies.
        version: the table's version; none: the latest.
        partition: the keys to read; none: every partition.
        upstream: what a view is made from; what stands in the module that defines it is found by itself.
        resources: by name, for a view that asks for them; likewise.

    Raises:
        RequestError: there is no table, or a view has an upstream that is not found.
        UnknownPartition: a key is no partition of the asset.
        VersionGone: it has no such version.
        FilesGone: vacuum removed data files that the version needs.
    """
    store, keys = Store.at(str(lake)), _keys(partition)
    if isinstance(asset, Asset) and asset.kind is AssetKind.VIEW:
        definitions = definitions_around(asset, upstream, resources or {})
        graph = build_graph(definitions, _now(), read_dynamic_keys(definitions, store))
        view = graph.views[asset.key]
        return read_view(definitions, graph, store, view, version=version, partitions=keys or None, environ=os.environ)
    if isinstance(asset, Asset):
        keys = _own_keys(asset, store, keys) if keys else keys
        return rows_of(open_asset(store, asset, version), version=version, partitions=keys or None)
    return read_table(store, asset, version=version, partitions=keys or None)


def diff(
    a: str | Asset[..., Any],
    b: str | Asset[..., Any],
    *,
    lake: str | Path,
    key: str | Sequence[str] = (),
    partition: str | Sequence[str] | None = None,
    tolerance: float = 0.0,
) -> Difference:
    """Return in what two tables, or two versions of one, differ.

    Args:
        a: an asset, or the folder of its table, at its latest version or at another one: `"flights@v12"`.
        b: the same.
        lake: where the tables lie.
        key: the columns that tell which rows belong together; none: rows are compared as a whole.
        partition: the keys to compare; none: every partition.
        tolerance: by how much floats may differ, relative to the larger of the two.

    Raises:
        RequestError: there is no table, or the key is none.
        VersionGone: it has no such version.
        FilesGone: vacuum removed data files that a version needs.
    """
    store = Store.at(str(lake))
    keys = _keys(partition) or None
    before, after = (_side(each, store, keys) for each in (a, b))
    return compare_tables(before, after, Terms((key,) if isinstance(key, str) else tuple(key), tolerance))


def _side(of: str | Asset[..., Any], store: Store, keys: Sequence[str] | None) -> Side:
    if isinstance(of, Asset):
        if of.kind is AssetKind.VIEW:
            raise RequestError(f"{of.key} is a view, which is not stored, so there is no table of it to compare.")
        return Side(open_asset(store, of), str(of.key), keys)
    name, version = split_version(of)
    return Side(open_table(store, name, version), name, keys)


def _own_keys(asset: Asset[..., Any], store: Store, keys: Sequence[str]) -> Sequence[str]:
    """Return keys as the asset's partitions write them.

    Those of partitions that follow another table are that table's to know; they stay as they are.

    Raises:
        UnknownPartition: one of them is no partition of the asset.
    """
    dynamic = dynamic_dimensions(asset.partitions)
    if any(each.name is None for each in dynamic):
        return keys
    partitions = resolve(asset.partitions, read_dynamic_keys(Definitions([asset]), store)).until(_now())
    return known_keys(asset.key, partitions, keys)


def _keys(partition: str | Sequence[str] | None) -> Sequence[str]:
    if partition is None:
        return ()
    if not partition:
        raise RequestError("partition is empty; leave it out to mean every partition")
    return (partition,) if isinstance(partition, str) else partition


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
