"""Explain: why partitions have their status, through their upstreams down to a commit or to the code.

Where a status says that an upstream is stale or missing, the explanation goes on with just the upstream's partitions
that matter. Everything is explained once, where it is first met.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.planning.causes import status_groups
from deltaworks.engine.planning.chain import reaching_back
from deltaworks.engine.planning.code_change import changed_place
from deltaworks.engine.planning.graph import Needs
from deltaworks.engine.planning.remedy import needed_upstream
from deltaworks.engine.planning.status import AssetStatus, LakeStatus, Status
from deltaworks.errors import Place
from deltaworks.io.materialization import Materialization
from deltaworks.io.run_entry import RunEntry

DEEPEST = 100
"""How many levels of upstreams one explanation goes through. Causes name the root of staleness at any depth."""

_UPSTREAM = "upstream: "


@dataclass(frozen=True, slots=True)
class Made:
    """What one run made with one code version, or what a rollback restored of that."""

    run_id: str | None
    """None: others wrote what was restored."""
    versions: tuple[int, int]
    """Of the asset's table, the first and the last at which it was made; not those of a rollback."""
    partitions: int
    inputs: Mapping[str, tuple[int, int]]
    """The oldest and the newest version that was read of each upstream."""
    code: str | None
    """None: others wrote it."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A failed attempt at a partition that nobody has changed since."""

    run_id: str
    partition: str
    """Its key; empty for a whole table."""
    error: str


@dataclass(frozen=True, slots=True)
class CodeNow:
    """The code that differs from what made the partitions."""

    version: str
    where: Place


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why some partitions of an asset have the status that they have; they differ in nothing that matters."""

    asset: AssetKey
    partitions: PartitionSet
    status: Status
    causes: tuple[str, ...]
    """The most telling first; empty for what is fresh."""
    code: CodeNow | None
    """None: the code is what made them, or nothing did."""
    made: tuple[Made, ...]
    """What they are now, the latest first; nothing if they are missing or others wrote them last."""
    attempts: tuple[Attempt, ...]
    """Those of the partitions whose last attempt failed."""
    upstream: tuple[Explanation, ...]
    """Why upstreams that are named in the causes are stale or missing themselves."""
    above: tuple[AssetKey, ...]
    """Upstreams named in the causes that are explained, at least in part, further up in the tree."""
    deeper: tuple[AssetKey, ...] = ()
    """Upstreams named in the causes that are too far away to be explained here; another question goes on there."""

    @property
    def own_causes(self) -> tuple[str, ...]:
        """The causes that end here: all but those that `upstream`, `above` and `deeper` go on with."""
        return tuple(cause for cause in self.causes if not cause.startswith(_UPSTREAM))


def explain(
    lake: LakeStatus, asset: AssetKey, within: PartitionSet, runs: Iterable[RunEntry] = ()
) -> tuple[Explanation, ...]:
    """Explain some partitions of an asset, put together where status and causes are the same.

    Args:
        lake: the status of every asset.
        asset: which asset.
        within: which of its partitions.
        runs: the ledger, oldest first: it knows why attempts failed.
    """
    failures = {
        (failure.asset, failure.partition or ""): Attempt(run.run_id, failure.partition or "", failure.error)
        for run in runs
        for failure in run.failures
    }
    return tuple(_Explainer(lake, failures).of(asset, within))


class _Explainer:
    def __init__(self, lake: LakeStatus, failures: Mapping[tuple[str, str], Attempt]) -> None:
        self._lake, self._failures = lake, failures
        self._explained: dict[AssetKey, PartitionSet] = {}

    def of(self, asset: AssetKey, within: PartitionSet, level: int = 0) -> Iterator[Explanation]:
        found = self._lake[asset]
        self._explained[asset] = self._explained.get(asset, PartitionSet.none(within.size)) | within
        for group in status_groups(found, self._lake, within):
            partitions = PartitionSet.of_ranges(group.ranges, within.size)
            reached = self._reached(found, group.status, partitions)
            upstream: list[Explanation] = []
            above: list[AssetKey] = []
            deeper: list[AssetKey] = []
            for key, part in reached.items():
                known = part & self._explained.get(key, PartitionSet.none(part.size))
                above += [key] if known else []
                if level < DEEPEST:
                    upstream += self.of(key, part - known, level + 1)
                elif part - known:
                    deeper.append(key)
            yield Explanation(
                asset=asset,
                partitions=partitions,
                status=group.status,
                causes=(*group.causes, *self._missing(group.status, reached)),
                code=_code(found, partitions) if group.status is Status.STALE else None,
                made=tuple(_made(found, partitions)),
                attempts=tuple(self._attempts(found, partitions)),
                upstream=tuple(upstream),
                above=tuple(above),
                deeper=tuple(deeper),
            )

    def _reached(self, found: AssetStatus, status: Status, partitions: PartitionSet) -> dict[AssetKey, PartitionSet]:
        """Return the upstream partitions whose own status is a cause of this one."""
        reached: dict[AssetKey, PartitionSet] = {}
        for given in found.inputs:
            edge, upstream = given.edge, self._lake[given.edge.upstream]
            part = PartitionSet.none(upstream.node.partitions.size)
            if edge.is_own and (status is Status.STALE or (status is Status.MISSING and edge.needs is Needs.EACH)):
                part = reaching_back(partitions, upstream.having(status), [edge]) - partitions
            elif status is Status.MISSING:
                part = needed_upstream(edge, partitions, upstream.having(Status.MISSING))
            elif status is Status.STALE:
                led_by = partitions & PartitionSet(given.stale & ~given.replaced)
                part = edge.correspondence.upstream(led_by) & upstream.having(Status.STALE)
            if part:
                reached[edge.upstream] = reached.get(edge.upstream, part) | part
        return reached

    def _missing(self, status: Status, reached: Mapping[AssetKey, PartitionSet]) -> Iterator[str]:
        """Yield what a missing partition lacks; the causes of staleness name their upstreams themselves."""
        if status is Status.MISSING:
            for key, part in reached.items():
                yield f"{_UPSTREAM}{self._lake[key].node.spelled(part.ranges())} is missing"

    def _attempts(self, found: AssetStatus, partitions: PartitionSet) -> Iterator[Attempt]:
        for ordinal in partitions & found.state.failed:
            attempt = self._failures.get((str(found.node.key), found.node.partitions.key(ordinal)))
            if attempt is not None:
                yield attempt


def _code(found: AssetStatus, partitions: PartitionSet) -> CodeNow | None:
    now, changed = found.node.code, partitions & PartitionSet(found.code_changed)
    return (
        None if now is None or not changed else CodeNow(now, changed_place(found.node, found.state, changed.ranges()))
    )


def _made(found: AssetStatus, partitions: PartitionSet) -> Iterator[Made]:
    counted = found.state.columns["materialization"].filter(partitions.mask).drop_nulls().value_counts()
    numbers: list[tuple[int, int]] = sorted(counted.iter_rows(), reverse=True)
    by_run: dict[tuple[str | None, str | None], list[tuple[Materialization, int]]] = {}
    for index, count in numbers:
        made = found.state.materializations[index]
        by_run.setdefault((made.content_from.run_id, made.source), []).append((made, count))
    for (run_id, source), parts in by_run.items():
        inputs: dict[str, tuple[int, int]] = {}
        for made, _ in parts:
            for pin in made.inputs.values():
                least, most = inputs.get(pin.asset, (pin.version, pin.version))
                inputs[pin.asset] = min(least, pin.version), max(most, pin.version)
        versions = [made.content_from.version for made, _ in parts]
        yield Made(run_id, (min(versions), max(versions)), sum(count for _, count in parts), inputs, source)
