"""Signature: what a function's annotations say about its asset.

Arguments are told apart by their type: a frame is an upstream asset, `Partition`, `Logger` and subclasses of `Resource`
are injected. Everything else is refused, since nobody could fill it in.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from deltaworks.engine.definitions.frames import FrameType, read_frame_type
from deltaworks.engine.definitions.keys import AssetKey, KeyLike, as_key
from deltaworks.engine.definitions.logger import Logger
from deltaworks.engine.definitions.mappings import PartitionMapping
from deltaworks.engine.definitions.partitions import Partition
from deltaworks.engine.definitions.resources import Resource
from deltaworks.errors import InvalidDefinition, Place


@dataclass(frozen=True, slots=True)
class Input:
    """How an argument reads its upstream: `Annotated[LazyFrame[Model], Input(mapping=...)]`."""

    mapping: PartitionMapping | None = None
    """Which upstream partitions are read; none: inferred from the two definitions."""
    asset: KeyLike | None = None
    """The upstream's key; none: the argument's name."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """An argument that is another asset's table."""

    argument: str
    key: AssetKey
    frame: FrameType
    mapping: PartitionMapping | None


@dataclass(frozen=True, slots=True)
class Signature:
    """The parts of an asset's function."""

    upstreams: tuple[Upstream, ...]
    resources: Mapping[str, type[Resource]] = field(default_factory=dict[str, type[Resource]])
    """By argument name."""
    partition: str | None = None
    """The argument that receives the `Partition`."""
    logger: str | None = None
    """The argument that receives the `Logger`."""
    returns: FrameType = field(default=FrameType(None, is_lazy=True))


def read_signature(function: Callable[..., Any], name: str, local_names: Mapping[str, Any]) -> Signature:
    """Read a function's annotations.

    `local_names` are those of the scope that defines the function: models and types may be local to it.

    Raises:
        InvalidDefinition: an argument or the return value has no annotation, or one that means nothing here.
    """
    where = place_of(function)
    try:
        hints = get_type_hints(function, localns=dict(local_names), include_extras=True)
    except NameError as error:
        raise InvalidDefinition(
            f"asset {name!r}: an annotation uses {error.name!r}, which is not defined", where=where, asset=name
        ) from error
    upstreams: list[Upstream] = []
    resources: dict[str, type[Resource]] = {}
    injected: dict[type, str] = {}
    for argument, parameter in inspect.signature(function).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise InvalidDefinition(
                f"asset {name!r}: argument {argument!r} must be a plain, named argument", where=where, asset=name
            )
        if argument not in hints:
            raise InvalidDefinition(
                f"asset {name!r}: argument {argument!r} has no annotation; write LazyFrame[Model] for an upstream "
                "asset, or Partition, Logger or a Resource",
                where=where,
                asset=name,
            )
        annotation, declared = _split(hints[argument])
        frame = read_frame_type(annotation)
        if frame is not None:
            key = as_key(declared.asset if declared.asset is not None else argument)
            upstreams.append(Upstream(argument, key, frame, declared.mapping))
        elif annotation in (Partition, Logger):
            injected[annotation] = argument
        elif isinstance(annotation, type) and issubclass(annotation, Resource):
            resources[argument] = annotation
        else:
            raise InvalidDefinition(
                f"asset {name!r}: argument {argument!r} is a {_spelled(annotation)}; it must be LazyFrame[Model] or "
                "DataFrame[Model] for an upstream asset, or Partition, Logger or a subclass of Resource",
                where=where,
                asset=name,
            )
    returns = read_frame_type(_split(hints["return"])[0]) if "return" in hints else None
    if returns is None:
        raise InvalidDefinition(
            f"asset {name!r}: the return annotation must be LazyFrame[Model] or DataFrame[Model]"
            + (f", not {_spelled(hints['return'])}" if "return" in hints else ""),
            where=where,
            asset=name,
        )
    return Signature(tuple(upstreams), resources, injected.get(Partition), injected.get(Logger), returns)


def place_of(function: Callable[..., Any]) -> Place:
    """Return where a function is defined: its `def` line's file and first line, decorators included."""
    code = inspect.unwrap(function).__code__
    return Place(code.co_filename, code.co_firstlineno)


def _split(annotation: Any) -> tuple[Any, Input]:
    if get_origin(annotation) is Annotated:
        inner, *extras = get_args(annotation)
        return inner, next((extra for extra in extras if isinstance(extra, Input)), Input())
    return annotation, Input()


def _spelled(annotation: object) -> str:
    return getattr(annotation, "__name__", None) or typing.cast(str, repr(annotation))
