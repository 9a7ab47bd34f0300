"""Range-safe: try whether a function that is called for ranges makes of each partition what it makes of it alone.

Samples of partitions are made twice from what the lake holds now, in a folder of their own outside of the lake: by one
call for all of them, and by one call for each. No table is written.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.execution.asset_resources import asset_resources
from deltaworks.engine.execution.cuts import cuts
from deltaworks.engine.execution.opening import open_latest
from deltaworks.engine.execution.pin import lacking, pin
from deltaworks.engine.execution.repairs.rerun import TOLERANCE
from deltaworks.engine.execution.stage import Stager
from deltaworks.engine.execution.task import Outcome, StagedOutcome, Task
from deltaworks.engine.execution.workers.workers import configs_of
from deltaworks.engine.planning.asset_config import resolve_asset_config
from deltaworks.engine.planning.graph import AssetGraph, Node
from deltaworks.io.compare import Part, Terms, compare
from deltaworks.io.difference import ColumnDifference, Difference
from deltaworks.io.log import LiveFile
from deltaworks.io.scan import scan_files
from deltaworks.io.store import Store
from deltaworks.io.table import Table

SAMPLE = 5
"""How many consecutive partitions a sample has at most."""

_LOOKED_AT = 1000
"""At how many partitions it is looked, from either end, for some that have all that they are made from."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of trying one asset."""

    asset: str
    keys: tuple[str, ...]
    """The partitions that were made both ways."""
    failures: tuple[str, ...]
    """What could be made one way only, and why not the other; one sentence each."""
    difference: Difference
    """Between what was made one by one and what was made in one range."""

    @property
    def is_safe(self) -> bool:
        """Whether nothing is known against calling the function for ranges."""
        return not self.failures and self.difference.is_equal

    @property
    def is_tried(self) -> bool:
        """Whether there was anything to try."""
        return bool(self.keys or self.failures)


def try_ranges(
    definitions: Definitions,
    graph: AssetGraph,
    store: Store,
    keys: Collection[AssetKey],
    *,
    environ: Mapping[str, str],
    run_id: str,
) -> Iterator[Trial]:
    """Try each of some assets that may be called for ranges: its latest partitions that can be made, and its first.

    Args:
        definitions: the assets' resources.
        graph: all assets.
        store: the lake.
        keys: the assets; those that are only called for single partitions are left out.
        environ: where resources find their `EnvVar`s.
        run_id: names the files that are made.

    Raises:
        InvalidSettings: a resource lacks its environment variable.
        RequestError: an asset takes a config with a field that has no default.
        LogGap: a commit of an upstream is missing or damaged.
    """
    for key, node in graph.nodes.items():
        if key in keys and node.asset.kind.is_made and node.asset.backfill.allows_ranges and node.partitions.size > 1:
            tables = {edge.upstream: open_latest(store, graph.nodes[edge.upstream].asset) for edge in node.upstream}
            with (
                asset_resources(definitions, [node], environ) as resources,
                tempfile.TemporaryDirectory(prefix="deltaworks-ranges-") as folder,
            ):
                target = Store(Path(folder).resolve(), durable=False)
                config = configs_of([node], resolve_asset_config(graph, [key], ()))
                stager = Stager(store, {str(node.key): node}, resources, target, config=config)
                yield _Trying(graph, node, tables, stager, target, run_id).trial()


@dataclass(slots=True)
class _Trying:
    graph: AssetGraph
    node: Node
    tables: Mapping[AssetKey, Table]
    stager: Stager
    target: Store
    run_id: str
    number: int = 0

    def trial(self) -> Trial:
        found = Difference("calls one by one", "one range", ColumnDifference(), tolerance=TOLERANCE)
        compared: list[int] = []
        failures: list[str] = []
        for first, last in self._samples():
            together = self._make(first, last)
            for ordinal in range(first, last + 1):
                alone = self._make(ordinal, ordinal)
                if ordinal in alone.failures and ordinal in together.failures:
                    continue  # it cannot be made at all, which says nothing about ranges
                if ordinal in alone.failures or ordinal in together.failures:
                    failures.append(self._one_way(ordinal, alone, together))
                    continue
                found = self._compared(ordinal, alone, together, found)
                compared.append(ordinal)
        partitions = self.node.partitions
        keys = tuple(partitions.key(ordinal) for ordinal in sorted(compared))
        return Trial(str(self.node.key), keys, tuple(failures), found)

    def _samples(self) -> Iterator[tuple[int, int]]:
        """Yield first and last ordinal of the latest partitions that can be made, and of the first if they are others.

        Those of a sample may be made by one call.
        """
        size = self.node.partitions.size
        latest = self._sample(range(size - 1, max(-1, size - 1 - _LOOKED_AT), -1))
        if latest is None:
            return
        yield latest
        earliest = self._sample(range(min(size, _LOOKED_AT)))
        if earliest is not None and earliest[1] < latest[0]:
            yield earliest

    def _sample(self, ordinals: range) -> tuple[int, int] | None:
        """Return first and last of the first ordinals, in their order, that follow each other and can be made."""
        partitions, most = self.node.partitions, self.node.asset.backfill.max_partitions or SAMPLE
        run: list[int] = []
        for ordinal in ordinals:
            if lacking(self.graph, self.tables, self.node.key, ordinal, ordinal):
                if len(run) > 1:
                    break
                run = []
                continue
            if run and partitions.run_end(min(run[0], ordinal)) < max(run[0], ordinal):
                if len(run) > 1:
                    break
                run = []
            run.append(ordinal)
            if len(run) == min(SAMPLE, most):
                break
        return (min(run), max(run)) if len(run) > 1 else None

    def _make(self, first: int, last: int) -> Outcome:
        self.number += 1
        node, ordinals = self.node, range(first, last + 1)
        inputs = {
            edge.argument.argument: pin(self.graph, self.tables[edge.upstream], edge, first, last)
            for edge in node.upstream
        }
        cut = cuts(self.graph, self.tables, node, ordinals)
        return self.stager.stage(
            Task(self.run_id, self.number, node.key, first, last, inputs, is_small=False, cuts=cut)
        )

    def _one_way(self, ordinal: int, alone: Outcome, together: Outcome) -> str:
        name = f"{self.node.key} {self.node.partitions.key(ordinal)}"
        if ordinal in together.failures:
            return f"{name} can be made alone, but not in a range: {together.failures[ordinal]}"
        return f"{name} can be made in a range, but not alone: {alone.failures[ordinal]}"

    def _compared(self, ordinal: int, alone: Outcome, together: Outcome, so_far: Difference) -> Difference:
        assert alone.schema is not None, "what was staged has a schema"
        assert together.schema is not None, "what was staged has a schema"
        one, whole = _staged(alone, ordinal), _staged(together, ordinal)
        size_bytes = sum(file.size_bytes for side in (one, whole) for file in side.partition.files)
        part = Part(self._rows(one, alone.schema), self._rows(whole, together.schema), size_bytes)
        terms = Terms(tolerance=so_far.tolerance)
        found = compare((so_far.a, so_far.b), (alone.schema, together.schema), [part], terms, so_far)
        return replace(found, partitions_compared=so_far.partitions_compared + 1)

    def _rows(self, staged: StagedOutcome, schema: pl.Schema) -> pl.LazyFrame:
        part = staged.partition
        files = [LiveFile(file.path, file.path, file.size_bytes, part.values) for file in part.files]
        return scan_files(self.target, self.node.asset.table_name, files, schema, self.node.partition_columns)


def _staged(outcome: Outcome, ordinal: int) -> StagedOutcome:
    return next(each for each in outcome.staged if each.ordinal == ordinal)
