"""Values: what processes of different interpreters tell each other, as JSON.

Only values of deltaworks' own classes travel, by the names of their fields. Code does not: a function becomes an
`Absent`, which stands for it where it is not. So nothing that is read can run code of whoever wrote it, and neither the
Python nor the Polars of the two sides need be the same.
"""

from __future__ import annotations

import datetime as dt
import importlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from decimal import Decimal
from enum import Enum
from functools import cache
from inspect import isbuiltin, isfunction, ismethod
from pathlib import Path
from typing import Any, cast

import polars as pl

from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.definitions.partitions.timeline import Timeline
from deltaworks.engine.workspace.locations.dtypes import dtype_json, read_dtype
from deltaworks.errors import RunError
from deltaworks.io.dtypes import Json
from deltaworks.validation import declare, declared_by, is_model

_OURS = "deltaworks."
_TAG = "!"
"""The key under which an object says what it is, where JSON has no word for that."""


class Absent:
    """A function that is in a code location, and not here. What looks at functions finds its name and module."""

    def __init__(
        self, name: str, module: str, address: str | None = None, ask: Callable[[str, str], Any] | None = None
    ) -> None:
        """Stand for a function.

        Args:
            name: its name.
            module: that of its module.
            address: what it is asked by; none: it cannot be asked from elsewhere.
            ask: asks it, by its address, about a key; none: nobody has said how.
        """
        self.__name__, self.__module__ = name, module
        self.address, self.ask = address, ask

    def asked_by(self, ask: Callable[[str, str], Any]) -> Absent:
        """Return the same with somebody who asks it."""
        return Absent(self.__name__, self.__module__, self.address, ask)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Absent) and self._facts == other._facts

    def __hash__(self) -> int:
        return hash(self._facts)

    @property
    def _facts(self) -> tuple[str, str, str | None]:
        return self.__name__, self.__module__, self.address

    def __call__(self, *arguments: object, **named: object) -> Any:
        """Ask the function about a key.

        Raises:
            RunError: it takes more than a key, so that only its own process can call it.
        """
        if self.ask is None or self.address is None or len(arguments) != 1 or named:
            raise RunError(
                f"{self.__name__} ({self.__module__}) is the function of another code location and runs only there"
            )
        return self.ask(self.address, str(arguments[0]))


def to_json(value: object) -> Json:
    """Return a value as JSON.

    Raises:
        TypeError: it is of a class that no other process knows.
    """
    kind: Any = type(value)
    if kind in _PLAIN:
        return value
    if isinstance(value, tuple):
        return [to_json(each) for each in cast("tuple[object, ...]", value)]
    if isinstance(value, Mapping) and not isinstance(value, pl.Schema):
        return _mapping_json(cast("Mapping[object, object]", value))
    for known, tag, write in _WRITTEN:
        if isinstance(value, known):
            return {_TAG: tag, **write(value)}
    if isinstance(value, Timeline):
        return None  # what it keeps can be found out again
    if is_model(value):
        declared = declare(value)
        return {_TAG: "model", "declared": to_json(declared.without_checks()), "place": to_json(declared.place)}
    if isfunction(value) or ismethod(value) or isbuiltin(value):
        return {_TAG: "code", "name": value.__name__, "module": str(value.__module__), "address": None}
    if is_dataclass(value) and not isinstance(value, type):
        return {_TAG: _name_of(kind), **{each.name: to_json(getattr(value, each.name)) for each in fields(value)}}
    if isinstance(value, str):
        return str.__str__(value)
    raise TypeError(f"{kind.__module__}.{kind.__qualname__} is known to its own process only")


def from_json(said: Json) -> Any:
    """Return the value that `to_json` has written.

    Raises:
        ValueError: it was not written by that.
    """
    if isinstance(said, list):
        return tuple(map(from_json, cast("Sequence[Json]", said)))
    if not isinstance(said, dict):
        return said
    told = cast("dict[str, Json]", said)
    tag = told.get(_TAG)
    if tag is None:
        return {name: from_json(each) for name, each in told.items()}
    read = _READ.get(tag)
    if read is not None:
        return read(told)
    made = object.__new__(_class_of(str(tag)))
    for each in fields(made):
        object.__setattr__(made, each.name, from_json(told.get(each.name)))
    return made


def _mapping_json(value: Mapping[object, object]) -> Json:
    if all(type(key) is str and key != _TAG for key in value):
        return {key: to_json(each) for key, each in value.items()}
    return {_TAG: "map", "pairs": [[to_json(key), to_json(each)] for key, each in value.items()]}


@cache
def _name_of(cls: type) -> str:
    if not cls.__module__.startswith(_OURS):
        raise TypeError(f"{cls.__module__}.{cls.__qualname__} is known to its own process only")
    return f"{cls.__module__.removeprefix(_OURS)}:{cls.__qualname__}"


@cache
def _class_of(name: str) -> type[Any]:
    module, _, qualified = name.partition(":")
    found: Any = importlib.import_module(f"{_OURS}{module}")
    for part in qualified.split("."):
        found = getattr(found, part)
    if not isinstance(found, type) or not (is_dataclass(found) or issubclass(found, Enum)):
        raise ValueError(f"{name!r} is no kind of value")
    return found


_PLAIN = (type(None), bool, int, float, str)

_WRITTEN: Sequence[tuple[type, str, Callable[[Any], dict[str, Json]]]] = (
    (Enum, "enum", lambda each: {"of": _name_of(each.__class__), "value": each.value}),
    (list, "list", lambda each: {"values": [to_json(one) for one in each]}),
    (frozenset, "set", lambda each: {"values": [to_json(one) for one in sorted(each, key=str)]}),
    (set, "set", lambda each: {"values": [to_json(one) for one in sorted(each, key=str)]}),
    (pl.Schema, "schema", lambda each: {"columns": [[name, dtype_json(dtype)] for name, dtype in each.items()]}),
    (dt.datetime, "datetime", lambda each: {"text": each.isoformat()}),
    (dt.date, "date", lambda each: {"text": each.isoformat()}),
    (dt.timedelta, "timedelta", lambda each: {"us": each // dt.timedelta(microseconds=1)}),
    (dt.time, "time", lambda each: {"text": each.isoformat()}),
    (Decimal, "decimal", lambda each: {"text": str(each)}),
    (bytes, "bytes", lambda each: {"hex": each.hex()}),
    (Path, "path", lambda each: {"text": str(each)}),
    (PartitionSet, "partitions", lambda each: {"size": each.size, "ranges": each.ranges()}),
    (re.Pattern, "pattern", lambda each: {"text": each.pattern, "flags": each.flags}),
    (pl.DataType, "dtype", lambda each: {"dtype": dtype_json(each)}),
    (pl.Expr, "expression", lambda _: {}),
    (Absent, "code", lambda each: {"name": each.__name__, "module": each.__module__, "address": each.address}),
)
"""By class, the word for it and what is said of it; the first that fits counts."""

_READ: Mapping[str, Callable[[Mapping[str, Json]], Any]] = {
    "enum": lambda told: _class_of(told["of"])(told["value"]),
    "list": lambda told: [from_json(each) for each in told["values"]],
    "set": lambda told: frozenset(from_json(each) for each in told["values"]),
    "map": lambda told: {from_json(key): from_json(each) for key, each in told["pairs"]},
    "schema": lambda told: pl.Schema({name: read_dtype(dtype) for name, dtype in told["columns"]}),
    "datetime": lambda told: dt.datetime.fromisoformat(told["text"]),
    "date": lambda told: dt.date.fromisoformat(told["text"]),
    "timedelta": lambda told: dt.timedelta(microseconds=told["us"]),
    "path": lambda told: Path(told["text"]),
    "decimal": lambda told: Decimal(told["text"]),
    "time": lambda told: dt.time.fromisoformat(told["text"]),
    "bytes": lambda told: bytes.fromhex(told["hex"]),
    "partitions": lambda told: PartitionSet.of_ranges([(a, b) for a, b in told["ranges"]], told["size"]),
    "pattern": lambda told: re.compile(told["text"], told["flags"]),
    "dtype": lambda told: read_dtype(told["dtype"]),
    "expression": lambda _: pl.lit(None),
    "model": lambda told: declared_by(from_json(told["declared"]), from_json(told["place"])),
    "code": lambda told: Absent(told["name"], told["module"], told["address"]),
}
