"""Rerun: make again what a commit made, from the same versions of its upstreams, and compare; no table is written."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from deltaworks.engine.definitions.asset import Asset
from deltaworks.engine.definitions.asset_config import config_hash, config_values, default_config
from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.execution.asset_resources import asset_resources
from deltaworks.engine.execution.cuts import cuts
from deltaworks.engine.execution.opening import no_table, open_latest, open_version, refuse_external
from deltaworks.engine.execution.pin import pin
from deltaworks.engine.execution.sizes import SMALL_BYTES
from deltaworks.engine.execution.stage import Stager
from deltaworks.engine.execution.task import Outcome, PinnedInput, Task
from deltaworks.engine.execution.workers.workers import configs_of
from deltaworks.engine.planning.deeds import not_kept
from deltaworks.engine.planning.graph import AssetGraph, Edge, Node
from deltaworks.engine.planning.request import request
from deltaworks.errors import RequestError
from deltaworks.io.compare import Part, Terms, compare
from deltaworks.io.difference import ColumnDifference, Difference
from deltaworks.io.dtypes import Json
from deltaworks.io.ledger import read_runs
from deltaworks.io.log import LiveFile
from deltaworks.io.materialization import Materialization
from deltaworks.io.record import Kind
from deltaworks.io.scan import refuse_removed_files, scan_files
from deltaworks.io.store import Store
from deltaworks.io.table import Table
from deltaworks.io.table_state import Origin

TOLERANCE = 1e-9
"""By how much floats may differ, relative to the larger one: parallel sums are not the same to the last bit."""


@dataclass(frozen=True, slots=True)
class Rerun:
    """What came of making again what a commit had made."""

    asset: str
    version: int
    keys: tuple[str, ...]
    """The partitions that were made again."""
    beyond: tuple[str, ...]
    """Those of the commit that the definition does not have any more."""
    notes: tuple[str, ...]
    """What is not as it was then, so that a difference would be no wonder."""
    failures: tuple[str, ...]
    """Why partitions could not be made, one sentence each."""
    difference: Difference
    """Between what was committed and what was made again; partitions that failed are in neither."""

    @property
    def is_equal(self) -> bool:
        """Whether everything came out as it was."""
        return not self.failures and self.difference.is_equal


@dataclass(frozen=True, slots=True)
class _Past:
    """A materialization as it is made again."""

    graph: AssetGraph
    node: Node
    store: Store
    then: Table
    """The asset's table, at the version of the materialization."""
    latest: Table
    """The same now."""
    made: Mapping[int, Materialization]
    """By ordinal: what was made, and from what."""
    tables: dict[tuple[AssetKey, int], Table] = field(default_factory=dict[tuple[AssetKey, int], Table])
    """Those that are read, by asset and version."""
    ids: dict[AssetKey, str] = field(default_factory=dict[AssetKey, str])
    """Of the tables that are there now, by asset."""

    def table(self, asset: Asset[..., Any], version: int) -> Table:
        """Return the table of an asset at a version."""
        if (asset.key, version) not in self.tables:
            self.tables[asset.key, version] = open_version(self.store, asset, version)
        return self.tables[asset.key, version]

    def holder(self, key: str) -> Table:
        """Return the table whose files hold what the commit made of a partition.

        The latest one does as long as nobody changed the partition: `maintain` moves rows to other files, and vacuums
        those that had them.
        """
        is_unchanged = self.latest.table_id == self.then.table_id and self.latest.changed_at(key) == self.then.version
        return self.latest if is_unchanged else self.then

    def table_id(self, asset: Asset[..., Any]) -> str:
        """Return the id of the table that is there now; empty: there is none."""
        if asset.key not in self.ids:
            self.ids[asset.key] = open_latest(self.store, asset).table_id or ""
        return self.ids[asset.key]


def rerun(
    definitions: Definitions,
    graph: AssetGraph,
    node: Node,
    store: Store,
    version: int,
    named: Sequence[str] = (),
    *,
    environ: Mapping[str, str],
    run_id: str,
    tolerance: float = TOLERANCE,
) -> Rerun:
    """Make partitions of one commit again and compare them with what it holds.

    They are made one by one, by the code as it is now and in a folder of their own outside of the lake.

    Args:
        definitions: the asset's resources.
        graph: the assets.
        node: the asset.
        store: the lake.
        version: the commit.
        named: its partitions; none: all that it made.
        environ: where resources find their `EnvVar`s.
        run_id: names the files that are made.
        tolerance: see `tolerance.close`.

    Raises:
        RequestError: the commit is no materialization, did not make a partition that is named, or an upstream is not
            the table that was read; or nobody knows the config any more that it was made with.
        VersionGone: there is no such version, of the table or of an upstream.
        FilesGone: vacuum removed data files that are needed.
        InvalidSettings: a resource lacks its environment variable.
    """
    refuse_external(node.asset, "made again")
    if not node.asset.kind.is_made:
        raise RequestError(f"No run makes {node.key} ({node.asset.kind.origin}), so none can be run again.")
    past, beyond = _past(graph, node, store, version, named)
    config = _config(store, past)
    keys = tuple(node.partitions.key(ordinal) for ordinal in past.made)
    for holder in (past.latest, past.then):
        held = [key for key in keys if past.holder(key) is holder]
        refuse_removed_files(holder, held, "there is nothing left to compare with")
    inputs = {ordinal: _inputs(past, ordinal) for ordinal in past.made}
    found = Difference(f"{node.key}@v{version}", "rerun", ColumnDifference(), tolerance=tolerance)
    failures: list[str] = []
    with (
        asset_resources(definitions, [node], environ) as resources,
        tempfile.TemporaryDirectory(prefix="deltaworks-rerun-") as folder,
    ):
        target = Store(Path(folder).resolve(), durable=False)
        stager = Stager(store, {str(node.key): node}, resources, target, config=configs_of([node], config))
        for number, (ordinal, pinned) in enumerate(inputs.items(), start=1):
            is_small = _size_bytes(past, ordinal, pinned) <= SMALL_BYTES
            read = {edge.upstream: _upstream(past, past.made[ordinal], edge) for edge in node.upstream}
            cut = cuts(graph, read, node, range(ordinal, ordinal + 1))
            outcome = stager.stage(Task(run_id, number, node.key, ordinal, ordinal, pinned, is_small, cut))
            failures += outcome.failures.values()
            if outcome.staged:
                found = _compared(past, outcome, target, found)
    sources = (graph.nodes[key] for key in graph.sources_read_by(node))
    notes = (*_code_notes(past), *_input_notes(past, inputs), *(f"source: {not_kept(each)}" for each in sources))
    return Rerun(str(node.key), version, keys, beyond, notes, tuple(failures), found)


def _past(
    graph: AssetGraph, node: Node, store: Store, version: int, named: Sequence[str]
) -> tuple[_Past, tuple[str, ...]]:
    """Return what a commit made, and which of its partitions the definition does not have any more."""
    then = open_version(store, node.asset, version)
    if not then.exists:
        raise RequestError(
            f"There is no table {then.name!r} in lake {store.uri('')} yet; `deltaworks backfill` makes it."
        )
    writer = then.writers[version]
    if writer.kind is not Kind.MATERIALIZE:
        what = f"is {writer.kind.noun} by {writer}" if writer.kind is not None else f"was written by {writer}"
        raise RequestError(
            f"Version {version} of {node.key} {what}, so there is no materialization to run again; "
            f"`deltaworks history {node.key}` lists them."
        )
    # What a migration carried over was not made there.
    is_made = (pl.col("version") == version) & (pl.col("origin") == int(Origin.ENGINE))
    rows = then.partitions().filter(is_made)
    rows = rows.with_columns(ordinal=node.partitions.ordinals(rows["key"])).sort("ordinal", "key")
    beyond: list[str] = rows.filter(pl.col("ordinal").is_null())["key"].to_list()
    kept = rows.drop_nulls("ordinal")
    made: dict[int, Materialization] = {
        ordinal: then.materializations[number]
        for ordinal, number in zip(kept["ordinal"], kept["materialization"], strict=True)
    }
    if named:
        asked = request(graph, (node.key,), named).partitions[node.key]
        other = next((ordinal for ordinal in asked if ordinal not in made), None)
        if other is not None:
            raise RequestError(
                f"Version {version} of {node.key} did not make {node.partitions.key(other)}; "
                f"`deltaworks history {node.key}` tells what made it."
            )
        made, beyond = {ordinal: made[ordinal] for ordinal in asked}, []
    if not made:
        raise RequestError(f"None of the partitions of version {version} of {node.key} is one of its definition now.")
    return _Past(graph, node, store, then, open_latest(store, node.asset), made), tuple(beyond)


def _inputs(past: _Past, ordinal: int) -> dict[str, PinnedInput]:
    """Return what a partition is made from: every upstream as it was read."""
    found: dict[str, PinnedInput] = {}
    for edge in past.node.upstream:
        table = _upstream(past, past.made[ordinal], edge)
        pinned = pin(past.graph, table, edge, ordinal, ordinal)
        partitions = past.graph.nodes[edge.upstream].partitions
        mapped = [partitions.key(each) for each in edge.correspondence.upstream_of(ordinal, ordinal)]
        refuse_removed_files(table, mapped, "what was made from them cannot be made again")
        found[edge.argument.argument] = pinned
    return found


def _upstream(past: _Past, made: Materialization, edge: Edge) -> Table:
    """Return an upstream's table as it was read.

    Raises:
        RequestError: it is not the table that was read, or it was not read.
    """
    asset = past.graph.nodes[edge.upstream].asset
    table_id = past.table_id(asset)
    if table_id in made.inputs:
        then = past.table(asset, made.inputs[table_id].version)
        _refuse_other_keys(past, made, edge, then)
        return then
    if str(edge.upstream) in (other.asset for other in made.inputs.values()):
        raise RequestError(
            f"Version {made.version} of {past.node.key} was made from another table of {edge.upstream} than the one "
            "that is there now, so it cannot be made again."
        )
    if edge.argument.allow_missing or edge.is_own:
        return no_table(past.store, asset)  # there was none yet
    raise RequestError(
        f"Version {made.version} of {past.node.key} was not made from {edge.upstream}, which its code reads now; which "
        "version it would read is not known."
    )


def _refuse_other_keys(past: _Past, made: Materialization, edge: Edge, then: Table) -> None:
    """Make sure that the keys of an upstream's partitions meant the same when it was read as they do now.

    Raises:
        RequestError: they did not.
    """
    node = past.graph.nodes[edge.upstream]
    was = None if then.metadata is None else then.metadata.scheme
    if not node.asset.kind.is_written or was == node.scheme or (was is None and not past.graph.is_source(node.key)):
        return
    kinds = [f"partitions {scheme!r}" if scheme else "no partitions" for scheme in (was, node.scheme)]
    raise RequestError(
        f"Version {made.version} of {past.node.key} was made when {edge.upstream} had {kinds[0]}, and now it has "
        f"{kinds[1]}, so it cannot be made again."
    )


def _size_bytes(past: _Past, ordinal: int, pinned: Mapping[str, PinnedInput]) -> int:
    key = past.node.partitions.key(ordinal)
    made = past.holder(key).files([key])
    return sum(file.size_bytes for part in (made, *(each.files for each in pinned.values())) for file in part)


def _compared(past: _Past, outcome: Outcome, target: Store, so_far: Difference) -> Difference:
    """Compare a partition that was made again, and forget its files."""
    assert outcome.schema is not None, "what was staged has a schema"
    (staged,) = outcome.staged
    part, name = staged.partition, past.then.name
    files = [LiveFile(file.path, file.path, file.size_bytes, part.values) for file in part.files]
    before = past.holder(part.key).files([part.key])
    sizes = sum(file.size_bytes for file in (*before, *files))
    again = scan_files(target, name, files, outcome.schema, past.node.partition_columns)
    schema = past.then.schema()
    committed = scan_files(past.store, name, before, schema, past.node.partition_columns)
    parts = [Part(committed, again, sizes)]
    terms = Terms(tolerance=so_far.tolerance)
    found = compare((so_far.a, so_far.b), (schema, outcome.schema), parts, terms, so_far)
    for file in files:
        target.delete(f"{name}/{file.path}")
    return replace(found, partitions_compared=so_far.partitions_compared + 1)


def _config(store: Store, past: _Past) -> dict[str, Json]:
    """Return the config that partitions were made with, by asset: the project's own, or what the ledger keeps."""
    made, name = next(iter(past.made.values())), past.node.asset.config_name
    project = default_config(past.node.asset)
    if made.config_hash is None or (project is not None and config_hash(config_values(project)) == made.config_hash):
        return {} if project is None else {name: config_values(project)}
    kept = (run.config.get(name) for run in read_runs(store) if run.run_id == made.run_id)
    values = next((each for each in kept if each is not None and config_hash(each) == made.config_hash), None)
    if values is None:
        raise RequestError(
            f"{past.node.key} was made with another config than the project's, and the ledger does not keep that of "
            f"run {made.run_id} any more, so it cannot be made again the same."
        )
    return {name: values}


def _code_notes(past: _Past) -> Iterator[str]:
    was = next(iter(past.made.values())).source
    now = past.node.code
    if was != now:
        where = past.node.asset.where
        yield f"code: {past.node.asset.function.__name__} changed since; it was {was}, now it is {now} ({where})"


def _input_notes(past: _Past, inputs: Mapping[int, Mapping[str, PinnedInput]]) -> Iterator[str]:
    """Say which inputs are made of other partitions now, since a definition has changed."""
    ordinal, pinned = next(iter(inputs.items()))
    for argument, each in pinned.items():
        recorded = past.made[ordinal].inputs.get(each.table_id or "")
        members = None if recorded is None else dict(recorded.members).get(argument)
        if members is not None and (members,) != each.members:
            yield f"input: {argument} is made of other partitions of {each.asset} now than it was then"
