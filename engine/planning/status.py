"""Status: whether each partition is missing, fresh, stale or external, and why.

A partition is stale exactly when its code changed, when a mapped upstream partition was changed by a commit after the
version that was read, or when an upstream partition is stale itself. All of it is computed on columns by ordinal.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

import polars as pl

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.planning.chain import carried
from deltaworks.engine.planning.deeds import at_versions, never_made, own_deed, place, spelled, upstream_deed
from deltaworks.engine.planning.graph import AssetGraph, Edge, Node
from deltaworks.engine.planning.members import members
from deltaworks.engine.planning.state import AssetState, LakeState, certain
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
    """Somebody else wrote it last, or rolled it back, and chose its content; it is left as it is."""

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
    regrouped: pl.Series
    """Whether it is now to be made from other upstream partitions than were read, none of which need have changed."""
    stale: pl.Series
    """Whether a mapped upstream partition is stale itself."""

    @cached_property
    def changed(self) -> pl.Series:
        """Whether a mapped upstream partition changed after it was read."""
        return certain(self.latest > self.pin)


@dataclass(frozen=True)
class AssetStatus:
    """The status of every partition of an asset."""

    node: Node
    state: AssetState
    status: pl.Series
    """UInt8, a `Status` for each ordinal."""
    code_changed: pl.Series
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


@dataclass(frozen=True, slots=True)
class StatusRange:
    """Consecutive partitions with the same status for the same causes."""

    first: int
    last: int
    status: Status
    causes: tuple[str, ...]
    """The most telling first; empty for what is fresh."""
    failure: str | None = None
    """In which run the last attempt failed, and why."""

    @property
    def reasons(self) -> tuple[str, ...]:
        """Everything that there is to say: of what failed that first, then the causes."""
        return self.causes if self.failure is None else (self.failure, *self.causes)


@dataclass(frozen=True, slots=True)
class StatusGroup:
    """Partitions, consecutive or not, with the same status for the same causes."""

    ranges: tuple[tuple[int, int], ...]
    """First and last ordinal of each run, ascending."""
    status: Status
    causes: tuple[str, ...]
    failure: str | None = None
    """As for ranges, where groups are told apart by it."""


LakeStatus = Mapping[AssetKey, AssetStatus]


def lake_status(graph: AssetGraph, state: LakeState) -> LakeStatus:
    """Compute the status of every partition of every asset."""
    statuses: dict[AssetKey, AssetStatus] = {}
    for key, node in graph.nodes.items():
        statuses[key] = _asset_status(node, state[key], state, statuses)
    return statuses


def status_ranges(
    status: AssetStatus, lake: LakeStatus, within: PartitionSet | None = None, *, by_failure: bool = False
) -> Iterator[StatusRange]:
    """Yield runs of partitions that have the same status for the same causes, ascending; those of `within` if given.

    Changes by the same run are one cause, however many commits they took. `by_failure`: whether those that failed are
    told apart from those that did not; it is no cause of a status.
    """
    causes = _Causes(status, lake)
    runs = _runs(status, lake, within, by_failure=by_failure).select("first", "last", "status", "failure")
    for first, last, found, failure in runs.iter_rows():
        yield StatusRange(first, last, Status(found), tuple(causes.of(Status(found), [(first, last)])), failure)


def status_groups(
    status: AssetStatus, lake: LakeStatus, within: PartitionSet | None = None, *, by_failure: bool = False
) -> Iterator[StatusGroup]:
    """Yield the same with equal runs put together, in the order in which the first of each comes.

    `by_failure`: whether those that failed are told apart from those that did not; it is no cause of a status.
    """
    causes = _Causes(status, lake)
    runs = _runs(status, lake, within, by_failure=by_failure)
    alike = [column for column in runs.columns if column not in ("first", "last")]
    groups = runs.group_by(alike, maintain_order=True).agg("first", "last").select("first", "last", "status", "failure")
    for firsts, lasts, found, failure in groups.iter_rows():
        ranges = tuple(zip(firsts, lasts, strict=True))
        yield StatusGroup(ranges, Status(found), tuple(causes.of(Status(found), ranges)), failure)


def _runs(status: AssetStatus, lake: LakeStatus, within: PartitionSet | None, *, by_failure: bool) -> pl.DataFrame:
    """Return runs of partitions that differ in nothing that is worth a word. Columns: first, last, status, others."""
    state = status.state
    own = state.columns["version"].set(~status.status.is_in([int(Status.MISSING), int(Status.EXTERNAL)]), None)
    failures: list[str | None] = [None] * len(status.status)
    for ordinal, failure in state.failures.items() if by_failure else ():
        failures[ordinal] = failure
    telling = {"status": status.status, "own": state.writer.gather(own), "code": status.code_changed}
    telling["failure"] = pl.Series(failures, dtype=pl.String)
    for number, given in enumerate(status.inputs):
        latest = given.latest.set(~given.changed | given.replaced, None)
        telling[f"writer {number}"] = lake[given.edge.upstream].state.writer.gather(latest)
        telling[f"replaced {number}"] = given.replaced
        telling[f"regrouped {number}"] = given.regrouped & ~given.changed & ~given.replaced
        telling[f"stale {number}"] = given.stale & ~given.replaced
    mask = PartitionSet.all(len(status.status)).mask if within is None else within.mask
    numbered = pl.DataFrame(telling).with_columns(
        run=pl.struct(pl.all(), mask.alias("within")).rle_id(), ordinal=pl.int_range(pl.len())
    )
    first, last = pl.col("ordinal").first().alias("first"), pl.col("ordinal").last().alias("last")
    kept = numbered.filter(mask).group_by("run", maintain_order=True).agg(first, last, pl.col(*telling).first())
    return kept.drop("run")


def _asset_status(node: Node, state: AssetState, lake: LakeState, done: LakeStatus) -> AssetStatus:
    origin, code = state.columns["origin"], node.code
    code_changed = _of_made(
        state, [None not in (each.source, code) and each.source != code for each in state.materializations]
    )
    no_own = PartitionSet.none(node.partitions.size)
    inputs = tuple(
        _input_status(
            edge, state, lake[edge.upstream], no_own if edge.is_own else done[edge.upstream].having(Status.STALE)
        )
        for edge in node.upstream
    )
    stale = code_changed
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
    frame = pl.DataFrame({"exists": state.exists, "origin": origin, "stale": stale})
    status = frame.select(
        pl.when(~pl.col("exists"))
        .then(int(Status.MISSING))
        .when(pl.col("origin").is_in([int(Origin.OUTSIDE), int(Origin.RESTORED)]))
        .then(int(Status.EXTERNAL))
        .when(pl.col("stale"))
        .then(int(Status.STALE))
        .otherwise(int(Status.FRESH))
        .cast(pl.UInt8)
    ).to_series()
    return AssetStatus(node, state, status, code_changed, inputs)


def _input_status(edge: Edge, state: AssetState, upstream: AssetState, upstream_stale: PartitionSet) -> InputStatus:
    pins: list[int] = []
    replaced: list[bool] = []
    regrouped: list[bool] = []
    table_id, name = upstream.table_id or "", str(edge.upstream)
    digest = members(edge, upstream.partitions, PartitionSet(upstream.exists))
    for each in state.materializations:
        pin = each.inputs.get(table_id)
        pins.append(-1 if pin is None else pin.version)
        replaced.append(pin is None and name in (other.asset for other in each.inputs.values()))
        then = None if pin is None else dict(pin.members).get(edge.argument.argument)
        regrouped.append(None not in (digest, then) and digest != then)
    stale_upstream = edge.correspondence.downstream(upstream_stale).mask
    return InputStatus(
        edge=edge,
        pin=pl.Series(pins, dtype=pl.Int64).gather(state.made),
        latest=edge.correspondence.latest(upstream.columns["version"]),
        replaced=_of_made(state, replaced),
        regrouped=_of_made(state, regrouped),
        stale=stale_upstream & state.is_by_engine,
    )


def _of_made(state: AssetState, is_so: Sequence[bool]) -> pl.Series:
    """Return whether something is so of each partition's materialization; no, if it has none that it hangs on."""
    if not any(is_so):
        return PartitionSet.none(state.made.len()).mask
    return certain(pl.Series(is_so, dtype=pl.Boolean).gather(state.made))


_UPSTREAM, _SINCE = "upstream: ", ", since "
"""What stands before an upstream that is stale itself, and between it and the first cause of that."""


class _Causes:
    """The causes of one asset's statuses, in sentences. Ranges may be many and small, so columns become lists once."""

    def __init__(self, status: AssetStatus, lake: LakeStatus) -> None:
        self._status, self._lake = status, lake

    def of(self, found: Status, ranges: Sequence[tuple[int, int]]) -> Iterator[str]:
        """Yield why partitions that differ in nothing else have their status, the most telling cause first."""
        state, first = self._status.state, ranges[0][0]
        match found:
            case Status.MISSING if state.columns["version"][first] is None:
                yield never_made(self._status.node, state)
            case Status.MISSING | Status.EXTERNAL:
                versions = {version for each in ranges for version in _slice(self._versions, each)}
                deed = own_deed(state.writers[max(versions)].kind, is_gone=found is Status.MISSING)
                yield f"{deed}{place(self._status.node)} {at_versions(state, versions)}"
            case Status.STALE:
                if self._status.code_changed[first]:
                    yield f"code: {self._status.node.asset.function.__name__} changed since it was made"
                for each in self._inputs:
                    yield from each.of(ranges)
            case Status.FRESH:
                pass

    @cached_property
    def _inputs(self) -> list[_InputCauses]:
        return [_InputCauses(self, given, self._lake) for given in self._status.inputs]

    @cached_property
    def _versions(self) -> list[int]:
        return self._status.state.columns["version"].to_list()

    def root(self, ordinal: int) -> str:
        """Return what made a partition stale in the first place, be it thousands of levels upstream."""
        causes, way = self, list[tuple[dict[int, str], int]]()
        while (found := causes._status.roots.get(ordinal)) is None:
            way.append((causes._status.roots, ordinal))
            led = causes._led(ordinal)
            if led is None:
                found = next(causes.of(Status.STALE, [(ordinal, ordinal)]))
                break
            causes, ordinal = led
        for roots, each in way:
            roots[each] = found
        return found

    def _led(self, ordinal: int) -> tuple[_Causes, int] | None:
        """Return the upstream partition that a stale one is stale for in the first place; none: it is the root."""
        if self._status.code_changed[ordinal]:
            return None
        return next(each for each in self._inputs if each.tells(ordinal)).led(ordinal)


class _InputCauses:
    """What one upstream did to the partitions of an asset."""

    def __init__(self, owner: _Causes, given: InputStatus, lake: LakeStatus) -> None:
        upstream = lake[given.edge.upstream]
        self._owner, self._given, self._upstream, self._lake = owner, given, upstream, lake
        columns = upstream.state.columns
        changed = given.pin.set(~given.changed, None)
        since = given.edge.correspondence.oldest(changed)
        self._changed = (columns["version"] > since).fill_null(False).arg_true().to_list()
        self._stale = list(upstream.having(Status.STALE))
        self._versions = columns["version"].to_list()
        self._is_gone = (columns["origin"] == int(Origin.GONE)).to_list()
        self._pins = given.pin.to_list()
        self._has_changed = given.changed.to_list()

    def of(self, ranges: Sequence[tuple[int, int]]) -> Iterator[str]:
        """Yield what happened to the inputs of partitions, the same to all of them."""
        first, name = ranges[0][0], f"{self._given.edge.upstream}{place(self._upstream.node)}"
        if self._given.replaced[first]:
            fate = "is gone" if self._upstream.state.version is None else "is not the one that was read"
            yield f"data: the table of {name} {fate}"
            return
        if self._has_changed[first]:
            changed = self._mapped(self._changed, ranges)
            state, versions = self._upstream.state, {self._versions[ordinal] for ordinal in changed}
            are_gone = all(self._is_gone[ordinal] for ordinal in changed)
            deed = upstream_deed({state.writers[version].kind for version in versions}, are_gone=are_gone)
            pins = {pin for each in ranges for pin in _slice(self._pins, each)} - {-1}
            read = f"{spelled(pins)} {'was' if len(pins) == 1 else 'were'} read" if pins else "it was not read before"
            yield f"data: {self._named(changed)} {deed} {at_versions(state, versions)}, {read}"
        elif self._given.regrouped[first]:
            yield f"data: it is made from other partitions of {name} than were read"
        if self._given.stale[first]:
            stale = self._mapped(self._stale, ranges)
            yield f"{_UPSTREAM}{self._named(stale)} is stale{_SINCE}{self._upstream_causes.root(stale[0])}"

    def tells(self, ordinal: int) -> bool:
        """Whether anything happened to the inputs of a partition."""
        given = self._given
        has_own = given.replaced[ordinal] or self._has_changed[ordinal] or given.regrouped[ordinal]
        return bool(has_own or given.stale[ordinal])

    def led(self, ordinal: int) -> tuple[_Causes, int] | None:
        """Return the stale partition that one is stale for, if nothing else happened to its inputs."""
        if self._given.replaced[ordinal] or self._has_changed[ordinal] or self._given.regrouped[ordinal]:
            return None
        return self._upstream_causes, self._mapped(self._stale, [(ordinal, ordinal)])[0]

    @cached_property
    def _upstream_causes(self) -> _Causes:
        return self._owner if self._given.edge.is_own else _Causes(self._upstream, self._lake)

    def _mapped(self, ordinals: list[int], ranges: Sequence[tuple[int, int]]) -> list[int]:
        """Return which of some upstream ordinals, ascending, any of the ranges is made from."""
        found: list[int] = []
        for first, last in ranges:
            mapped = self._given.edge.correspondence.upstream_of(first, last)
            if isinstance(mapped, range):
                found += ordinals[bisect_left(ordinals, mapped.start) : bisect_left(ordinals, mapped.stop)]
            else:
                found += sorted(set(mapped).intersection(ordinals))
        return sorted(set(found)) if len(ranges) > 1 else found

    def _named(self, ordinals: list[int]) -> str:
        runs: list[tuple[int, int]] = []
        for ordinal in ordinals:
            if runs and ordinal == runs[-1][1] + 1:
                runs[-1] = (runs[-1][0], ordinal)
            else:
                runs.append((ordinal, ordinal))
        return f"{self._upstream.node.spelled(runs)}{place(self._upstream.node)}"


def _slice(values: list[int], bounds: tuple[int, int]) -> list[int]:
    return values[bounds[0] : bounds[1] + 1]
