"""MaterializeResult: rows together with what their author wants to be remembered of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, cast, get_args, get_origin

import polars as pl

from deltaworks.engine.definitions.frames import FrameType, Model, model_in, read_frame_type
from deltaworks.engine.definitions.recordable import record_problem
from deltaworks.engine.definitions.staged_files import StagedFiles
from deltaworks.errors import InvalidDefinition

MAX_BYTES = 64 * 1024
"""Of metadata as JSON: commits are read one by one, so they stay small."""


@dataclass(frozen=True)
class MaterializeResult(Generic[Model]):
    """What an asset's function may return instead of a frame, `-> MaterializeResult[Model]`; `[Any]` is no contract.

    The metadata stands in the commit's record and is shown by `history`. It is JSON: texts, numbers, True, False, None,
    and lists and mappings of those. For a range of partitions it is kept with each of them.
    """

    frame: pl.LazyFrame | pl.DataFrame
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])


def read_returned_type(annotation: object) -> FrameType | None:
    """Return the frame that a return annotation declares, by itself or within a result; none if it declares none.

    Raises:
        InvalidDefinition: what stands in the brackets is no model of `pandera.polars`.
    """
    if (get_origin(annotation) or annotation) is MaterializeResult:
        model = None if get_args(annotation) == (Any,) else model_in(annotation)
        return FrameType(model, is_lazy=True, has_metadata=True)
    if (get_origin(annotation) or annotation) is StagedFiles:
        if not get_args(annotation) or get_args(annotation) == (Any,):
            raise InvalidDefinition("StagedFiles needs a model in brackets, with which its files are compared")
        return FrameType(model_in(annotation), is_lazy=True, is_staged=True)
    return read_frame_type(annotation)


def frame_of(returned: Any) -> Any:
    """Return the frame within a result; whatever else was returned, as it is."""
    return returned.frame if isinstance(returned, MaterializeResult) else returned


def metadata_problem(metadata: object) -> str | None:
    """Say why metadata cannot stand in a record; none: it can."""
    if not isinstance(metadata, Mapping):
        return f"the metadata is {type(metadata).__name__}, expected a mapping of names to values"
    size = 0
    for name, value in cast("Mapping[object, object]", metadata).items():
        if not isinstance(name, str):
            return f"the metadata has the name {name!r}, expected a text"
        try:
            text = json.dumps({name: value}, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            return (
                f"the metadata {name!r} is no JSON ({error}); write a text, a number, True, False, None, or a list or "
                "a mapping of those"
            )
        problem = next(filter(None, map(record_problem, _leaves(json.loads(text)))), None)
        if problem:
            return f"the metadata {name!r} {problem}"
        size += len(text)
    return f"the metadata has {size:,} bytes as JSON, at most {MAX_BYTES:,} are kept" if size > MAX_BYTES else None


def _leaves(document: Any) -> Iterator[str | float | bool | None]:
    """Yield the names and values of a JSON document."""
    if isinstance(document, dict):
        for name, value in cast("dict[str, Any]", document).items():
            yield name
            yield from _leaves(value)
    elif isinstance(document, list):
        for value in cast("Iterable[Any]", document):
            yield from _leaves(value)
    else:
        yield document
