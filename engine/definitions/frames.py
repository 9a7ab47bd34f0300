"""The frame types that a signature may name, with the pandera model of their rows.

`LazyFrame[Flight]` is `polars.LazyFrame` to a type checker; the model in the brackets is read when the asset is
defined. pandera's own generics of the same name are read in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar, get_args, get_origin

import polars as pl
from typing_extensions import TypeAliasType

from deltaworks.errors import InvalidDefinition
from deltaworks.validation import is_model

Model = TypeVar("Model")

LazyFrame = TypeAliasType("LazyFrame", pl.LazyFrame, type_params=(Model,))
"""A lazy frame whose rows fit a pandera model."""

Previous = TypeAliasType("Previous", pl.LazyFrame, type_params=(Model,))
"""The asset's own rows of the preceding partition, as a lazy frame; none of them for the first partition."""

Committed = TypeAliasType("Committed", pl.LazyFrame, type_params=(Model,))
"""For asset checks: the rows that the judged partition has until the commit, as a lazy frame; at first none."""

DataFrame = TypeAliasType("DataFrame", pl.DataFrame, type_params=(Model,))
"""An eager frame whose rows fit a pandera model."""


@dataclass(frozen=True, slots=True)
class FrameType:
    """A frame as a signature declares it."""

    model: type | None
    """The pandera model of its rows; none: any columns."""
    is_lazy: bool
    is_previous: bool = False
    """Whether it is the asset's own preceding partition."""
    is_committed: bool = False
    """Whether it is the visible content of the partition that a check judges."""
    has_metadata: bool = False
    """Whether it is returned within a `MaterializeResult`."""
    is_staged: bool = False
    """Whether it is returned as files that another engine has written."""


def read_frame_type(annotation: object) -> FrameType | None:
    """Return the frame that an annotation declares, or none if it declares something else.

    Raises:
        InvalidDefinition: what stands in the brackets is no model of `pandera.polars`.
    """
    origin = get_origin(annotation) or annotation
    if origin is LazyFrame or _is_subclass(origin, pl.LazyFrame):
        return FrameType(model_in(annotation), is_lazy=True)
    if origin is Previous:
        return FrameType(model_in(annotation), is_lazy=True, is_previous=True)
    if origin is Committed:
        return FrameType(model_in(annotation), is_lazy=True, is_committed=True)
    if origin is DataFrame or _is_subclass(origin, pl.DataFrame):
        return FrameType(model_in(annotation), is_lazy=False)
    return None


def model_in(annotation: object) -> type | None:
    """Return the model in the brackets of an annotation; none: there are no brackets.

    Raises:
        InvalidDefinition: what stands there is no model of `pandera.polars`.
    """
    arguments = get_args(annotation)
    if not arguments:
        return None
    if len(arguments) == 1 and is_model(arguments[0]):
        return arguments[0]
    named = ", ".join(getattr(argument, "__name__", str(argument)) for argument in arguments)
    raise InvalidDefinition(f"{named} in the brackets of a frame is no pandera.polars DataFrameModel")


def _is_subclass(candidate: Any, of: type) -> bool:
    return isinstance(candidate, type) and issubclass(candidate, of)
