"""Gates: what lets a partition wait for many others without being counted down by each of them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain

import polars as pl

from deltaworks.engine.definitions.mappings.correspondence import Correspondence, Fixed, Relation, Window
from deltaworks.engine.definitions.mappings.product import Grid
from deltaworks.engine.definitions.mappings.segments import INDEX, Segments, count_to
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet


class Gates:
    """The gates of one edge: upstream partitions that go into the same ones are waited for all at once.

    Counted one by one, each region of a day would be taken off what all regions of that day wait for.
    """

    def __init__(self, ordinals: pl.Series, groups: pl.Series) -> None:
        self._group = dict(zip(ordinals.to_list(), groups.to_list(), strict=True))
        self._awaited = Counter(self._group.values())
        self._closed: set[int] = set()

    def open_after(self, ordinal: int) -> bool:
        """Note that one is settled; return whether it was the last of its gate."""
        group = self._group[ordinal]
        self._awaited[group] -= 1
        return self._awaited[group] == 0

    def close(self, ordinal: int) -> bool:
        """Note that one failed; return whether it was the first of its gate."""
        group = self._group[ordinal]
        is_first = group not in self._closed
        self._closed.add(group)
        return is_first


class Watches:
    """The watches of one edge that is a wide window: each partition watches the last one that it still waits for.

    Counted one by one, a partition that goes into all later ones would be taken off each of them. Watched, it is looked
    at by those for which it is the last; as agendas go forward, these have hardly another one to watch after it.
    """

    def __init__(self, window: Window, awaited: PartitionSet, downstream: Iterable[int]) -> None:
        self._window = window
        self._before = [ordinal if is_awaited else ordinal - 1 for ordinal, is_awaited in enumerate(awaited.mask)]
        """Of each upstream ordinal: itself while it is awaited, else an earlier one, with no awaited one in between."""
        self._watched_by: dict[int, list[int]] = {}
        for ordinal in downstream:
            self._watch(ordinal)

    def watching(self) -> Iterator[int]:
        """Yield the downstream partitions that wait for anything."""
        return chain.from_iterable(self._watched_by.values())

    def settle(self, ordinal: int) -> list[int]:
        """Note that an upstream partition is settled; return the downstream ones that wait for none any more."""
        self._before[ordinal] = ordinal - 1
        return [each for each in self._watched_by.pop(ordinal, ()) if not self._watch(each)]

    def _watch(self, ordinal: int) -> bool:
        """Let a downstream partition watch the last one that it waits for, if there is one."""
        window = self._window.upstream_of(ordinal, ordinal)
        last = self._last_awaited(window[-1]) if window else -1
        if not window or last < window[0]:
            return False
        self._watched_by.setdefault(last, []).append(ordinal)
        return True

    def _last_awaited(self, ordinal: int) -> int:
        """Return the last awaited ordinal up to one, or -1; the way there is halved for those who come after."""
        before = self._before
        while ordinal >= 0 and before[ordinal] != ordinal:
            further = before[ordinal]
            if further >= 0:
                before[ordinal] = further = before[further]
            ordinal = further
        return ordinal


def groups_of(correspondence: Correspondence, ordinals: pl.Series) -> pl.Series | None:
    """Return a number for each of some upstream ordinals: those of one number go into the same downstream ordinals.

    None: no two of them do.
    """
    match correspondence:
        case Fixed():
            return correspondence.chosen.mask.gather(ordinals).cast(INDEX)
        case Relation(backward=Segments() as backward):
            return _segment_groups(backward).gather(ordinals)
        case Relation(backward=Grid() as backward):
            groups, sizes = ordinals * 0, backward.target_sizes
            for axis in backward.axes:
                if axis.target is not None:
                    size, stride = sizes[axis.target], math.prod(sizes[axis.target + 1 :])
                    groups = groups * size + _segment_groups(axis.segments).gather(ordinals // stride % size)
            return groups
        case _:
            return None


def _segment_groups(segments: Segments) -> pl.Series:
    """Return a number below their count for each segment; those of one number are the same positions."""
    if segments.members is not None:
        return count_to(segments.size)
    return (segments.starts.cast(pl.UInt64) * (segments.reach + 1) + segments.stops).rank("dense").cast(INDEX) - 1
