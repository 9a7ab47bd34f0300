"""Dimension joins: which dimension of an upstream is mapped from which of a downstream, and by what."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import polars as pl

from deltaworks.engine.definitions.mappings.correspondence import Fixed, Relation, Window
from deltaworks.engine.definitions.mappings.declared import (
    AllPartitionsMapping,
    DimensionMapping,
    FromDimension,
    IdentityMapping,
    LastPartitionMapping,
    MultiMapping,
    SpecificPartitionsMapping,
    TimeWindowMapping,
)
from deltaworks.engine.definitions.mappings.joins import inferred_join, join
from deltaworks.engine.definitions.mappings.key_joins import Unknown
from deltaworks.engine.definitions.mappings.product import Link, combined, product
from deltaworks.engine.definitions.mappings.segments import INDEX, count_to, key_number
from deltaworks.engine.definitions.partitions.multi_partitions import MultiPartitions
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.definitions.partitions.protocols import Partitions, Unpartitioned
from deltaworks.engine.definitions.partitions.time_partitions import TimePartitions
from deltaworks.errors import InvalidDefinition, did_you_mean

_WORD = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class _From:
    """What an upstream dimension is mapped from."""

    downstream: int | None
    """The place of the downstream dimension; none: it is the same for all."""
    mapping: DimensionMapping


def join_dimensions(
    mapping: MultiMapping, downstream: Partitions, upstream: Partitions, unknown: Unknown
) -> Window | Fixed | Relation:
    """Resolve a mapping dimension by dimension.

    A partition needs each mapped upstream partition, unless some dimension is read as a whole: then it needs one.

    Raises:
        InvalidDefinition: a dimension that is named is none, or its mapping does not fit.
    """
    links: list[Link] = []
    chosen: dict[int, PartitionSet] = {}
    waits: list[pl.Series] = []
    needs_each = True
    for place, source in enumerate(_sources(mapping, downstream, upstream)):
        there = upstream.dimensions[place]
        here = Unpartitioned() if source.downstream is None else downstream.dimensions[source.downstream]
        try:
            joined = join(source.mapping, here, there, unknown)
        except InvalidDefinition as error:
            dimension = f"dimension {_names(upstream)[place]!r}: " if isinstance(upstream, MultiPartitions) else ""
            raise InvalidDefinition(f"{dimension}{error.reason}") from error
        needs_each = needs_each and joined.needs_each
        if joined.awaited is not None:
            waits.append(_spread(joined.awaited, source.downstream, downstream, _prefix(upstream, place)))
        if isinstance(joined, Fixed):
            chosen[place] = joined.chosen
        else:
            assert source.downstream is not None, "only what is fixed is mapped from nothing"
            links.append(Link(source.downstream, place, joined))
    here_sizes, there_sizes = _sizes(downstream), _sizes(upstream)
    awaited = pl.select(pl.coalesce(waits)).to_series() if waits else None
    if not links:
        return Fixed(combined(chosen, there_sizes), downstream.size, needs_each=needs_each, awaited=awaited)
    weigh_each = partial(_weights, upstream, tuple(chosen)) if chosen else None
    return _shifted(links, here_sizes, there_sizes) or product(
        here_sizes, there_sizes, links, chosen, needs_each=needs_each, awaited=awaited, weigh_each=weigh_each
    )


def same_dimensions(downstream: Partitions, upstream: Partitions) -> MultiMapping:
    """Return the mapping of partitions of the same key."""
    if not isinstance(downstream, MultiPartitions) or not isinstance(upstream, MultiPartitions):
        raise InvalidDefinition(
            f"IdentityMapping joins partitions of the same dimensions, but here it is to make {downstream} from "
            f"{upstream}; MultiMapping says which dimension is mapped from which"
        )
    if set(downstream.names) != set(upstream.names):
        raise InvalidDefinition(
            f"IdentityMapping joins partitions of the same dimensions, but the downstream has {_listed(downstream)}, "
            f"the upstream {_listed(upstream)}; MultiMapping says which is mapped from which"
        )
    return MultiMapping(dict.fromkeys(upstream.names, IdentityMapping()))


def by_time(mapping: TimeWindowMapping, downstream: Partitions, upstream: Partitions) -> MultiMapping:
    """Return the mapping that applies one of time to the only dimension of time on either side."""
    here, there = _time_dimension(downstream, "downstream"), _time_dimension(upstream, "upstream")
    return MultiMapping({there or here or "time": mapping if here is None else (here, mapping)})


def shared_dimensions(downstream: Partitions, upstream: Partitions) -> MultiMapping | None:
    """Return the mapping by the dimensions that two definitions share; none if they share none.

    Dimensions are shared by name. Where one side has a single dimension, it is the only one that cuts by the same
    thing, or else the only one of time if both are of time.
    """
    if isinstance(downstream, MultiPartitions) and isinstance(upstream, MultiPartitions):
        found = {
            name: inferred_join(downstream.dimensions[downstream.names.index(name)], there)
            for name, there in zip(upstream.names, upstream.dimensions, strict=True)
            if name in downstream.names
        }
        shared = {name: mapping for name, mapping in found.items() if mapping is not None}
        return MultiMapping(shared) if shared else None
    several, single = (downstream, upstream) if isinstance(downstream, MultiPartitions) else (upstream, downstream)
    assert isinstance(several, MultiPartitions), "what has no dimensions is joined as a whole"
    fitting = {
        name: mapping
        for name, dimension in zip(several.names, several.dimensions, strict=True)
        if (mapping := inferred_join(single, dimension)) is not None
    }
    equal = {name: mapping for name, mapping in fitting.items() if isinstance(mapping, IdentityMapping)}
    only = equal or fitting
    return MultiMapping(only) if len(only) == 1 else None


def _sources(mapping: MultiMapping, downstream: Partitions, upstream: Partitions) -> list[_From]:
    """Return what each upstream dimension is mapped from."""
    named = dict(mapping.dimensions)
    names = _upstream_names(named, upstream)
    found: dict[str, _From] = {}
    taken: dict[int, str] = {}
    for name, declared in named.items():
        place = _downstream_place(name, declared, downstream)
        if place is not None and place in taken:
            raise InvalidDefinition(
                f"MultiMapping: {taken[place]!r} and {name!r} are both mapped from one downstream dimension; a "
                "function from a downstream key to upstream keys can do that"
            )
        found[name] = _From(place, declared.mapping)
        if place is not None:
            taken[place] = name
    for name in names:
        if name not in found:
            found[name] = _inferred(name, downstream, upstream, taken)
    return [found[name] for name in names]


def _upstream_names(named: Mapping[str, FromDimension], upstream: Partitions) -> tuple[str, ...]:
    if isinstance(upstream, MultiPartitions):
        unknown = next((name for name in named if name not in upstream.names), None)
        if unknown is not None:
            raise InvalidDefinition(
                f"MultiMapping names {unknown!r}, but the upstream's dimensions are {_listed(upstream)}."
                f"{did_you_mean(unknown, upstream.names, otherwise='')}".rstrip(".")
            )
        return upstream.names
    if len(named) != 1:
        raise InvalidDefinition(
            f"MultiMapping: the upstream's partitions are {upstream}, of one dimension, so it has one mapping, not "
            f"{len(named)}"
        )
    return tuple(named)


def _downstream_place(name: str, declared: FromDimension, downstream: Partitions) -> int | None:
    """Return the place of the downstream dimension that a declared mapping applies to; none: it needs none."""
    names = _names(downstream)
    wanted = declared.downstream or name
    if isinstance(downstream, MultiPartitions) and declared.downstream is not None and wanted not in names:
        raise InvalidDefinition(
            f"MultiMapping: {name!r} is mapped from {wanted!r}, but the downstream's dimensions are "
            f"{_listed(downstream)}.{did_you_mean(wanted, names, otherwise='')}".rstrip(".")
        )
    if isinstance(declared.mapping, AllPartitionsMapping | LastPartitionMapping | SpecificPartitionsMapping):
        return None
    if len(names) == 1:
        return 0
    if wanted not in names:
        raise InvalidDefinition(
            f"MultiMapping: {name!r} is no dimension of the downstream, whose dimensions are {_listed(downstream)}; "
            f"write which one it is mapped from, as in {{{name!r}: ({names[0]!r}, ...)}}"
        )
    return names.index(wanted)


def _inferred(name: str, downstream: Partitions, upstream: Partitions, taken: dict[int, str]) -> _From:
    """Return what a dimension that is not named is mapped from, and take that."""
    assert isinstance(upstream, MultiPartitions), "a single dimension is named"
    names = _names(downstream)
    place = 0 if len(names) == 1 else names.index(name) if name in names else None
    if place is not None and place not in taken:
        mapping = inferred_join(downstream.dimensions[place], upstream.dimensions[upstream.names.index(name)])
        if mapping is not None:
            taken[place] = name
            return _From(place, mapping)
    return _From(None, AllPartitionsMapping())


def _time_dimension(partitions: Partitions, side: str) -> str | None:
    """Return the name of the only dimension of time; none: it is all there is."""
    if isinstance(partitions, TimePartitions):
        return None
    dimensions = zip(_names(partitions), partitions.dimensions, strict=True)
    found = [name for name, dimension in dimensions if isinstance(dimension, TimePartitions)]
    if len(found) == 1:
        return found[0]
    if isinstance(partitions, MultiPartitions):
        what = f"the {side}'s dimensions {_listed(partitions)} have {'several' if found else 'none'} of time"
        raise InvalidDefinition(
            f"TimeWindowMapping joins one dimension of time, but {what}"
            + ("; MultiMapping says which one is mapped" if found else "")
        )
    raise InvalidDefinition(f"TimeWindowMapping joins partitions of time, but the {side}'s partitions are {partitions}")


def _names(partitions: Partitions) -> tuple[str, ...]:
    return partitions.names if isinstance(partitions, MultiPartitions) else ("",) * len(partitions.dimensions)


def _weights(partitions: Partitions, places: Sequence[int]) -> pl.Series:
    """Return a number (UInt32) for each partition by its values of some dimensions, the same on every machine."""
    flat = pl.int_range(partitions.size, dtype=pl.UInt64, eager=True)
    weights = flat * 0 + 1
    for place in places:
        dimension = partitions.dimensions[place]
        keys = dimension.keys(pl.int_range(dimension.size, dtype=pl.Int64, eager=True))
        hashes = [key_number(key) for key in keys]
        stride = math.prod(_sizes(partitions)[place + 1 :])
        own = pl.Series(hashes, dtype=pl.UInt64).gather(flat // stride % dimension.size)
        weights = weights * own & _WORD
    return weights.cast(INDEX)


def _prefix(partitions: Partitions, place: int) -> str:
    """Return what stands before a value of a dimension in a key, so that it is told of which one it is."""
    return f"{partitions.names[place]}=" if isinstance(partitions, MultiPartitions) else ""


def _spread(awaited: pl.Series, place: int | None, downstream: Partitions, prefix: str) -> pl.Series:
    """Return what every combination waits for, from what each value of one of its dimensions does; none: of all."""
    if place is None:
        spread = awaited.new_from_index(0, downstream.size)
    else:
        stride = math.prod(_sizes(downstream)[place + 1 :])
        spread = awaited.gather(count_to(downstream.size) // stride % awaited.len())
    return prefix + spread


def _sizes(partitions: Partitions) -> tuple[int, ...]:
    return tuple(dimension.size for dimension in partitions.dimensions)


def _listed(partitions: Partitions) -> str:
    return ", ".join(_names(partitions))


def _shifted(links: list[Link], here: tuple[int, ...], there: tuple[int, ...]) -> Window | None:
    """Return the constant shift that a product is where all but the first dimension are the same; else none."""
    outer, *inner = links
    window = outer.correspondence
    if not isinstance(window, Window) or window.first != window.last or not len(here) == len(there) == len(links):
        return None
    if any(link.downstream != place or link.upstream != place for place, link in enumerate(links)):
        return None
    if any(link.correspondence != Window(0, 0, here[link.upstream], here[link.upstream]) for link in inner):
        return None
    shift, width = window.first, math.prod(there[1:])
    return Window(shift * width, shift * width, math.prod(here), math.prod(there))
