"""Mappings: which upstream partitions a partition is made from, as an author declares it.

Frozen values that know no partitions. `correspond` resolves one, for the two definitions at hand, to a correspondence
between ordinals, on which planning works.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

from deltaworks.errors import InvalidDefinition


@dataclass(frozen=True, slots=True)
class IdentityMapping:
    """The partition with the same key."""


@dataclass(frozen=True, slots=True)
class TimeWindowMapping:
    """The upstream partitions whose time overlaps the partition's, such as the hours of a day or the month of a day.

    Offsets widen that, counted in upstream partitions: `start_offset=-6` between days is a trailing week. Both ends are
    included. At the borders of the upstream's definition it is cut.
    """

    start_offset: int = 0
    end_offset: int = 0

    def __post_init__(self) -> None:
        """Refuse an empty window, and offsets that are no whole numbers."""
        for name, offset in (("start_offset", self.start_offset), ("end_offset", self.end_offset)):
            if not isinstance(offset, int) or isinstance(offset, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise InvalidDefinition(
                    f"TimeWindowMapping: {name} must be a whole number of partitions, such as -6, not {offset!r}"
                )
        if self.start_offset > self.end_offset:
            raise InvalidDefinition(
                f"TimeWindowMapping: start_offset {self.start_offset} lies after end_offset {self.end_offset}"
            )


@dataclass(frozen=True, slots=True)
class AllPartitionsMapping:
    """Every partition that exists when the step starts; it waits for those that the same run makes."""


@dataclass(frozen=True, slots=True)
class LastPartitionMapping:
    """The last partition of the upstream's definition."""


@dataclass(frozen=True, slots=True, init=False)
class SpecificPartitionsMapping:
    """Always the same partitions: `SpecificPartitionsMapping(["2013-01-01"])`."""

    keys: tuple[str, ...]
    """Sorted: their order says nothing."""

    def __init__(self, keys: Iterable[str]) -> None:
        named = list_of_keys(keys)
        if not named:
            raise InvalidDefinition(
                f"SpecificPartitionsMapping: the keys must be a list such as ['2013-01-01'], not {keys!r}"
            )
        object.__setattr__(self, "keys", tuple(sorted(set(named))))


@dataclass(frozen=True, slots=True, init=False)
class StaticMapping:
    """Key by key: `StaticMapping({"upstream key": "downstream key", "another": ["several", "others"]})`."""

    pairs: tuple[tuple[str, tuple[str, ...]], ...]
    """Each upstream key with the downstream keys that it goes into, sorted."""

    def __init__(self, downstream_keys_by_upstream_key: Mapping[str, str | Iterable[str]]) -> None:
        given: Any = downstream_keys_by_upstream_key
        form = "StaticMapping: the mapping must be like {'upstream key': 'downstream key', 'another': ['a', 'b']}"
        if not isinstance(given, Mapping) or not given:
            raise InvalidDefinition(f"{form}, not {given!r}")
        pairs: list[tuple[str, tuple[str, ...]]] = []
        for upstream, keys in downstream_keys_by_upstream_key.items():
            named = (keys,) if isinstance(keys, str) else list_of_keys(keys)
            if not named or not isinstance(upstream, str):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise InvalidDefinition(f"{form}; {upstream!r}: {keys!r} is not")
            pairs.append((upstream, tuple(sorted(set(named)))))
        object.__setattr__(self, "pairs", tuple(sorted(pairs)))


KeyFunction: TypeAlias = Callable[[str], Iterable[str]]
"""From a downstream key to the upstream keys that it is made from."""


@dataclass(frozen=True, slots=True)
class FunctionMapping:
    """What a function says of each key; authors write `Input(mapping=function)`.

    The function is called once for each downstream key whenever the two definitions change, so it must be quick and
    depend on nothing but the key.
    """

    function: KeyFunction = field(repr=False)
    """What it does is part of the code version by itself; its name and place are none."""


DimensionMapping: TypeAlias = (
    IdentityMapping
    | TimeWindowMapping
    | AllPartitionsMapping
    | LastPartitionMapping
    | SpecificPartitionsMapping
    | StaticMapping
    | FunctionMapping
)
"""What joins partitions as a whole, be it of one dimension or by the keys of several."""


@dataclass(frozen=True, slots=True)
class FromDimension:
    """How one upstream dimension is mapped."""

    mapping: DimensionMapping
    downstream: str | None = None
    """The downstream dimension; none: the one of the same name, or the only one there is."""


@dataclass(frozen=True, slots=True, init=False)
class MultiMapping:
    """Dimension by dimension: `MultiMapping({"day": TimeWindowMapping(-1), "region": ("area", StaticMapping(...))})`.

    Names are those of the upstream's dimensions; where the upstream has one dimension, any. A mapping applies to the
    downstream dimension of the same name, to the one that is named with it, or to the only one there is. A dimension
    that is not named is inferred: by the one of the same name where they fit, else all of it.
    """

    dimensions: tuple[tuple[str, FromDimension], ...]
    """By upstream dimension, sorted."""

    def __init__(self, dimensions: Mapping[str, DimensionMapping | KeyFunction | tuple[str, Any]]) -> None:
        given: Any = dimensions
        if not isinstance(given, Mapping):
            raise InvalidDefinition(
                f"MultiMapping: the mappings must be by upstream dimension, like {{'day': TimeWindowMapping(-1)}}, not "
                f"{given!r}"
            )
        named = sorted((name, _from_dimension(name, each)) for name, each in dimensions.items())
        object.__setattr__(self, "dimensions", tuple(named))


PartitionMapping: TypeAlias = DimensionMapping | MultiMapping


def functions_of(mapping: PartitionMapping | None) -> tuple[KeyFunction, ...]:
    """Return the functions that a mapping calls."""
    each = [source.mapping for _, source in mapping.dimensions] if isinstance(mapping, MultiMapping) else [mapping]
    return tuple(one.function for one in each if isinstance(one, FunctionMapping))


def as_mapping(mapping: object) -> PartitionMapping:
    """Return the mapping that an author wrote as a value or as a function.

    Raises:
        InvalidDefinition: it is neither.
    """
    if isinstance(mapping, PartitionMapping):
        return mapping
    if inspect.isfunction(mapping) and not inspect.iscoroutinefunction(mapping):
        return FunctionMapping(mapping)
    raise InvalidDefinition(
        f"mapping must be a value such as TimeWindowMapping(...), or a function from a key to upstream keys, not "
        f"{mapping!r}"
    )


def list_of_keys(keys: object) -> tuple[str, ...] | None:
    """Return keys as they were listed; none if that is no list of texts. One text is none: it would be its letters."""
    if isinstance(keys, str) or not isinstance(keys, Iterable):
        return None
    named = tuple(cast("Iterable[object]", keys))
    return cast("tuple[str, ...]", named) if all(isinstance(key, str) for key in named) else None


def _from_dimension(name: object, given: object) -> FromDimension:
    downstream: object = None
    mapping = given
    if isinstance(given, tuple):
        both = cast("tuple[object, ...]", given)
        downstream, mapping = both if len(both) == 2 else (both, None)
    if not isinstance(name, str) or not (downstream is None or isinstance(downstream, str)):
        raise InvalidDefinition(
            f"MultiMapping: write 'upstream dimension': mapping, or 'upstream dimension': ('downstream dimension', "
            f"mapping), not {name!r}: {given!r}"
        )
    try:
        read = as_mapping(mapping)
    except InvalidDefinition as error:
        raise InvalidDefinition(f"MultiMapping: dimension {name!r}: {error.reason}") from error
    if isinstance(read, MultiMapping):
        raise InvalidDefinition(f"MultiMapping: dimension {name!r} has no dimensions itself; write its mapping there")
    return FromDimension(read, downstream)
