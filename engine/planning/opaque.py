"""Opaque: values that are no constants, what of the project lies in them, and how much of them can be said."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from enum import Enum
from pathlib import PurePath
from types import FunctionType, MethodType, ModuleType
from typing import Any

import polars as pl

from deltaworks.engine.planning.constants import Spell, is_a
from deltaworks.engine.planning.own import Own

_HARMLESS = (pl.Expr, pl.LazyFrame, pl.DataType, PurePath, logging.Logger, logging.LoggerAdapter)
_PLAIN: Mapping[type, Callable[[Any], Any]] = {str: str.__str__, int: int.__int__, float: float.__float__}
_TYPING = frozenset({"typing", "types", "typing_extensions", "abc"})


def described(value: Any, spell: Spell) -> tuple[str, bool]:
    """Say as much of a value as has the same text in every process, and whether that is all of it."""
    text = spell(value)
    if text is not None:
        return text, True
    if isinstance(value, pl.Expr):
        with suppress(pl.exceptions.PolarsError):
            return value.meta.serialize().hex(), True
        return str(value), False  # it holds a Python function that does not pickle
    parts = [described(part, spell) for part in parts_of(value)] if is_a(value, dict, list, tuple) else []
    is_all = bool(parts) and all(each for _, each in parts)
    return f"a {type(value).__qualname__} [{', '.join(text for text, _ in parts)}]", is_all


def is_harmless(value: Any, own: Own, depth: int = 5) -> bool:
    """Tell whether what is written for a value says enough of it: no library keeps anything in it that counts."""
    if is_a(value, type(None), bool, int, float, str, bytes, type, FunctionType, ModuleType, *_HARMLESS):
        return True
    if is_a(value, dict, list, tuple, set, frozenset):
        return depth > 0 and all(is_harmless(part, own, depth - 1) for part in parts_of(value))
    return is_instance(value, own) or type(value).__module__ in _TYPING


def is_instance(value: object, own: Own) -> bool:
    """Tell whether a value is an object of one of the project's classes."""
    return not isinstance(value, type | FunctionType | ModuleType) and own.has(type(value))


def holds_own(value: Any, own: Own, depth: int = 3) -> bool:
    """Tell whether a value is a function, a class or an object of the project, or holds one."""
    if is_a(value, FunctionType, type):
        return own.has(value)
    if is_a(value, functools.partial, MethodType) or is_instance(value, own):
        return True
    return depth > 0 and any(holds_own(part, own, depth - 1) for part in held_by(value))


def parts_of(value: Any) -> Iterator[Any]:
    """Yield what a container holds, or the state of an object, names included."""
    yield from held_by(value)
    yield from (plain(value) for kind, plain in _PLAIN.items() if is_a(value, kind))
    if is_a(value, type):
        return
    for name, part in getattr(value, "__dict__", {}).items():
        yield name
        yield part
    for kind in type(value).__mro__:
        for name in _slots(kind):
            if hasattr(value, name):
                yield name
                yield getattr(value, name)


def functions_of(value: Any) -> Iterator[FunctionType]:
    """Yield the functions that a class has as a method, a property or another descriptor."""
    if is_a(value, staticmethod, classmethod):
        yield from functions_of(value.__func__)
    elif is_a(value, property):
        for each in (value.fget, value.fset, value.fdel):
            yield from functions_of(each)
    elif is_a(value, FunctionType):
        yield value
    elif is_a(value, functools.partial):
        yield from functions_of(value.func)
    elif not is_a(value, type, Enum) and inspect.getattr_static(value, "__get__", None) is not None:
        held: dict[str, Any] = getattr(value, "__dict__", {})
        for part in held.values():
            if is_a(part, FunctionType, classmethod, staticmethod, functools.partial):
                yield from functions_of(part)


def is_generated(function: FunctionType) -> bool:
    """Tell whether a library wrote a method, such as the constructor of a dataclass."""
    return function.__code__.co_filename.startswith("<")


def first_argument(function: FunctionType) -> tuple[str, ...]:
    """Return the name of a method's `self`."""
    inner = inspect.unwrap(function)
    return inner.__code__.co_varnames[:1] if isinstance(inner, FunctionType) else ()


def closure(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """Yield the variables of outer functions that a function reads."""
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with suppress(ValueError):  # it is not assigned yet
            yield name, cell.cell_contents


def wrapped_by(value: object) -> object | None:
    """Return what a decorator wraps. Looked up without a call: some objects have every attribute."""
    wrapped: object = inspect.getattr_static(value, "__wrapped__", None)
    return wrapped


def classes_in(annotation: Any, owner: type, own: Own) -> Iterator[type]:
    """Yield the project's classes in an annotation of a class; in those of all its fields, if it is a text."""
    if isinstance(annotation, str):
        with suppress(Exception):  # it names what is not there at run time
            for each in inspect.get_annotations(owner, eval_str=True).values():
                yield from () if isinstance(each, str) else classes_in(each, owner, own)
    elif is_a(annotation, type) and own.has(annotation):
        yield annotation
    else:
        for each in getattr(annotation, "__args__", ()):
            yield from classes_in(each, owner, own)


def held_by(value: Any) -> Iterable[Any]:
    """Return what a container holds, keys included."""
    if is_a(value, Mapping):
        return [part for item in value.items() for part in item]
    if is_a(value, functools.partial):
        return [value.func, *value.args, *value.keywords.values()]
    return list(value) if is_a(value, list, tuple, set, frozenset) else []


def _slots(kind: type) -> tuple[str, ...]:
    slots = vars(kind).get("__slots__", ())
    named = (slots,) if isinstance(slots, str) else tuple(slots)
    return tuple(name for name in named if not name.startswith("__"))
