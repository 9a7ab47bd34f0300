"""ValueType: the type of a value that goes from op to op, and whether it fits where it goes.

Two questions with one answer each: whether everything of one type may go where another is asked for, which is asked
when a graph is composed, and whether one value is of a type, which is asked when an op has returned it. What cannot be
told, such as a type variable or a protocol, is let through: a type checker says more about it.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NewType, TypeAlias, TypeVar, Union, cast, get_args, get_origin, is_typeddict

import polars as pl

from deltaworks.engine.definitions.frames import FrameType, read_frame_type
from deltaworks.validation import declare, model_difference

ValueType: TypeAlias = Any
"""What an annotation says: a class, a generic, a union, `Any`."""

_NUMBERS: Mapping[Any, tuple[type, ...]] = {float: (int,), complex: (int, float)}
"""What else a number may be, as type checkers have it."""


def misfit(given: ValueType, wanted: ValueType) -> str | None:
    """Say why values of one type do not fit where another is asked for; none: they do."""
    given, wanted = _plain(given), _plain(wanted)
    frames = read_frame_type(given), read_frame_type(wanted)
    if frames[0] is not None and frames[1] is not None:
        return _frame_misfit(frames[0], frames[1])
    return None if _fits(given, wanted) else f"{spelled(given)} is no {spelled(wanted)}"


def is_of(value: object, wanted: ValueType) -> bool:
    """Return whether a value is of a type; of a collection's elements only their count in a tuple is looked at."""
    wanted = _plain(wanted)
    origin = origin_of(wanted)
    if wanted is Any:
        return True
    if origin is Literal:
        return value in get_args(wanted)
    if origin in (Union, types.UnionType):
        return any(is_of(value, member) for member in get_args(wanted))
    if read_frame_type(wanted) is not None:
        return isinstance(value, pl.LazyFrame | pl.DataFrame)
    if origin is tuple and isinstance(value, tuple):
        lengths = get_args(wanted)
        items = cast("tuple[object, ...]", value)
        return Ellipsis in lengths or len(items) == len(lengths)
    kind: Any = dict if is_typeddict(wanted) else origin or wanted
    if not inspect.isclass(kind) or _is_open(kind):
        return True
    return isinstance(value, (kind, *_NUMBERS.get(kind, ())))


def takes_none(wanted: ValueType) -> bool:
    """Return whether an input of a type may be given nothing."""
    return is_of(None, wanted)


def spelled(annotation: ValueType) -> str:
    """Return a type as its author writes it."""
    if annotation is type(None):
        return "None"
    if inspect.isclass(annotation) and not get_args(annotation):
        return annotation.__qualname__
    origin, arguments = origin_of(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return " | ".join(map(spelled, arguments))
    if origin is not None and origin is not Literal and all(map(_is_type, arguments)):
        name = getattr(origin, "__name__", str(origin))
        return f"{name}[{', '.join('...' if each is Ellipsis else spelled(each) for each in arguments)}]"
    return str(annotation).replace("typing.", "")


def origin_of(annotation: ValueType) -> Any:
    """Return what stands before the brackets of a type; none: it has none."""
    return get_origin(annotation)


def _is_type(argument: object) -> bool:
    return argument is Ellipsis or inspect.isclass(argument) or origin_of(argument) is not None


def _plain(annotation: ValueType) -> ValueType:
    """Return a type without what is only written beside it; `None` as a class."""
    while origin_of(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return type(None) if annotation is None else annotation


def _frame_misfit(given: FrameType, wanted: FrameType) -> str | None:
    """Compare the models of two frames; eager or lazy does not matter, each reader gets what it asks for."""
    promised, needed = given.model, wanted.model
    if promised is None or needed is None or needed in promised.__mro__:
        return None
    offered, asked = declare(promised), declare(needed)
    difference = model_difference(asked, offered)
    return (
        None
        if difference is None
        else f"model {asked.name} asks for {difference[0]}, but {offered.name} {difference[1]}"
    )


def _fits(given: ValueType, wanted: ValueType) -> bool:
    given, wanted = _plain(given), _plain(wanted)
    if Any in (given, wanted) or wanted is object or given == wanted:
        return True
    if _is_union(given):
        return all(_fits(member, wanted) for member in get_args(given))
    if _is_union(wanted):
        return any(_fits(given, member) for member in get_args(wanted))
    if Literal in (origin_of(given), origin_of(wanted)):
        return _literal_fits(given, wanted)
    if isinstance(given, NewType):
        return _fits(given.__supertype__, wanted)
    if isinstance(wanted, NewType):
        return False
    return _class_fits(given, wanted)


def _is_union(annotation: ValueType) -> bool:
    return origin_of(annotation) in (Union, types.UnionType)


def _literal_fits(given: ValueType, wanted: ValueType) -> bool:
    if origin_of(given) is not Literal:
        return False
    if origin_of(wanted) is Literal:
        return set(get_args(given)) <= set(get_args(wanted))
    return all(is_of(value, wanted) for value in get_args(given))


def _class_fits(given: ValueType, wanted: ValueType) -> bool:
    kinds: tuple[Any, Any] = (origin_of(given) or given, origin_of(wanted) or wanted)
    if is_typeddict(kinds[0]):
        kinds = (dict, kinds[1])
    if any(not inspect.isclass(kind) or _is_open(kind) for kind in kinds):
        return True
    if not issubclass(kinds[0], (kinds[1], *_NUMBERS.get(kinds[1], ()))):
        return False
    items = get_args(given), get_args(wanted)
    if kinds[0] is tuple and all(items):
        return _items_fit(*items, is_counted=kinds[1] is tuple)
    # Nothing in the brackets, or not as many as in the other's, says nothing.
    return len(items[0]) != len(items[1]) or all(_fits(one, other) for one, other in zip(*items, strict=True))


def _items_fit(given: tuple[Any, ...], wanted: tuple[Any, ...], *, is_counted: bool) -> bool:
    """Compare the items of a tuple with those of another one, or of a collection of any length."""
    if is_counted and Ellipsis not in (*given, *wanted):
        return len(given) == len(wanted) and all(_fits(one, other) for one, other in zip(given, wanted, strict=True))
    return all(_fits(one, other) for one in given for other in wanted if Ellipsis not in (one, other))


def _is_open(kind: Any) -> bool:
    """Return whether what fits a class cannot be told from its bases."""
    return isinstance(kind, TypeVar) or is_typeddict(kind) or bool(getattr(kind, "_is_protocol", False))
