"""Reach: what an asset's function does beyond its own text.

That is the project's functions, methods and classes that it mentions, what these mention in turn, and the values that
all of them read from modules and closures. Libraries are taken as given.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import inspect
import os
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from types import FunctionType, MethodType, ModuleType
from typing import Any, TypeAlias, cast

import polars as pl

from deltaworks.engine.definitions.asset import Asset
from deltaworks.engine.planning.bytecode import code_chains, code_text, global_names
from deltaworks.engine.planning.constants import constant_text, is_a
from deltaworks.engine.planning.syntax import assigned, chains, function_chains, function_tree, import_of, spelled
from deltaworks.validation import declare, is_model

_LIBRARIES = tuple(
    os.path.join(sysconfig.get_path(name), "") for name in ("stdlib", "platstdlib", "purelib", "platlib")
)
_MISSING = object()

Owners: TypeAlias = Mapping[str, type]
"""Of arguments that are instances of the project's classes: resources, and `self`."""


def reach(function: Callable[..., Any], owners: Owners) -> Reach:
    """Follow a function. `owners` are its arguments whose methods are the project's."""
    found = Reach(package=(function.__module__ or "").partition(".")[0])
    found.start(function, owners)
    while found.waiting:
        found.follow(*found.waiting.pop(0))
    return found


def is_authors_file(file: str) -> bool:
    """Tell whether code stands in a file of neither Python nor an installed library."""
    return not file.startswith((*_LIBRARIES, "<frozen"))


@dataclass
class Reach:
    """What has been found so far."""

    package: str
    """The project's own, even where it is installed among the libraries."""
    parts: list[str] = field(default_factory=list[str])
    """What counts, one text each, in order of first mention."""
    unseen: list[str] = field(default_factory=list[str])
    """Names of values whose content does not count, since nothing stable can be said of it."""
    waiting: list[tuple[FunctionType, Owners]] = field(default_factory=list[tuple[FunctionType, Owners]])
    _seen: set[object] = field(default_factory=set[object])

    def start(self, function: object, owners: Owners) -> None:
        """Remember to follow a function, and those that its decorators wrap; a library's decorator is passed over."""
        while isinstance(function, FunctionType):
            wrapped = _wrapped(function)
            if wrapped is None or self._is_own(function):
                self._add(function, owners)
            function = wrapped

    def follow(self, function: FunctionType, owners: Owners) -> None:
        """Note what one function does, and look at everything that it mentions."""
        tree, code = function_tree(function), function.__code__
        self.parts.append(spelled(tree) if tree is not None else code_text(code, constant_text))
        for value in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()):
            self._value("default", value, {})
        closure = dict(_closure(function))
        outer = {name: function.__globals__[name] for name in global_names(code) if name in function.__globals__}
        mentioned = function_chains(tree) if tree is not None else code_chains(code)
        for name, *attributes in dict.fromkeys(mentioned):
            if name in owners and attributes:
                self._attribute(owners[name], attributes[0], function.__globals__)
            elif name in closure:
                self._chain(name, attributes, closure[name], {})
            elif name in outer:
                self._chain(name, attributes, outer[name], function.__globals__)

    def _add(self, function: FunctionType, owners: Owners) -> None:
        if function not in self._seen:
            self._seen.add(function)
            self.waiting.append((function, owners))

    def _chain(self, name: str, attributes: list[str], value: Any, home: Mapping[str, Any]) -> None:
        if name.startswith("__"):
            return  # `__file__` and its like say where the project lies
        while attributes and isinstance(value, ModuleType) and self._is_project(value.__name__, _file(value)):
            home, name = vars(value), attributes.pop(0)
            value = home.get(name, _MISSING)
        if isinstance(value, type) and attributes and self._is_own(value) and not is_model(value):
            self._attribute(value, attributes[0], home)
        elif value is not _MISSING and not isinstance(value, ModuleType):
            self._value(name, value, home)

    def _attribute(self, owner: type, name: str, home: Mapping[str, Any]) -> None:
        """Look at what a class of the project has under a name."""
        value: Any = inspect.getattr_static(owner, name, _MISSING)
        if type(value) is staticmethod:
            self._value(name, value.__func__, home)
        elif type(value) in (FunctionType, classmethod, property):
            self._method(value.fget if type(value) is property else getattr(value, "__func__", value), owner)
        elif value is not _MISSING and constant_text(value) is not None:
            self.parts.append(f"{owner.__qualname__}.{name} = {constant_text(value)}")

    def _method(self, function: Any, owner: type) -> None:
        if isinstance(function, FunctionType) and self._is_own(function):
            first = function.__code__.co_varnames[:1]
            self._add(function, dict.fromkeys(first, owner))

    def _value(self, name: str, value: Any, home: Mapping[str, Any]) -> None:
        """Look at a value that something mentions; `home` is the module that it is a variable of."""
        if isinstance(value, Asset):
            self._value(name, cast(Asset[..., Any], value).function, home)
        elif isinstance(value, MethodType):
            self._method(value.__func__, type(value.__self__))
        elif type(value) is functools.partial:
            for part in (value.func, value.args, value.keywords):
                self._value(name, part, {})
        elif isinstance(value, FunctionType) and self._is_own(value):
            self.start(value, {})
        elif _wrapped(value) is not None:
            self._value(name, _wrapped(value), home)
        elif isinstance(value, type) and self._is_own(value):
            self._class(value)
        else:
            self._content(name, value, home)

    def _content(self, name: str, value: Any, home: Mapping[str, Any]) -> None:
        text = constant_text(value)
        if text is not None:
            self.parts.append(f"{name} = {text}")
            return
        for part in _functions_in(value):
            self._value(name, part, {})
        source, name, home = self._origin(name, home)
        written = assigned(home, name)
        for expression in written:
            self._written(name, expression, home)
        if source is not None:
            self.parts.append(f"{name} from {source}")
        elif not written:
            self.parts.append(f"{name} is {_description(value)}")
            self.unseen.append(name)

    def _origin(self, name: str, home: Mapping[str, Any]) -> tuple[str | None, str, Mapping[str, Any]]:
        """Follow imports of a variable to the library, or to the module of the project, that it comes from."""
        while (source := import_of(home, name)) is not None:
            imported = importlib.util.resolve_name(source[0], home.get("__package__"))
            module = sys.modules.get(imported)
            if module is None or not self._is_project(imported, _file(module)):
                return imported, source[1], {}
            name, home = source[1], vars(module)
        return None, name, home

    def _written(self, name: str, expression: ast.expr, home: Mapping[str, Any]) -> None:
        text = f"{name} = {spelled(expression)}"
        if text in self._seen:
            return
        self._seen.add(text)
        self.parts.append(text)
        for mentioned, *attributes in dict.fromkeys(chains(expression)):
            if mentioned in home:
                self._chain(mentioned, attributes, home[mentioned], home)

    def _class(self, owner: type[Any]) -> None:
        if owner in self._seen:
            return
        self._seen.add(owner)
        if is_model(owner):
            self.parts += [f"column {column.name} {column.dtype}" for column in declare(owner).columns]
            return
        if issubclass(owner, Enum):
            self.parts += [f"{constant_text(member)}" for member in owner]
        for each in owner.__mro__:
            if self._is_own(each):
                for name in vars(each):
                    if not name.startswith("__") or name == "__init__":
                        self._attribute(owner, name, {})

    def _is_own(self, value: FunctionType | type) -> bool:
        file = (
            value.__code__.co_filename if isinstance(value, FunctionType) else _file(sys.modules.get(value.__module__))
        )
        return self._is_project(value.__module__ or "", file)

    def _is_project(self, module: str, file: str | None) -> bool:
        package = module.partition(".")[0]
        if package in ("deltaworks", "builtins"):
            return False
        return package == self.package or (file is not None and is_authors_file(file))


def _closure(function: FunctionType) -> Iterator[tuple[str, Any]]:
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with suppress(ValueError):  # it is not assigned yet
            yield name, cell.cell_contents


def _wrapped(value: object) -> object | None:
    """Return what a decorator wraps. Looked up without a call: some objects have every attribute."""
    wrapped: object = inspect.getattr_static(value, "__wrapped__", None)
    return wrapped


def _functions_in(value: Any) -> list[Any]:
    """Return the functions in a container, such as a table of cases."""
    return [part for part in _parts(value) if isinstance(part, FunctionType | functools.partial)]


def _parts(value: Any) -> list[Any]:
    """Return what a container holds."""
    if is_a(value, dict):
        return list(value.values())
    return list(value) if is_a(value, list, tuple) else []


def _description(value: Any) -> str:
    if isinstance(value, pl.Expr):
        with suppress(pl.exceptions.PolarsError):  # it holds a Python function that does not pickle
            return value.meta.serialize().hex()
    return f"a {type(value).__qualname__} [{', '.join(map(_description, _parts(value)))}]"


def _file(module: ModuleType | None) -> str | None:
    return getattr(module, "__file__", None)
