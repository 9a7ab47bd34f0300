"""Reach: what an asset's function does beyond its own text.

That is the project's functions, methods and classes that it mentions, what these mention in turn, and the values that
all of them read from modules and closures. Libraries are taken as given.

Everything found has a number, and every text says which numbers its names stand for. So a name that comes to mean
something else is a change, and another name for the same thing is none.
"""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import FunctionType, MethodType, ModuleType
from typing import Any, TypeAlias, cast

import polars as pl

from deltaworks.engine.definitions.asset import Asset
from deltaworks.engine.definitions.ops.config import Config
from deltaworks.engine.definitions.ops.graph import Graph
from deltaworks.engine.definitions.ops.op import Op
from deltaworks.engine.definitions.resources import Resource
from deltaworks.engine.planning.constants import constant_text, is_a
from deltaworks.engine.planning.opaque import (
    classes_in,
    closure,
    described,
    first_argument,
    functions_of,
    held_by,
    holds_own,
    is_generated,
    is_harmless,
    is_instance,
    parts_of,
    wrapped_by,
)
from deltaworks.engine.planning.own import Own
from deltaworks.engine.planning.reading import Reading, imported_by, imports_of, namespaces_in, paths_of, read
from deltaworks.engine.planning.source_code import Nodes, class_trees, function_tree, source_of, touches
from deltaworks.engine.planning.syntax import Chain, Naming, attributes_in, chains, class_chains, spelled, spelled_class
from deltaworks.errors import Place
from deltaworks.validation import declare, is_model

_MISSING = object()
_FACTS = frozenset("__file__ __name__ __path__ __spec__ __package__ __loader__ __cached__ __builtins__ __doc__".split())  # noqa: SIM905
"""Variables of a module that say where the project lies."""
_DYNAMIC = frozenset({"eval", "exec", "globals", "__import__", "import_module"})
"""What reads things by names that are not in the text."""

Owners: TypeAlias = Mapping[str, type]
"""Of arguments that are instances of the project's classes: resources, and `self`."""


@dataclass(frozen=True, slots=True)
class Unseen:
    """A value whose changes a code version may not see."""

    name: str
    where: Place


@dataclass
class Reach:
    """What has been found so far."""

    own: Own
    parts: list[str] = field(default_factory=list[str])
    """What counts, one text each, in order of first mention."""
    unseen: list[Unseen] = field(default_factory=list[Unseen])
    _waiting: list[tuple[str, FunctionType, Owners]] = field(default_factory=list[tuple[str, FunctionType, Owners]])
    _numbers: dict[object, str] = field(default_factory=dict[object, str])
    _place: Place = field(default_factory=lambda: Place("", 0))

    def follow(self, function: Callable[..., Any], owners: Owners) -> None:
        """Follow a function to all that it reaches. `owners` are its arguments whose methods are the project's."""
        if isinstance(function, FunctionType):
            self.parts.append(f"calls {self._function(function, owners, is_start=True)}")
        while self._waiting:
            self._follow(*self._waiting.pop(0))

    def follow_argument(self, function: Callable[..., Any], argument: str) -> bool:
        """Follow what is written for an argument of a function's decorator; return whether that tells it all."""
        function = inspect.unwrap(function)
        tree = function_tree(function) if isinstance(function, FunctionType) else None
        calls = [node for node in getattr(tree, "decorator_list", ()) if isinstance(node, ast.Call)]
        found = [keyword.value for node in calls for keyword in node.keywords if keyword.arg == argument]
        home = getattr(function, "__globals__", {})
        if len(found) != 1 or any(name not in home for name, *_ in chains(found[0])):
            return False
        self._nodes(argument, (found[0],), home)
        while self._waiting:
            self._follow(*self._waiting.pop(0))
        return True

    def _follow(self, number: str, function: FunctionType, owners: Owners) -> None:
        """Note what one function does, and look at everything that it mentions."""
        reading, self._place = read(function, self.own), _place_of(function)
        self.parts.append(f"{number} {reading.text}")
        for value in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()):
            text = self._text(value)
            if text is None and not reading.tells_defaults:
                text = self._description("a default", value)
            self.parts.append(f"{number} default {text}")
        inner = dict(closure(function)) | imported_by(reading, function.__globals__, self.own)
        for chain in reading.chains:
            link = self._mention(chain, reading, function, owners, inner)
            if link:
                self.parts.append(f"{number} {'.'.join(chain)} = {link}")
        self._namespaces(number, reading.attributes)

    def _mention(
        self, chain: Chain, reading: Reading, function: FunctionType, owners: Owners, inner: Mapping[str, Any]
    ) -> str:
        (name, *attributes), home = chain, function.__globals__
        if name in owners:
            if not attributes:
                return self._class(owners[name], values=not issubclass(owners[name], Resource | Config))
            link = self._attribute(owners[name], attributes[0])
            return self._class(owners[name]) if link is None else link
        if name == "super" and attributes:
            links = [self._members(each, attributes[0], owner) for owner in owners.values() for each in owner.__mro__]
            return "+".join(filter(None, links))
        if name in inner:
            return self._chain(name, attributes, inner[name], {})
        if name in reading.outer and name in home:
            return self._chain(name, attributes, home[name], home)
        if name in _DYNAMIC:
            self._note(f"{name}()")
        return ""

    def _chain(self, name: str, attributes: list[str], value: Any, home: Mapping[str, Any]) -> str:
        if name in _FACTS:
            return ""
        while attributes and self.own.is_module(value):
            home, name = cast("dict[str, Any]", vars(value)), attributes.pop(0)
            value = home.get(name, _MISSING)
        if value is _MISSING:
            return ""
        if is_a(value, type) and attributes and self.own.has(value):
            link = self._attribute(value, attributes[0])
            return self._class(value) if link is None else link
        found = self._value(name, value, home)
        if isinstance(value, FunctionType) and attributes and attributes[0] in vars(value):
            found += f".{attributes[0]} {self._value(attributes[0], vars(value)[attributes[0]], {})}"
        return found

    def _value(self, name: str, value: Any, home: Mapping[str, Any]) -> str:
        """Look at a value that something mentions, and say what it is; it is a variable of the module `home`."""
        is_made = isinstance(value, pl.Expr) or (is_instance(value, self.own) and not isinstance(value, Enum))
        if not (is_made and home):
            text = self._text(value)
            if text is not None:
                return text
        module = self._origin(name, value, home)
        if module is not None and not self.own.is_module(module[0]):
            return f"{module[0].__name__}.{module[1]}"
        if module is not None:
            home, name = vars(module[0]), module[1]
        key = ("variable", home["__name__"], name) if "__name__" in home else ("value", id(value))
        if key in self._numbers:
            return self._numbers[key]
        number = self._number(key)
        if not self._written(number, name, value, home):
            text = self._text(value)
            self.parts.append(f"{number} {self._description(name, value) if text is None else text}")
        return number

    def _text(self, value: Any) -> str | None:
        try:
            return constant_text(value, self._held)
        except Exception:  # noqa: BLE001 - it holds itself, or its author's code raises; then it is no constant
            return None

    def _held(self, value: Any) -> str | None:
        """Say what a value is that is of the project or holds something of it; none: it is neither."""
        if isinstance(value, Asset):
            return self._held(cast("Asset[..., Any]", value).authored)
        if isinstance(value, Op):
            return self._function(value.function, value.signature.owners)
        if isinstance(value, Graph):
            return self._held(value.function)
        if isinstance(value, MethodType):
            owner: type = type(value.__self__)
            return f"{self._methods([value.__func__], owner)} of {self._text(value.__self__)}"
        if isinstance(value, FunctionType):
            return self._function(value, {})
        if is_a(value, functools.partial):
            text = self._text((value.func, value.args, value.keywords))
            return None if text is None else f"partial{text}"
        if isinstance(value, ModuleType):
            return self._module(value)
        if is_a(value, type):
            return self._class(value) if self.own.has(value) else None
        if is_instance(value, self.own):
            return self._instance(value)
        wrapped = wrapped_by(value)
        return None if wrapped is None else self._text(wrapped)

    def _instance(self, value: Any) -> str | None:
        link = self._class(value.__class__)
        if is_a(value, Enum):
            return f"{link}.{value.name}"
        state = self._text([*parts_of(value)])
        return None if state is None else f"{link}{state}"

    def _function(self, function: object, owners: Owners, *, is_start: bool = False) -> str:
        """Remember to follow a function, and those that its decorators wrap; a library's decorator is passed over."""
        links: list[str] = []
        while isinstance(function, FunctionType):
            wrapped = wrapped_by(function)
            if self.own.has(function) or (is_start and wrapped is None):
                links.append(self._add(function, owners))
            else:
                links.append(f"{(function.__module__ or '').partition('.')[0]}.{function.__qualname__}")
                links += self._inside([value for _, value in closure(function)])
            function = wrapped
        if function is not None:
            links.append(str(self._text(function)))
        return "+".join(links)

    def _add(self, function: FunctionType, owners: Owners) -> str:
        key = (function, *owners.items())
        if key not in self._numbers:
            self._waiting.append((self._number(key), function, owners))
        return self._numbers[key]

    def _inside(self, values: Iterable[Any], depth: int = 3) -> list[str]:
        """Look at what of the project lies in values of a library, however deep."""
        links: list[str] = []
        for value in values:
            if holds_own(value, self.own):
                text = self._text(value)
                links += self._inside(held_by(value), depth - 1) if text is None and depth else [str(text)]
        return links

    def _module(self, module: ModuleType) -> str:
        """Look at everything in a module that is handed around; of a library, the name."""
        if not self.own.is_module(module):
            return f"module {module.__name__}"
        if module not in self._numbers:
            number = self._number(module)
            for name, value in list(vars(module).items()):
                if not (name.startswith("__") or isinstance(value, ModuleType)):
                    self.parts.append(f"{number} {name} = {self._value(name, value, vars(module))}")
        return self._numbers[module]

    def _attribute(self, owner: type, name: str) -> str | None:
        """Look at what a class of the project has under a name; none: all of the class is to be looked at."""
        if is_model(owner):
            is_column = any(column.name == name for column in declare(owner).columns)
            return self._class(owner, values=False) if is_column else None
        for each in owner.__mro__:
            for spelling in (name, f"_{each.__name__.lstrip('_')}{name}"):
                if spelling in vars(each):
                    return self._members(each, spelling, owner)
        typed = [inspect.get_annotations(each).get(name) for each in owner.__mro__ if self.own.has(each)]
        return "+".join(self._class(each) for annotation in typed for each in classes_in(annotation, owner, self.own))

    def _members(self, each: type, name: str, owner: type) -> str | None:
        """Look at what one class has under a name, for instances of `owner`; none: nothing can be said of it."""
        if name not in vars(each):
            return ""
        if not self.own.has(each):
            return f"{each.__module__.partition('.')[0]}.{each.__qualname__}.{name}"
        value = vars(each)[name]
        if isinstance(value, staticmethod):
            return self._text(cast("staticmethod[..., Any]", value).__func__)
        functions = list(functions_of(value))
        return self._methods(functions, owner) if functions else self._text(value)

    def _methods(self, functions: Iterable[Any], owner: type) -> str:
        links = (
            self._function(each, dict.fromkeys(first_argument(each), owner))
            for each in functions
            if isinstance(each, FunctionType)
        )
        return "+".join(links)

    def _class(self, owner: type, *, values: bool = True) -> str:
        """Look at all of a class; for a resource, only at what it does, whatever the values of its fields."""
        key = (owner, values)
        if key not in self._numbers:
            number = self._number(key)
            if is_model(owner):
                self.parts += [f"{number} column {text}" for text in columns_of(owner)]
            for each in owner.__mro__:
                if self.own.has(each) and not (is_model(owner) and not values):
                    self._body(number, each, owner, values=values)
        return self._numbers[key]

    def _body(self, number: str, each: type, owner: type, *, values: bool) -> None:
        written = class_trees(each)
        trees = written if values else ()
        methods = {name for name, value in vars(each).items() if any(map(self.own.has, functions_of(value)))}
        for tree in trees:
            keeps = any(not self.own.has(base) and base is not object for base in each.__mro__)
            module = inspect.getmodule(each)
            home = {} if module is None else vars(module)
            mentioned = list(dict.fromkeys(class_chains(tree, keeps_annotations=keeps)))
            naming = Naming(paths_of((name for name, *_ in mentioned), home, self.own))
            text = spelled_class(tree, naming, elsewhere=frozenset(methods), keeps_annotations=keeps)
            self.parts.append(f"{number} {text}")
            self._links(number, mentioned, naming, home)
        for name, value in vars(each).items():
            if written and any(map(is_generated, functions_of(value))):
                continue
            if name in methods or not (trees or name.startswith("__")):
                self.parts.append(f"{number} {each.__qualname__}.{name} = {self._members(each, name, owner)}")

    def _origin(self, name: str, value: Any, home: Mapping[str, Any]) -> tuple[ModuleType, str] | None:
        """Follow imports of a variable to the module that it comes from, with its name there; none: it is of `home`."""
        origin: tuple[ModuleType, str] | None = None
        while (found := next(imports_of(name, value, home, self.own), None)) is not None:
            origin = found
            if not self.own.is_module(origin[0]):
                break
            home, name = vars(origin[0]), origin[1]
        return origin

    def _written(self, number: str, name: str, value: Any, home: Mapping[str, Any]) -> bool:
        """Look at what is assigned to a variable, and what else changes it; return whether anything is."""
        source = source_of(home)
        found = [] if source is None else [*source.written.get(name, ()), *source.defined.get(name, ())]
        if not found:
            return False
        for nodes in found:
            self._nodes(number, nodes, home)
        for module, nodes in touches(name, str(home.get("__name__")), self.own.modules()):
            self._nodes(number, nodes, vars(module))
        if not is_harmless(value, self.own):
            self._note(name, Place(str(home.get("__file__")), getattr(found[0][-1], "lineno", 1)))
        return True

    def _nodes(self, number: str, nodes: Nodes, home: Mapping[str, Any]) -> None:
        mentioned = list(dict.fromkeys(chain for node in nodes for chain in chains(node)))
        naming = Naming(paths_of((name for name, *_ in mentioned), home, self.own))
        self.parts.append(f"{number} {' '.join(spelled(node, naming) for node in nodes)}")
        self._links(number, mentioned, naming, home)
        self._namespaces(number, frozenset(name for node in nodes for name in attributes_in(node)))

    def _links(self, number: str, mentioned: Iterable[Chain], naming: Naming, home: Mapping[str, Any]) -> None:
        for name, *attributes in mentioned:
            if name in home and name not in naming.paths:
                link = self._chain(name, attributes, home[name], home)
                self.parts.append(f"{number} {'.'.join((name, *attributes))} = {link}")

    def _namespaces(self, number: str, attributes: frozenset[str]) -> None:
        for name, namespace in namespaces_in(attributes, self.own):
            self.parts.append(f"{number} {name} = {self._class(namespace)}")

    def _description(self, name: str, value: Any) -> str:
        """Say as much of a value as can be said, and note it if that is not all."""
        try:
            (text, is_all), parts = described(value, self._text), [value, *parts_of(value)]
        except Exception:  # noqa: BLE001 - its author's code raises, or it holds itself
            text, is_all, parts = f"a {type(value).__qualname__}", False, []
        if not is_all:
            self._note(name)
        return " ".join([text, *self._inside([] if is_all else parts)])

    def _note(self, name: str, where: Place | None = None) -> None:
        found = Unseen(name, where or self._place)
        if found not in self.unseen:
            self.unseen.append(found)

    def _number(self, key: object) -> str:
        return self._numbers.setdefault(key, f"#{len(self._numbers)}")


def columns_of(model: type) -> Iterator[str]:
    """Yield what the columns of a model do to data, by name."""
    declared = declare(model)
    for column in sorted((*declared.columns, *declared.pattern_columns), key=lambda column: column.name):
        cast_to = " cast" if column.coerce or declared.coerce else ""
        yield f"{column.name} {column.dtype}{cast_to}"


def _place_of(function: FunctionType) -> Place:
    return Place(function.__code__.co_filename, function.__code__.co_firstlineno)
