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
    """Yield runs of partitions that have the same status for the same causes, ascending; those of `within` if given.

    Changes by the same run are one cause, however many commits they took.
    """
    state = status.state
    own = state.columns["version"].set(~status.status.is_in([int(Status.MISSING), int(Status.EXTERNAL)]), None)
    telling = {"status": status.status, "own": state.writer.gather(own), "code": status.code_changed}
    for number, given in enumerate(status.inputs):
        latest = given.latest.set(~given.changed | given.replaced, None)
        telling[f"writer {number}"] = lake[given.edge.upstream].state.writer.gather(latest)
        telling[f"replaced {number}"] = given.replaced
        telling[f"stale {number}"] = given.stale & ~given.replaced
    if within is not None:
        telling["within"] = within.mask
    runs = pl.DataFrame(telling).select(run=pl.struct(pl.all()).rle_id(), ordinal=pl.int_range(pl.len()))
    if within is not None:
        runs = runs.filter(within.mask)
    bounds = runs.group_by("run", maintain_order=True).agg(
        first=pl.col("ordinal").first(), last=pl.col("ordinal").last()
    )
    for first, last in bounds.select("first", "last").iter_rows():
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
    pins: list[int] = []
    replaced: list[bool] = []
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
    versions = state.columns["version"].slice(first, last - first + 1)
    match found:
        case Status.MISSING if state.columns["origin"][first] == int(Origin.GONE):
            yield f"emptied {_at(state, versions)}"
        case Status.MISSING:
            yield "never materialized"
        case Status.EXTERNAL:
            yield f"written {_at(state, versions)}"
        case Status.STALE:
            if status.code_changed[first]:
                yield f"code: {status.node.asset.function.__name__} changed since it was made"
            for given in status.inputs:
                yield from _input_causes(given, first, last, lake[given.edge.upstream])
        case Status.FRESH:
            pass


def _input_causes(given: InputStatus, first: int, last: int, upstream: AssetStatus) -> Iterator[str]:
    """Yield what an upstream did to consecutive partitions; only their own slice of both assets is looked at."""
    mapped = given.edge.correspondence.upstream_range(first, last)
    if given.replaced[first]:
        fate = "is gone" if upstream.state.version is None else "is not the one that was read"
        yield f"data: the table of {given.edge.upstream} {fate}"
        return
    if given.changed[first]:
        pins = given.pin.slice(first, last - first + 1)
        read = given.edge.correspondence.cut(first, last).oldest(pins)
        columns = upstream.state.columns.slice(mapped.start, len(mapped))
        has_changed = (columns["version"] > read).fill_null(False)
        changed = columns.filter(has_changed)
        verb = "was emptied" if (changed["origin"] == int(Origin.GONE)).all() else "changed"
        yield (
            f"data: {_named(upstream.node, has_changed, mapped.start)} {verb} {_at(upstream.state, changed['version'])}"
            f", {_read(pins)}"
        )
    if given.stale[first]:
        is_stale = upstream.status.slice(mapped.start, len(mapped)) == int(Status.STALE)
        yield f"upstream: {_named(upstream.node, is_stale, mapped.start)} is stale"


def _at(state: AssetState, versions: pl.Series) -> str:
    """Say at which versions something changed and who made them; the last writer, if there are several."""
    writers = state.writer.gather(versions.sort())
    last = "last " if writers.n_unique() > 1 else ""
    return f"at {_spelled(versions)} {last}by {writers[-1]}"


def _read(pins: pl.Series) -> str:
    read = pins.filter(pins >= 0)
    if read.is_empty():
        return "it was not read before"
    return f"{_spelled(read)} {'was' if read.n_unique() == 1 else 'were'} read"


def _spelled(versions: pl.Series) -> str:
    ascending = versions.sort()
    least, most = ascending[0], ascending[-1]
    return f"version {most}" if least == most else f"versions {least} to {most}"


def _named(node: Node, mask: pl.Series, start: int) -> str:
    """Name the partitions of a mask whose first ordinal is `start`."""
    return node.spelled([(start + first, start + last) for first, last in PartitionSet(mask).ranges()])
