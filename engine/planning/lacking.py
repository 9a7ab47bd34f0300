"""Lacking: the oldest commit that brought data into the project and is not included in partitions of an asset.

Data comes in by the commits of roots: of tables that are made from no other, and of partitions that somebody else wrote
last or rolled back. What a partition includes is told by the pins of its record, and by the records that its upstream
partitions had at those pins, down to the roots. Pure: commits that the index no longer tells are asked for by version.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol, cast

import polars as pl

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partitions.multi_partitions import MultiPartitions
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.definitions.partitions.protocols import Partitions
from deltaworks.engine.definitions.partitions.time_partitions import TimePartitions
from deltaworks.engine.planning.graph import AssetGraph, Edge, Node
from deltaworks.engine.planning.state import LakeState, certain
from deltaworks.io.materialization import Materialization
from deltaworks.io.table_state import Origin

LONG_AGO = dt.datetime(1, 1, 1, tzinfo=dt.UTC)
"""When what is no window of time was over."""


@dataclass(frozen=True, slots=True)
class Part:
    """Partitions of a commit with the same history."""

    partitions: PartitionSet
    origin: Origin
    made: Materialization | None
    """None: the engine did not make them, or nothing is left of them."""


@dataclass(frozen=True, slots=True)
class Changed:
    """What one commit did to the partitions of an asset."""

    at: dt.datetime
    writer: str
    """Who made it, in words."""
    parts: tuple[Part, ...]

    def among(self, partitions: PartitionSet) -> PartitionSet:
        """Return which of some partitions it changed."""
        found = PartitionSet.none(partitions.size)
        for part in self.parts:
            found = found | (part.partitions & partitions)
        return found


class Past(Protocol):
    """The commits of tables, by version."""

    def commit(self, asset: AssetKey, version: int) -> Changed | None:
        """Return what a commit did; none: its file is not there any more.

        Raises:
            StorageError: it cannot be read.
        """
        ...

    def earliest(self, asset: AssetKey) -> int:
        """Return the first version whose commit is still there."""
        ...


@dataclass(frozen=True, slots=True)
class Lacking:
    """A commit that is not included."""

    root: AssetKey
    """Whose table was changed."""
    version: int
    at: dt.datetime
    """When it was committed."""
    since: dt.datetime
    """Since when it could have been included: what is not there yet is asked for when its window is over."""
    partitions: PartitionSet
    """What it changed of that for which it is looked at."""
    writer: str
    way: tuple[tuple[AssetKey, int], ...]
    """From the asset that lacks it to the root: each table on the way, and the version of it that was read by the one
    before; -1: none was. The asset itself is at its latest version."""


def oldest_lacking(
    graph: AssetGraph, state: LakeState, past: Past, asset: AssetKey, partitions: PartitionSet
) -> Lacking | None:
    """Return the oldest commit of a root that partitions of an asset do not include; none: they include all there is.

    Cost: no commit is read where everything is included; else those from the pin to the first that is lacking.

    Raises:
        StorageError: a commit cannot be read.
    """
    return _Walk(graph, state, past).oldest(asset, partitions)


def is_root(node: Node) -> bool:
    """Return whether data comes in by the commits of an asset, whoever makes them: it is made from no other."""
    return all(edge.is_own for edge in node.upstream)


def ends_of(partitions: Partitions, chosen: PartitionSet) -> Iterator[tuple[dt.datetime, PartitionSet]]:
    """Yield some partitions by when their windows are over, the oldest first; what is no time is over at any time."""
    ordinals, ends = chosen.mask.arg_true().cast(pl.Int64), list[pl.Series]()
    if isinstance(partitions, TimePartitions):
        ends = [partitions.ends_at.gather(ordinals)]
    elif isinstance(partitions, MultiPartitions):
        places = ((partitions.dimensions[place], partitions.strides[place]) for place in partitions.time_dimensions)
        ends = [
            dimension.ends_at.gather(ordinals // stride % dimension.size)
            for dimension, stride in places
            if isinstance(dimension, TimePartitions)
        ]
    if not ends:
        if chosen:
            yield LONG_AGO, chosen
        return
    last = pl.DataFrame({str(number): each for number, each in enumerate(ends)})
    windows = last.select(end=pl.max_horizontal(pl.all())).with_columns(ordinal=ordinals).sort("end")
    for (end,), found in windows.group_by("end", maintain_order=True):
        yield cast("dt.datetime", end), PartitionSet.of(found["ordinal"], chosen.size)


class _Place(NamedTuple):
    """A table at a version, looked at for partitions that were not asked for before an instant."""

    asset: AssetKey
    version: int
    floor: dt.datetime


class _Walk:
    def __init__(self, graph: AssetGraph, state: LakeState, past: Past) -> None:
        self._graph, self._state, self._past = graph, state, past
        self._levels = {key: level for level, key in enumerate(graph.nodes)}
        self._waiting: dict[_Place, PartitionSet] = {}
        self._seen: dict[_Place, PartitionSet] = {}
        self._readers: dict[_Place, _Place] = {}
        self._with_data: dict[AssetKey, PartitionSet] = {}
        self._found: Lacking | None = None

    def oldest(self, asset: AssetKey, partitions: PartitionSet) -> Lacking | None:
        self._waiting[_Place(asset, self._latest(asset), LONG_AGO)] = partitions
        while self._waiting:
            # The lowest first, so that what several read of a table at one version is looked at together; and the
            # oldest first, so that what is found of it spares the others.
            place = min(self._waiting, key=lambda each: (-self._levels[each.asset], each.floor, -each.version))
            wanted = self._waiting.pop(place)
            seen = self._seen.get(place)
            new = wanted if seen is None else wanted - seen
            self._seen[place] = new if seen is None else seen | new
            if new and not (self._found is not None and place.floor >= self._found.since):
                self._look(place, new)
        return self._found

    def _look(self, place: _Place, partitions: PartitionSet) -> None:
        node, state = self._graph.nodes[place.asset], self._state[place.asset]
        if state.fault is not None:
            return  # nobody can tell what was committed to it
        if is_root(node):
            self._note(place, partitions)
            return
        chosen = partitions & PartitionSet(state.exists & ~state.is_by_engine)
        missing = PartitionSet.none(partitions.size)
        for part in self._contents(place, partitions - chosen):
            if part.made is not None:
                self._go_up_made(place, node, part.partitions, part.made)
            elif part.origin is Origin.GONE:
                missing = missing | part.partitions
            else:
                chosen = chosen | part.partitions
        self._note(place, chosen)
        self._go_up_missing(place, node, missing)

    def _note(self, place: _Place, partitions: PartitionSet) -> None:
        """Take the first commit after a version that changed any of some partitions, if it is the oldest so far."""
        versions = self._state[place.asset].columns["version"]
        after = versions.filter(partitions.mask & certain(versions > place.version))
        if after.is_empty():
            return
        version, last = place.version + 1, cast("int", after.min())
        while version <= last:
            changed = self._past.commit(place.asset, version)
            if changed is None:
                version = max(version + 1, self._past.earliest(place.asset))
                continue
            touched = changed.among(partitions)
            if touched:
                since = max(changed.at, place.floor)
                if self._found is None or since < self._found.since:
                    self._found = Lacking(
                        place.asset, version, changed.at, since, touched, changed.writer, self._way(place)
                    )
                return
            version += 1

    def _contents(self, place: _Place, partitions: PartitionSet) -> Iterator[Part]:
        """Yield what some partitions were at a version, of which nobody else wrote the content of now."""
        state = self._state[place.asset]
        is_later = PartitionSet(certain(state.columns["version"] > place.version))
        now = partitions - is_later
        yield Part(now - PartitionSet(state.exists), Origin.GONE, None)
        made = state.made.set(~now.mask, None)
        numbers: list[int] = made.drop_nulls().unique().sort().to_list()
        for number in numbers:
            yield Part(PartitionSet(certain(made == number)), Origin.ENGINE, state.materializations[number])
        left, version = partitions & is_later, place.version
        while left and version >= 0:
            changed = self._past.commit(place.asset, version)
            if changed is None:
                return  # its log is cut off there: what it was made from, nobody can tell
            for part in changed.parts:
                yield Part(part.partitions & left, part.origin, part.made)
                left = left - part.partitions
            version -= 1
        yield Part(left, Origin.GONE, None)

    def _go_up_made(self, place: _Place, node: Node, partitions: PartitionSet, made: Materialization) -> None:
        """Look at what partitions were made from, as it was when it was read."""
        for edge in node.upstream:
            version = _version_read(made, edge, self._state[edge.upstream].table_id, node)
            if version is not None:
                self._wait(place, edge, version, place.floor, partitions)

    def _go_up_missing(self, place: _Place, node: Node, partitions: PartitionSet) -> None:
        """Look at what partitions that are not there include: nothing. Their own asset is as it is."""
        if not partitions:
            return
        for end, each in ends_of(node.partitions, partitions & self._concerned(node)):
            for edge in node.upstream:
                version = self._latest(edge.upstream) if edge.is_own else -1
                self._wait(place, edge, version, max(end, place.floor), each)

    def _concerned(self, node: Node) -> PartitionSet:
        """Return the partitions that anything was ever committed to, or to something that they would be made from."""
        for key in self._graph.above((node.key,)) if node.key not in self._with_data else ():
            if key not in self._with_data:
                found = PartitionSet(self._state[key].columns["version"].is_not_null())
                for edge in self._graph.nodes[key].upstream:
                    if not edge.is_own:
                        found = found | edge.correspondence.downstream(self._with_data[edge.upstream])
                self._with_data[key] = found
        return self._with_data[node.key]

    def _wait(self, reader: _Place, edge: Edge, version: int, floor: dt.datetime, partitions: PartitionSet) -> None:
        wanted, place = edge.correspondence.upstream(partitions), _Place(edge.upstream, version, floor)
        if wanted:
            self._waiting[place] = self._waiting[place] | wanted if place in self._waiting else wanted
            if place != reader:
                self._readers.setdefault(place, reader)

    def _way(self, place: _Place) -> tuple[tuple[AssetKey, int], ...]:
        way = [place]
        while way[-1] in self._readers and self._readers[way[-1]] not in way:
            way.append(self._readers[way[-1]])
        return tuple((each.asset, each.version) for each in reversed(way))

    def _latest(self, asset: AssetKey) -> int:
        latest = self._state[asset].version
        return -1 if latest is None else latest


def _version_read(made: Materialization, edge: Edge, table_id: str | None, node: Node) -> int | None:
    """Return the version of an upstream that was read; -1: none of its table of now; none: it was no upstream then."""
    pin = made.inputs.get(table_id or "")
    if pin is not None:
        return pin.version
    is_replaced = str(edge.upstream) in {each.asset for each in made.inputs.values()}
    return -1 if is_replaced or made.source in (None, node.code) else None
