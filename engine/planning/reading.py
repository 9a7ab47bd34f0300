"""Reading: what one function says by itself, and the names that lead on from there."""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import FunctionType, ModuleType
from typing import Any

import polars as pl

from deltaworks.engine.planning.bytecode import code_chains, code_text, global_names, variable_names
from deltaworks.engine.planning.constants import constant_text
from deltaworks.engine.planning.own import Own
from deltaworks.engine.planning.source_code import FunctionTree, function_tree, source_of
from deltaworks.engine.planning.syntax import (
    Chain,
    attributes_in,
    chains,
    function_chains,
    imports_in,
    naming_of,
    path_of,
    spelled,
)

_TRANSPARENT = ("deltaworks.", "pandera.", "typing.", "typing_extensions.", "abc.", "functools.")
"""Where decorators are from that change nothing of what a function returns."""

_MISSING = object()


@dataclass(frozen=True, slots=True)
class Reading:
    """What a function says."""

    text: str
    chains: tuple[Chain, ...]
    attributes: frozenset[str]
    imports: tuple[tuple[str, str, str | None], ...]
    """What it imports when it is called: the local name, the module, and the name there if it has one."""
    outer: frozenset[str]
    """The names that it looks up in its module."""
    tells_defaults: bool
    """Whether its default values can be told from the text, but for constants."""


@lru_cache(maxsize=8192)
def read(function: FunctionType, own: Own) -> Reading:
    """Read a function. The answer is kept."""
    tree, code = function_tree(function), function.__code__
    outer = global_names(code)
    if tree is None:
        found = tuple(dict.fromkeys(code_chains(code)))
        return Reading(code_text(code, constant_text), found, frozenset(), (), frozenset(outer), tells_defaults=False)
    around = [*getattr(tree, "decorator_list", ()), *tree.args.defaults, *filter(None, tree.args.kw_defaults)]
    around_names = {name for node in around for name, *_ in chains(node)}
    home = function.__globals__
    paths = paths_of((outer | around_names) - variable_names(code), home, own)
    naming = naming_of(tree, code, paths)
    decorators = [node for node in _decorators(tree) if _counts(path_of(_callee(node), naming))]
    text = " ".join([spelled(tree, naming, bare=True), *(spelled(node, naming) for node in decorators)])
    mentioned = dict.fromkeys((*function_chains(tree), *(chain for node in decorators for chain in chains(node))))
    defaults = {name for node in around[len(_decorators(tree)) :] for name, *_ in chains(node)}
    return Reading(
        text,
        tuple(chain for chain in mentioned if chain[0] not in paths),
        frozenset(attributes_in(tree)),
        tuple(imports_in(tree)),
        frozenset(outer | around_names),
        tells_defaults=all(name in home or hasattr(builtins, name) for name in defaults),
    )


def paths_of(names: Iterable[str], home: Mapping[str, Any], own: Own) -> dict[str, str]:
    """Return where those of a module's variables come from that it imports from libraries."""
    paths: dict[str, str] = {}
    for name in names:
        value = home.get(name, _MISSING)
        if isinstance(value, ModuleType):
            if not own.is_module(value):
                paths[name] = value.__name__
        elif value is not _MISSING:
            found = next(imports_of(name, value, home, own), None)
            if found is not None and not own.is_module(found[0]):
                paths[name] = f"{found[0].__name__}.{found[1]}"
    return paths


def imports_of(name: str, value: object, home: Mapping[str, Any], own: Own) -> Iterator[tuple[ModuleType, str]]:
    """Yield the modules that a module imports a variable from and that have just this value, with its name there."""
    source = source_of(home)
    if source is None or name in source.written:
        return
    for origin, original in (*source.imports.get(name, ()), *((star, name) for star in source.stars)):
        module = own.imported(origin, home)
        if module is not None and vars(module).get(original, _MISSING) is value:
            yield module, original


def imported_by(reading: Reading, home: Mapping[str, Any], own: Own) -> dict[str, Any]:
    """Return the local names of what a function imports when it is called."""
    found: dict[str, Any] = {}
    for name, origin, original in reading.imports:
        module = own.imported(origin, home)
        if original is not None:
            value = getattr(module, original, _MISSING)
            submodule = f"{origin}{'' if origin.endswith('.') else '.'}{original}"
            found[name] = own.imported(submodule, home) if value is _MISSING else value
        elif module is not None:
            is_top = "." in origin and name == origin.partition(".")[0]
            found[name] = sys.modules[name] if is_top else module
    return found


def namespaces_in(attributes: frozenset[str], own: Own) -> Iterator[tuple[str, type]]:
    """Yield the project's classes that are registered as namespaces of Polars' own and used by these attributes."""
    for kind in (pl.Expr, pl.LazyFrame, pl.DataFrame, pl.Series):
        for name in sorted(attributes & vars(kind).keys()):
            namespace = getattr(vars(kind)[name], "_ns", None)
            if isinstance(namespace, type) and own.has(namespace):
                yield f"{kind.__name__}.{name}", namespace


def _decorators(tree: FunctionTree) -> list[ast.expr]:
    return [] if isinstance(tree, ast.Lambda) else tree.decorator_list


def _callee(decorator: ast.expr) -> ast.expr:
    return decorator.func if isinstance(decorator, ast.Call) else decorator


def _counts(path: str | None) -> bool:
    """Tell whether a decorator is a library's that may change results. The project's own are seen by what they made."""
    return path is not None and not path.startswith(_TRANSPARENT)
