"""Status: whether each partition is missing, fresh, stale or external, and why.

A partition is stale exactly when its code changed, or its config where that counts, when a mapped upstream partition
was changed by a commit after the version that was read, or when an upstream partition is stale itself. All of it is
computed on columns by ordinal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

import polars as pl

from deltaworks.engine.definitions.asset import AssetKind
from deltaworks.engine.definitions.asset_config import counting_hash
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet, shared
from deltaworks.engine.planning.chain import carried
from deltaworks.engine.planning.graph import AssetGraph, Edge, Node
from deltaworks.engine.planning.members import compare_members
from deltaworks.engine.planning.state import AssetState, LakeState, certain


class Status(IntEnum):
    """What can be said of a partition; each has exactly one."""

    MISSING = 0
    """It has no content."""
    FRESH = 1
    """It is what its code makes of its upstreams as they are; of a source, what was last observed."""
    STALE = 2
    """Making it again may give another result."""
    EXTERNAL = 3
    """Somebody else wrote it last, or rolled it back, and chose its content; it is left as it is."""

    @property
    def word(self) -> str:
        """The status as users see it."""
        return self.name.lower()


@dataclass(frozen=True)
class InputStatus:
    """What one upstream contributes to the status of each partition."""

    edge: Edge
    made: pl.Series
    """The materialization of each partition, as in `AssetState.made`."""
    pins: tuple[int, ...]
    """By materialization, the version of the upstream's table that was read; -1: none was recorded."""
    versions: pl.Series
    """Of the upstream's partitions."""
    unlike: pl.Series | None
    """The latest versions, where they are not what the versions of all mapped upstream partitions come to."""
    changed: pl.Series
    """Whether a mapped upstream partition changed after it was read."""
    replaced: pl.Series
    """Whether the upstream's table is not the one that was read."""
    regrouped: pl.Series
    """Whether it is now to be made from other upstream partitions than were read, none of which need have changed."""
    stale: pl.Series
    """Whether a mapped upstream partition is stale itself."""

    # The versions by partition are computed again when somebody asks why: kept, they were two thirds of all memory.

    @property
    def pin(self) -> pl.Series:
        """The version of the upstream's table that was read; -1: none was recorded."""
        return _pin(self.pins, self.made)

    @property
    def latest(self) -> pl.Series:
        """The latest version that changed a mapped upstream partition; null: none ever did."""
        return self.edge.correspondence.latest(self.versions) if self.unlike is None else self.unlike


@dataclass(frozen=True)
class AssetStatus:
    """The status of every partition of an asset."""

    node: Node
    state: AssetState
    status: pl.Series
    """UInt8, a `Status` for each ordinal."""
    code_changed: pl.Series
    config_changed: pl.Series
    """Whether the project's config is not the one that it was made with; no, where that does not count."""
    inputs: tuple[InputStatus, ...]

    @cached_property
    def roots(self) -> dict[int, str]:
        """What made stale partitions stale in the first place, by ordinal, as far as it was found out."""
        return {}

    def having(self, *wanted: Status) -> PartitionSet:
        """Return the partitions with one of some statuses."""
        mask = PartitionSet.none(self.status.len()).mask
        for status in wanted:
            mask = mask | (self.status == int(status))
        return PartitionSet(mask)

    def count(self, status: Status) -> int:
        """Return how many partitions have a status."""
        return len(self.having(status))


LakeStatus = Mapping[AssetKey, AssetStatus]


def lake_status(graph: AssetGraph, state: LakeState, before: LakeStatus | None = None) -> LakeStatus:
    """Compute the status of every partition of every asset, as far as the tables that it is made from can be read.

    `before` is an earlier status of the same graph: of what nothing has moved since, it is taken over.
    """
    statuses: dict[AssetKey, AssetStatus] = {}
    moved: set[AssetKey] = set()
    for key, node in graph.nodes.items():
        known = (before or {}).get(key)
        is_same = known is not None and known.state is state[key]
        if known is not None and is_same and all(edge.upstream not in moved for edge in node.upstream):
            statuses[key] = known
            continue
        found = statuses[key] = _asset_status(node, state[key], state, statuses)
        if known is None or not is_same or not found.status.equals(known.status):
            moved.add(key)
    return statuses


def _asset_status(node: Node, state: AssetState, lake: LakeState, done: LakeStatus) -> AssetStatus:
    if node.asset.kind is AssetKind.SOURCE:
        fresh = state.exists.cast(pl.UInt8) * int(Status.FRESH)  # what is there is what was observed
        nothing = PartitionSet.none(node.partitions.size).mask
        return AssetStatus(node, state, fresh, nothing, nothing, ())
    code = node.code
    code_changed = _of_made(
        state, [None not in (each.source, code) and each.source != code for each in state.materializations]
    )
    config = counting_hash(node.asset)
    config_changed = _of_made(
        state,
        [None not in (each.config_hash, config) and each.config_hash != config for each in state.materializations],
    )
    no_own = PartitionSet.none(node.partitions.size)
    inputs = tuple(
        _input_status(
            edge, state, lake[edge.upstream], no_own if edge.is_own else done[edge.upstream].having(Status.STALE)
        )
        for edge in node.upstream
        if lake[edge.upstream].fault is None  # what changed in a table that cannot be read, nobody can tell
    )
    stale = code_changed | config_changed
    for given in inputs:
        stale = stale | given.changed | given.replaced | given.regrouped | given.stale
    own = [edge for edge in node.upstream if edge.is_own]
    if own:
        by_engine = PartitionSet(state.is_by_engine)
        stale = carried(stale & by_engine.mask, by_engine, own)
        inputs = tuple(
            _input_status(given.edge, state, state, PartitionSet(stale)) if given.edge.is_own else given
            for given in inputs
        )
    return AssetStatus(node, state, _status(state, stale), code_changed, config_changed, inputs)


def _status(state: AssetState, stale: pl.Series) -> pl.Series:
    status = _each(Status.FRESH, stale.len())
    # The last word counts most. Series, as a frame's expressions cost ten times as much on a thousand small tables.
    for mask, found in (
        (stale, Status.STALE),
        (~state.is_by_engine, Status.EXTERNAL),
        (~state.exists, Status.MISSING),
    ):
        if mask.any():
            status = _each(found, mask.len()).zip_with(mask, status)
    return status


def _each(status: Status, size: int) -> pl.Series:
    return pl.Series([int(status)], dtype=pl.UInt8).new_from_index(0, size)


def _input_status(edge: Edge, state: AssetState, upstream: AssetState, upstream_stale: PartitionSet) -> InputStatus:
    pins: list[int] = []
    replaced: list[bool] = []
    recorded: list[str | None] = []
    table_id, name = upstream.table_id or "", str(edge.upstream)
    for each in state.materializations:
        pin = each.inputs.get(table_id)
        pins.append(-1 if pin is None else pin.version)
        replaced.append(pin is None and name in (other.asset for other in each.inputs.values()))
        recorded.append(None if pin is None else dict(pin.members).get(edge.argument.argument))
    there = PartitionSet(upstream.exists)
    compared = compare_members(edge, upstream.partitions, there, recorded, state.made)
    versions = upstream.columns["version"]
    latest, unlike = edge.correspondence.latest(versions), None
    if compared is not None and compared.is_same.any() and not there.mask.all():
        # What was missing when it was read and is again, whatever came and went between, is no change.
        of_there = edge.correspondence.latest(versions.set(~there.mask, None))
        latest = unlike = latest.zip_with(~compared.is_same, of_there)
    stale_upstream = edge.correspondence.downstream(upstream_stale).mask
    return InputStatus(
        edge=edge,
        made=state.made,
        pins=tuple(pins),
        versions=versions,
        unlike=unlike,
        changed=shared(certain(latest > _pin(pins, state.made))),
        replaced=_of_made(state, replaced),
        regrouped=PartitionSet.none(state.made.len()).mask if compared is None else compared.differs,
        stale=shared(stale_upstream & state.is_by_engine),
    )


def _pin(pins: Sequence[int], made: pl.Series) -> pl.Series:
    return pl.Series(pins, dtype=pl.Int64)[made]


def _of_made(state: AssetState, is_so: Sequence[bool]) -> pl.Series:
    """Return whether something is so of each partition's materialization; no, if it has none that it hangs on."""
    if not any(is_so):
        return PartitionSet.none(state.made.len()).mask
    return shared(certain(pl.Series(is_so, dtype=pl.Boolean)[state.made]))
