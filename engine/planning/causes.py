"""Causes: why partitions have their status, in sentences, told of as few ranges or groups of them as can be.

Partitions that differ in nothing worth a word are told of together. Changes by the same run are one cause.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.planning.code_change import changed_code
from deltaworks.engine.planning.deeds import at_versions, never_made, own_deed, place, spelled, upstream_deed
from deltaworks.engine.planning.status import AssetStatus, InputStatus, LakeStatus, Status
from deltaworks.io.table_state import Origin


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
    telling = {
        "status": status.status,
        "own": state.writer.gather(own),
        "code": status.code_changed,
        "config": status.config_changed,
    }
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
                    names = " and ".join(changed_code(self._status.node, state, ranges))
                    yield f"code: {names} changed since it was made"
                if self._status.config_changed[first]:
                    yield "config changed: it was made with another one than the project's"
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
        if self._status.code_changed[ordinal] or self._status.config_changed[ordinal]:
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
