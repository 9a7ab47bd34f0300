"""Members: which upstream partitions an input is made of, where that can change though none of them does.

A definition that grows, shrinks or begins elsewhere gives a window at its border, or whoever reads all of it, another
set of partitions, and another set gives another result, however old its members are. So a record tells the set: by a
digest of its keys where every partition of the asset reads the same, else by numbers that most partitions of a batch
have in common: how many were read and meant, and what the definition cut. Where an input needs each of them, numbers
that are equal are equal sets. Where it may lack some, a change of both borders can give another set of as many, which
is not seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import polars as pl

from deltaworks.engine.definitions.mappings.correspondence import Window
from deltaworks.engine.definitions.mappings.segments import INDEX, Ordinals
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.definitions.partitions.protocols import Partitions
from deltaworks.engine.planning.graph import Edge, Needs
from deltaworks.engine.planning.state import certain

_DIGEST_BYTES = 8
_WORD = 0xFFFFFFFF

ALL = "all"
"""Everything that the mapping means was read: nothing was missing, and nothing lay beyond the upstream's definition."""

_FEW = 1000
"""Up to so many partitions are looked at one by one, 2 to 5 us each; all of a million take 50 ms."""

_ALL = -1
_NUMBERS = {"read": pl.Int64, "meant": pl.Int64, "cut": pl.Int64}


def common_members(edge: Edge, upstream: Partitions, there: PartitionSet) -> str | None:
    """Return a digest of the keys that an input reads.

    None: it does not read the same for every partition, it reads a whole table, or nothing could be made from it now.

    Args:
        edge: the input.
        upstream: the partitions that it reads from.
        there: those of them that exist.
    """
    if not edge.correspondence.joins_all or not upstream.dimensions or not edge.correspondence.downstream_size:
        return None
    mapped = edge.correspondence.upstream(PartitionSet.all(edge.correspondence.downstream_size))
    read = mapped & there
    lacks = (mapped - there or edge.correspondence.awaited is not None) if edge.needs is Needs.EACH else False
    if lacks or not (read or edge.may_read_nothing):
        return None
    keys = upstream.keys(read.mask.arg_true())
    text = str(keys.str.join("\n").item())  # no key holds a control character
    return hashlib.blake2b(text.encode(), digest_size=_DIGEST_BYTES).hexdigest()


def members_vary(edge: Edge) -> bool:
    """Whether each partition reads a set of its own, and which one hangs on more than its own key."""
    joins = edge.correspondence
    is_one = edge.needs is Needs.EACH and isinstance(joins, Window) and joins.first == joins.last
    return not joins.joins_all and not is_one


def members_of(edge: Edge, ordinal: int, mapped: Ordinals, absent: Collection[int]) -> str:
    """Return what tells the set of upstream partitions that one partition reads.

    Args:
        edge: an input whose members vary.
        ordinal: the partition.
        mapped: what it maps to.
        absent: what of that does not exist; of what it needs, nothing.
    """
    joins, cut = edge.correspondence, edge.correspondence.cut_of(ordinal)
    there = [each for each in mapped if each not in absent] if absent else mapped
    if joins.weights is None and not cut and len(there) == len(mapped):
        return ALL
    read, meant = len(there), len(mapped)
    if joins.weights is not None:
        weights = (joins.weights.gather(pl.Series(each, dtype=INDEX)).cast(pl.UInt64) for each in (there, mapped))
        read, meant = (int(each.sum()) & _WORD for each in weights)
    return f"{read}/{meant}" + (f"/{cut}" if cut else "")


@dataclass(frozen=True, slots=True)
class Comparison:
    """What each partition would read now, compared with what was read when it was made. Boolean, without nulls."""

    differs: pl.Series
    """Whether it would read another set of upstream partitions; no, where it cannot be made now or nobody knows."""
    is_same: pl.Series
    """Whether it surely would read the same set; no, where nothing can be said."""


def compare_members(
    edge: Edge, upstream: Partitions, there: PartitionSet, recorded: Sequence[str | None], made: pl.Series
) -> Comparison | None:
    """Compare the members of an input; none: nothing can be said of any partition, or nothing differs.

    Args:
        edge: the input.
        upstream: the partitions that it reads from.
        there: those of them that exist.
        recorded: what tells the set that was read, of each materialization.
        made: the materialization of each partition.
    """
    if not any(recorded):
        return None
    if edge.correspondence.joins_all:
        now = common_members(edge, upstream, there)
        return None if now is None else _by_digest(now, recorded, made)
    if not members_vary(edge):
        return None
    rows = _rows(edge, there, recorded, made)
    return None if rows.is_empty() else _by_numbers(edge, there, recorded, made, rows)


def _by_digest(now: str, recorded: Sequence[str | None], made: pl.Series) -> Comparison:
    is_same = pl.Series([None if then is None else then == now for then in recorded], dtype=pl.Boolean).gather(made)
    return Comparison(certain(~is_same), certain(is_same))


def _rows(edge: Edge, there: PartitionSet, recorded: Sequence[str | None], made: pl.Series) -> pl.Series:
    """Return the ordinals of those partitions for which more is to be seen than that all was read and all is there."""
    joins = edge.correspondence
    is_told = certain(pl.Series([then is not None for then in recorded], dtype=pl.Boolean).gather(made))
    if joins.weights is not None or not (edge.needs is Needs.EACH or there.mask.all()):
        return is_told.arg_true()
    is_number = [then not in (None, ALL) for then in recorded]
    wanted = certain(pl.Series(is_number, dtype=pl.Boolean).gather(made)) if any(is_number) else None
    if joins.cut is not None:
        wanted = joins.cut != 0 if wanted is None else wanted | (joins.cut != 0)
    return made.head(0) if wanted is None else (wanted & is_told).arg_true()


def _by_numbers(
    edge: Edge, there: PartitionSet, recorded: Sequence[str | None], made: pl.Series, rows: pl.Series
) -> Comparison:
    joins, size = edge.correspondence, made.len()
    numbers = pl.DataFrame([_numbers(each) for each in recorded], schema=_NUMBERS, orient="row")
    reads, means = _weighed(edge, there, rows)
    frame = numbers[made.gather(rows)].with_columns(
        reads=reads,
        means=means,
        cuts=pl.lit(0) if joins.cut is None else joins.cut.gather(rows),
        waits=edge.waiting.mask.gather(rows),
    )
    is_complete, was_all = pl.col("reads") == pl.col("means"), pl.col("read") == _ALL
    can_be_made = is_complete & ~pl.col("waits") if edge.needs is Needs.EACH else pl.lit(True)
    if not edge.may_read_nothing:
        can_be_made = can_be_made & (pl.col("reads") > 0)
    is_other = pl.col("read") != pl.col("reads")
    if edge.needs is Needs.EACH:
        is_other = is_other | (pl.col("cut") != pl.col("cuts"))
    differs = pl.when(was_all).then(~is_complete | (pl.col("cuts") != 0)).otherwise(is_other)
    is_same = ~differs & (was_all | ((pl.col("meant") == pl.col("means")) & (pl.col("cut") == pl.col("cuts"))))
    found = frame.select(differs=differs & can_be_made, is_same=is_same & can_be_made)
    of_rows = (PartitionSet.of(rows.filter(found[column]), size).mask for column in ("differs", "is_same"))
    return Comparison(*of_rows)


def _weighed(edge: Edge, there: PartitionSet, rows: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Return what partitions would read now, and what they map to, as numbers."""
    joins = edge.correspondence
    if joins.weights is not None or rows.len() > _FEW:
        every = PartitionSet.all(there.size)
        reads, means = (joins.weigh(part).gather(rows).cast(pl.Int64) for part in (there, every))
        return reads, means
    mapped = [joins.upstream_of(ordinal, ordinal) for ordinal in rows]
    means = pl.Series([len(each) for each in mapped], dtype=pl.Int64)
    if there.mask.all():
        return means, means
    return pl.Series([int(there.mask.gather(pl.Series(each, dtype=INDEX)).sum()) for each in mapped]), means


def _numbers(recorded: str | None) -> tuple[int | None, ...]:
    """Return what was read, what was meant, and what was cut, as numbers; none: it was not recorded."""
    if recorded is None:
        return None, None, None
    if recorded == ALL:
        return _ALL, _ALL, 0
    read, meant, *cut = map(int, recorded.split("/"))
    return read, meant, sum(cut)
