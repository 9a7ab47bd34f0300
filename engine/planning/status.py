"""Status: whether each partition is missing, fresh, stale or external, and why.

A partition is stale exactly when its code changed, when a mapped upstream partition was changed by a commit after the
version that was read, or when an upstream partition is stale itself. All of it is computed on columns by ordinal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum

import polars as pl

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partition_set import PartitionSet
from deltaworks.engine.planning.graph import AssetGraph, Edge, Node
from deltaworks.engine.planning.state import AssetState, LakeState
from deltaworks.io.table import Origin


class Status(IntEnum):
    """What can be said of a partition; each has exactly one."""

    MISSING = 0
    """It has no content."""
    FRESH = 1
    """It is what its code makes of its upstreams as they are."""
    STALE = 2
    """Making it again may give another result."""
    EXTERNAL = 3
    """Somebody else wrote it last and chose its content; it is left as it is."""

    @property
    def word(self) -> str:
        """The status as users see it."""
        return self.name.lower()


@dataclass(frozen=True)
class InputStatus:
    """What one upstream contributes to the status of each partition."""

    edge: Edge
    pin: pl.Series
    """The version of the upstream's table that was read; -1: none was recorded."""
    latest: pl.Series
    """The latest version that changed a mapped upstream partition; null: none ever did."""
    replaced: pl.Series
    """Whether the upstream's table is not the one that was read."""
    stale: pl.Series
    """Whether a mapped upstream partition is stale itself."""

    @property
    def changed(self) -> pl.Series:
        """Whether a mapped upstream partition changed after it was read."""
        return (self.latest > self.pin).fill_null(False)


@dataclass(frozen=True)
class AssetStatus:
    """The status of every partition of an asset."""

    node: Node
    state: AssetState
    status: pl.Series
    """UInt8, a `Status` for each ordinal."""
    code_changed: pl.Series
    inputs: tuple[InputStatus, ...]

    def having(self, *wanted: Status) -> PartitionSet:
        """Return the partitions with one of some statuses."""
        return PartitionSet(self.status.is_in([int(status) for status in wanted]))

    def count(self, status: Status) -> int:
        """Return how many partitions have a status."""
        return len(self.having(status))


@dataclass(frozen=True, slots=True)
class StatusRange:
    """Consecutive partitions with the same status for the same causes."""

    first: int
    last: int
    status: Status
    causes: tuple[str, ...]
    """The most telling first; empty for what is fresh."""


LakeStatus = Mapping[AssetKey, AssetStatus]


def lake_status(graph: AssetGraph, state: LakeState) -> LakeStatus:
    """Compute the status of every partition of every asset."""
    statuses: dict[AssetKey, AssetStatus] = {}
    for key, node in graph.nodes.items():
        statuses[key] = _asset_status(node, state[key], state, statuses)
    return statuses


def status_ranges(status: AssetStatus, lake: LakeStatus, within: PartitionSet | None = None) -> Iterator[StatusRange]:
    """Yield runs of partitions that have the same status for the same causes, ascending; those of `within` if given."""
    telling: dict[str, pl.Series] = {"status": status.status, "code": status.code_changed}
    for number, given in enumerate(status.inputs):
        telling[f"latest {number}"] = given.latest.set(~given.changed, None)
        telling[f"pin {number}"] = given.pin.set(~given.changed, None)
        telling[f"replaced {number}"] = given.replaced
        telling[f"stale {number}"] = given.stale
    if within is not None:
        telling["within"] = within.mask
    runs = pl.DataFrame(telling).select(run=pl.struct(pl.all()).rle_id(), ordinal=pl.int_range(pl.len()))
    for first, last in (
        runs.group_by("run", maintain_order=True)
        .agg(first=pl.col("ordinal").first(), last=pl.col("ordinal").last())
        .select("first", "last")
        .iter_rows()
    ):
        if within is None or first in within:
            found = Status(status.status[first])
            yield StatusRange(first, last, found, tuple(_causes(status, found, first, last, lake)))


def _asset_status(node: Node, state: AssetState, lake: LakeState, done: LakeStatus) -> AssetStatus:
    made = state.columns["materialization"]
    codes = pl.Series([each.group.source for each in state.materializations], dtype=pl.String)
    code_changed = (codes != node.code).gather(made).fill_null(False)
    inputs = tuple(_input_status(edge, state, lake[edge.upstream], done[edge.upstream]) for edge in node.upstream)
    stale = code_changed
    for given in inputs:
        stale = stale | given.changed | given.replaced | given.stale
    origin = state.columns["origin"]
    frame = pl.DataFrame({"exists": state.exists, "origin": origin, "stale": stale})
    status = frame.select(
        pl.when(~pl.col("exists"))
        .then(int(Status.MISSING))
        .when(pl.col("origin") == int(Origin.OUTSIDE))
        .then(int(Status.EXTERNAL))
        .when(pl.col("stale"))
        .then(int(Status.STALE))
        .otherwise(int(Status.FRESH))
        .cast(pl.UInt8)
    ).to_series()
    return AssetStatus(node, state, status, code_changed, inputs)


def _input_status(edge: Edge, state: AssetState, upstream: AssetState, upstream_status: AssetStatus) -> InputStatus:
    made = state.columns["materialization"]
    pins, replaced = [], []
    for each in state.materializations:
        pin = each.group.inputs.get(upstream.table_id or "")
        read_another = any(pin.asset == str(edge.upstream) for pin in each.group.inputs.values())
        pins.append(-1 if pin is None else pin.version)
        replaced.append(pin is None and read_another)
    stale_upstream = upstream_status.having(Status.STALE).mask.cast(pl.Int8)
    return InputStatus(
        edge=edge,
        pin=pl.Series(pins, dtype=pl.Int64).gather(made),
        latest=edge.correspondence.latest(upstream.columns["version"]),
        replaced=pl.Series(replaced, dtype=pl.Boolean).gather(made).fill_null(False),
        stale=(edge.correspondence.latest(stale_upstream).fill_null(0) > 0) & made.is_not_null(),
    )


def _causes(status: AssetStatus, found: Status, first: int, last: int, lake: LakeStatus) -> Iterator[str]:
    state = status.state
    if found is Status.MISSING and state.columns["origin"][first] == int(Origin.GONE):
        yield f"emptied at version {_change(state, state.columns['version'][first])}"
    elif found is Status.MISSING:
        yield "never materialized"
    elif found is Status.EXTERNAL:
        yield f"written at version {_change(state, state.columns['version'][first])}"
    elif found is Status.STALE:
        if status.code_changed[first]:
            yield f"code: {status.node.asset.function.__name__} changed since it was made"
        for given in status.inputs:
            yield from _input_causes(given, first, last, lake[given.edge.upstream])


def _input_causes(given: InputStatus, first: int, last: int, upstream: AssetStatus) -> Iterator[str]:
    name = str(given.edge.upstream)
    if given.replaced[first]:
        yield f"data: the table of {name} is not the one that was read"
        return
    ordinals = given.edge.correspondence.upstream_range(first, last)
    mapped = PartitionSet.span(ordinals.start, ordinals.stop - 1, upstream.node.partitions.size)
    if given.changed[first]:
        pin, latest = given.pin[first], given.latest[first]
        changed = PartitionSet((upstream.state.columns["version"] == latest).fill_null(False)) & mapped
        yield (
            f"data: {name}{_spelled(upstream.node, changed)} changed at version {_change(upstream.state, latest)}"
            + (f", version {pin} was read" if pin >= 0 else ", it was not read before")
        )
    if given.stale[first]:
        yield f"upstream: {name}{_spelled(upstream.node, upstream.having(Status.STALE) & mapped)} is stale"


def _change(state: AssetState, version: int) -> str:
    return f"{version} by {state.writers[version]}" if version in state.writers else str(version)


def _spelled(node: Node, partitions: PartitionSet) -> str:
    """Spell a set of partitions for a sentence: the first ranges, and how many more there are."""
    if not node.partition_columns:
        return ""
    ranges = partitions.ranges()
    spelled = [
        node.partitions.key(first) if first == last else f"{node.partitions.key(first)}..{node.partitions.key(last)}"
        for first, last in ranges[:3]
    ]
    more = f" and {len(ranges) - 3} more ranges" if len(ranges) > 3 else ""
    return " " + ", ".join(spelled) + more
