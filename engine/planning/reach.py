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
from dataclasses import dataclass, field
from enum import Enum
from types import FunctionType, MethodType, ModuleType
from typing import Any, TypeAlias

import polars as pl

from deltaworks.engine.definitions.asset import Asset
from deltaworks.engine.planning.bytecode import code_chains, code_text, global_names
from deltaworks.engine.planning.constants import constant_text
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
    found.add(function, owners)
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

    def add(self, function: Callable[..., Any], owners: Owners | None = None) -> None:
        """Remember to follow a function."""
        if isinstance(function, FunctionType) and function not in self._seen:
            self._seen.add(function)
            self.waiting.append((function, owners or {}))

    def follow(self, function: FunctionType, owners: Owners) -> None:
        """Note what one function does, and look at everything that it mentions."""
        tree, code = function_tree(function), function.__code__
        self.parts.append(spelled(tree) if tree is not None else code_text(code, constant_text))
        defaults = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).items()]
        for value in defaults:
            self._value("default", value, {})
        closure = dict(_closure(function))
        outer = {name: function.__globals__[name] for name in global_names(code) if name in function.__globals__}
        mentioned = function_chains(tree) if tree is not None else code_chains(code)
        for chain in dict.fromkeys(mentioned):
            if chain[0] in owners and len(chain) > 1:
                self._attribute(owners[chain[0]], chain[1], function.__globals__)
            elif chain[0] in closure:
                self._chain(chain, closure[chain[0]], {})
            elif chain[0] in outer:
                self._chain(chain, outer[chain[0]], function.__globals__)

    def _chain(self, chain: tuple[str, ...], value: Any, home: Mapping[str, Any]) -> None:
        name, *attributes = chain
        while attributes and isinstance(value, ModuleType) and self._is_project(value.__name__, _file(value)):
            home, name = vars(value), attributes.pop(0)
            value = home.get(name, _MISSING)
        if isinstance(value, type) and attributes and self._is_own(value):
            self._attribute(value, attributes[0], home)
        elif value is not _MISSING and not isinstance(value, ModuleType):
            self._value(name, value, home)

    def _attribute(self, owner: type, name: str, home: Mapping[str, Any]) -> None:
        """Look at what a class of the project has under a name."""
        value = inspect.getattr_static(owner, name, _MISSING)
        match value:
            case staticmethod():
                self._value(name, value.__func__, home)
            case classmethod():
                self._method(value.__func__, owner)
            case property():
                self._method(value.fget, owner)
            case FunctionType():
                self._method(value, owner)
            case _ if value is not _MISSING and constant_text(value) is not None:
                self._value(f"{owner.__qualname__}.{name}", value, {})
            case _:
                pass

    def _method(self, function: Any, owner: type) -> None:
        if isinstance(function, FunctionType) and self._is_own(function):
            first = function.__code__.co_varnames[:1]
            self.add(function, dict.fromkeys(first, owner))

    def _value(self, name: str, value: Any, home: Mapping[str, Any]) -> None:
        """Look at a value that something mentions; `home` is the module that it is a variable of."""
        if isinstance(value, Asset | MethodType | functools.partial) or hasattr(value, "__wrapped__"):
            self._callable(name, value, home)
        elif isinstance(value, FunctionType) and self._is_own(value):
            self.add(value)
        elif isinstance(value, type) and self._is_own(value):
            self._class(value)
        else:
            self._content(name, value, home)

    def _callable(self, name: str, value: Any, home: Mapping[str, Any]) -> None:
        match value:
            case Asset():
                self._value(name, value.function, home)
            case MethodType():
                self._method(value.__func__, type(value.__self__))
            case functools.partial():
                for part in (value.func, value.args, value.keywords):
                    self._value(name, part, {})
            case _:
                if isinstance(value, FunctionType) and self._is_own(value):
                    self.add(value)
                self._value(name, value.__wrapped__, home)

    def _content(self, name: str, value: Any, home: Mapping[str, Any]) -> None:
        text = constant_text(value)
        if text is not None:
            self.parts.append(f"{name} = {text}")
            return
        if isinstance(value, list | tuple | set | frozenset | dict):
            for part in _callables(value):
                self._value(name, part, {})
        written, home = self._assigned(name, home)
        if written:
            for expression in written:
                self._written(name, expression, home)
        elif isinstance(value, pl.Expr):
            self.parts.append(f"{name} = {_serialized(value)}")
            self.unseen.append(name)
        else:
            self.parts.append(f"{name} is a {type(value).__qualname__}")
            self.unseen.append(name)

    def _assigned(self, name: str, home: Mapping[str, Any]) -> tuple[list[ast.expr], Mapping[str, Any]]:
        """Return what is assigned to a variable, in its own module or in the project's module that it comes from."""
        source = import_of(home, name)
        while source is not None:
            module = sys.modules.get(importlib.util.resolve_name(source[0], home.get("__package__")))
            if module is None or not self._is_project(module.__name__, _file(module)):
                self.parts.append(f"{name} from {source}")
                return [], {}
            name, home = source[1], vars(module)
            source = import_of(home, name)
        return assigned(home, name), home

    def _written(self, name: str, expression: ast.expr, home: Mapping[str, Any]) -> None:
        text = f"{name} = {spelled(expression)}"
        if text in self._seen:
            return
        self._seen.add(text)
        self.parts.append(text)
        for chain in dict.fromkeys(chains(expression)):
            if chain[0] in home:
                self._chain(chain, home[chain[0]], home)

    def _class(self, owner: type) -> None:
        if owner in self._seen:
            return
        self._seen.add(owner)
        if is_model(owner):
            self.parts += [f"column {column.name} {column.dtype}" for column in declare(owner).columns]
            return
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
        try:
            yield name, cell.cell_contents
        except ValueError:
            pass  # not assigned yet


def _callables(value: Any) -> Iterator[Any]:
    for part in value.values() if isinstance(value, dict) else value:
        if isinstance(part, Enum) or not callable(part):
            continue
        yield part


def _serialized(value: pl.Expr) -> str:
    try:
        return value.meta.serialize().hex()
    except pl.exceptions.PolarsError:
        return str(value)  # it holds a Python function that does not pickle


def _file(module: ModuleType | None) -> str | None:
    return getattr(module, "__file__", None)
