"""Source: the files of a project as syntax, each parsed once and indexed by what is looked up in it."""

from __future__ import annotations

import ast
import linecache
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType, FunctionType, ModuleType
from typing import Any, TypeAlias, cast
from weakref import WeakKeyDictionary

FunctionTree: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Nodes: TypeAlias = tuple[ast.AST, ...]
"""A statement, after the heads of the loops and conditions that it stands in."""

_SELF = ("self", "cls")


@dataclass(frozen=True, slots=True)
class Source:
    """One file."""

    functions: Mapping[tuple[str, int], Sequence[FunctionTree]]
    """By name and first line, decorators included."""
    classes: Mapping[str, Sequence[ast.ClassDef]]
    """By qualified name."""
    written: Mapping[str, Sequence[Nodes]]
    """By variable of the module: what is assigned to it."""
    defined: Mapping[str, Sequence[Nodes]]
    """By variable of the module: functions and classes."""
    touched: Mapping[str, Sequence[Nodes]]
    """By any name: what may change a part of a variable of that name, of this module or of another."""
    imports: Mapping[str, Sequence[tuple[str, str]]]
    """By variable of the module: the modules, with their leading dots, and the names there."""
    stars: Sequence[str]
    """The modules of which everything is imported."""
    mentions: frozenset[str]
    """Every part of a name that is imported anywhere in the file; a dot, if it is from the file's own package."""


def source_of(namespace: Mapping[str, Any], file: str | None = None) -> Source | None:
    """Return the source of a module's file, or of another one that its functions come from."""
    file = file or namespace.get("__file__")
    if file is None:
        return None
    linecache.checkcache(file)
    lines = linecache.getlines(file, cast("dict[str, Any]", namespace))
    known = _known.get(file)
    if known is None or known[0] is not lines:
        known = _known[file] = lines, _parsed("".join(lines))
    return known[1]


def forget_sources() -> None:
    """Let go of all files that were parsed; who needs one again parses it again.

    The syntax of a thousand assets takes 40 MB, and nobody needs it once their code versions are known.
    """
    _known.clear()
    _of_module.clear()
    _parsed.cache_clear()


def nodes_in(tree: ast.AST) -> list[ast.AST]:
    """Return a tree's nodes in the order of `ast.walk`, but for what says how a name is used; in half the time."""
    found = [tree]
    for node in found:
        found += _children(node)
    return found


def touches(name: str, home: str, modules: Iterable[ModuleType]) -> Iterator[tuple[ModuleType, Nodes]]:
    """Yield what may change a variable of a module in place, or replace it from another module.

    A module that imports nothing of that one has variables of the same name only by chance. It must not count: which
    of them are there depends on what else a process does.
    """
    for module in modules:
        if module not in _of_module:
            _of_module[module] = source_of(vars(module))
        source = _of_module[module]
        found = () if source is None else source.touched.get(name, ())
        if source is not None and found and (module.__name__ == home or _may_know(source, module, name, home)):
            for nodes in found:
                yield module, nodes


def _may_know(source: Source, module: ModuleType, name: str, home: str) -> bool:
    """Tell whether a module may have imported a variable of another one, or that module."""
    package, parts = home.partition(".")[0], {name, *home.split(".")}
    is_sibling = "." in source.mentions and module.__name__.partition(".")[0] == package
    return is_sibling or not parts.isdisjoint(source.mentions)


def function_tree(function: FunctionType) -> FunctionTree | None:
    """Return a function's tree, or none if there is no source or it does not tell which lambda of a line is meant."""
    code = function.__code__
    source = source_of(function.__globals__, code.co_filename)
    if source is None:
        return None
    found = source.functions.get((code.co_name, code.co_firstlineno), ())
    if len(found) > 1:
        found = [node for node in found if isinstance(node, ast.Lambda) and _span(node.body) == _hull(code)]
    return found[0] if len(found) == 1 else None


def class_trees(owner: type) -> Sequence[ast.ClassDef]:
    """Return the tree of a class; several, if the source does not tell which of a name is meant."""
    module = sys.modules.get(owner.__module__)
    source = None if module is None else source_of(vars(module))
    return () if source is None else source.classes.get(owner.__qualname__, ())


_known: dict[str, tuple[list[str], Source | None]] = {}
"""By file: its lines, as `linecache` keeps them until the file changes, and what they come to."""

_of_module: WeakKeyDictionary[ModuleType, Source | None] = WeakKeyDictionary()
"""The same by module, without a look at the file."""


@lru_cache(maxsize=16)
def _parsed(text: str) -> Source | None:
    try:
        tree = ast.parse(text) if text else None
    except SyntaxError:
        return None
    return None if tree is None else _Indexing().of(tree)


class _Indexing:
    def __init__(self) -> None:
        self._functions: dict[tuple[str, int], list[FunctionTree]] = {}
        self._classes: dict[str, list[ast.ClassDef]] = {}
        self._written: dict[str, list[Nodes]] = {}
        self._defined: dict[str, list[Nodes]] = {}
        self._touched: dict[str, list[Nodes]] = {}
        self._imports: dict[str, list[tuple[str, str]]] = {}
        self._stars: list[str] = []
        self._mentions: set[str] = set()

    def of(self, tree: ast.Module) -> Source:
        self._visit(tree, "")
        for statement, heads in _statements(tree.body, ()):
            self._statement(statement, heads)
        return Source(
            self._functions,
            self._classes,
            self._written,
            self._defined,
            self._touched,
            self._imports,
            self._stars,
            frozenset(self._mentions),
        )

    def _visit(self, node: ast.AST, prefix: str) -> None:
        """Note functions and classes, however deep."""
        for child in _children(node):
            inner = prefix
            match child:
                case ast.Lambda():
                    self._functions.setdefault(("<lambda>", child.lineno), []).append(child)
                    inner = f"{prefix}<lambda>.<locals>."
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    first = min((each.lineno for each in child.decorator_list), default=child.lineno)
                    self._functions.setdefault((name, min(first, child.lineno)), []).append(child)
                    inner = f"{prefix}{name}.<locals>."
                    self._function_touches(child)
                case ast.ClassDef(name=name):
                    self._classes.setdefault(f"{prefix}{name}", []).append(child)
                    inner = f"{prefix}{name}."
                case ast.Import(names=names):
                    self._mentions.update(part for each in names for part in each.name.split("."))
                case ast.ImportFrom(module=module, names=names, level=level):
                    self._mentions.update((module or "").split("."), (each.name for each in names))
                    self._mentions.update(["."] if level else [])
                case _:
                    pass
            self._visit(child, inner)

    def _function_touches(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        inside = nodes_in(function)
        shared = {name for node in inside if isinstance(node, ast.Global) for name in node.names}
        names = shared.union(*(_touches(node) for node in inside if isinstance(node, ast.stmt)))
        for name in names:
            self._touched.setdefault(name, []).append((function,))

    def _statement(self, statement: ast.stmt, heads: Nodes) -> None:
        match statement:
            case ast.ImportFrom(module=module, names=names, level=level):
                origin = "." * level + (module or "")
                for alias in names:
                    if alias.name == "*":
                        self._stars.append(origin)
                    self._imports.setdefault(alias.asname or alias.name, []).append((origin, alias.name))
                return
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                self._defined.setdefault(name, []).append((*heads, statement))
                return
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                self._written.setdefault(name, []).append((*heads, value))
            case ast.AnnAssign(target=ast.Name(id=name), value=value):
                if value is not None:
                    self._written.setdefault(name, []).append((*heads, value))
            case _:
                for name in _bound(statement):
                    self._written.setdefault(name, []).append((*heads, statement))
        for name in _touches(statement):
            self._touched.setdefault(name, []).append((*heads, statement))


def _statements(body: Iterable[ast.stmt], heads: Nodes) -> Iterator[tuple[ast.stmt, Nodes]]:
    """Yield simple statements, functions and classes, with the heads of what they stand in."""
    for statement in body:
        match statement:
            case ast.If(test=test, body=inner, orelse=other) | ast.While(test=test, body=inner, orelse=other):
                yield from _statements([*inner, *other], (*heads, test))
            case ast.For(target=target, iter=each, body=inner, orelse=other):
                yield ast.Assign(targets=[target], value=each), heads
                yield from _statements([*inner, *other], (*heads, target, each))
            case ast.With(items=items, body=inner):
                for item in items:
                    if item.optional_vars is not None:
                        yield ast.Assign(targets=[item.optional_vars], value=item.context_expr), heads
                yield from _statements(inner, (*heads, *items))
            case ast.Try(body=inner, handlers=handlers, orelse=other, finalbody=last):
                caught = [each for handler in handlers for each in handler.body]
                yield from _statements([*inner, *caught, *other, *last], heads)
            case ast.TryStar(body=inner, handlers=handlers, orelse=other, finalbody=last):
                caught = [each for handler in handlers for each in handler.body]
                yield from _statements([*inner, *caught, *other, *last], heads)
            case ast.Match(subject=subject, cases=cases):
                for case in cases:
                    yield from _statements(case.body, (*heads, subject, case.pattern))
            case _:
                yield statement, heads


def _children(node: ast.AST) -> list[ast.AST]:
    found: list[ast.AST] = []
    for name in node._fields:
        part: object = getattr(node, name, None)
        if isinstance(part, list):
            found += [each for each in cast("list[object]", part) if isinstance(each, ast.AST)]
        elif isinstance(part, ast.AST) and name != "ctx":
            found.append(part)
    return found


def _bound(statement: ast.stmt) -> set[str]:
    return {
        node.id for node in nodes_in(statement) if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
    }


def _touches(statement: ast.stmt) -> set[str]:
    """Return the names of the variables that a statement may change in place."""
    match statement:
        case ast.Assign(targets=targets) | ast.Delete(targets=targets):
            parts = [part for target in targets for part in _parts(target)]
        case ast.AugAssign(target=target) | ast.AnnAssign(target=target):
            parts = _parts(target)
        case ast.Expr(value=ast.Call(func=ast.Name(id="setattr"), args=[_, ast.Constant(value=str() as name), *_])):
            return {name}
        case ast.Expr(value=ast.Call(func=function, args=arguments)):
            receiver = [function.value] if isinstance(function, ast.Attribute) else []
            parts = [*receiver, *(each for each in arguments if isinstance(each, ast.Name | ast.Attribute))]
        case _:
            return set()
    return {name for part in parts for name in _identifiers(part)}


def _parts(target: ast.expr) -> list[ast.expr]:
    """Return what a target changes a part of; a plain name is replaced as a whole."""
    if isinstance(target, ast.Tuple | ast.List):
        return [part for each in target.elts for part in _parts(each)]
    return [target] if isinstance(target, ast.Attribute | ast.Subscript) else []


def _identifiers(node: ast.expr) -> set[str]:
    found: set[str] = set()
    while True:
        match node:
            case ast.Attribute(value=inner, attr=name):
                found.add(name)
            case ast.Subscript(value=inner) | ast.Starred(value=inner) | ast.Call(func=inner):
                pass
            case ast.Name(id=name):
                return set() if name in _SELF else found | {name}
            case _:
                return found
        node = inner


def _span(node: ast.expr) -> tuple[tuple[int, int], tuple[int, int]]:
    return (node.lineno, node.col_offset), (node.end_lineno or node.lineno, node.end_col_offset or 0)


def _hull(code: CodeType) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Return where the instructions of a lambda begin and end in the source: the span of its body."""
    starts: list[tuple[int, int]] = []
    ends: list[tuple[int, int]] = []
    for line, end_line, column, end_column in code.co_positions():
        if line is None or end_line is None or column is None or end_column is None:
            continue
        if (line, column) != (end_line, end_column):  # the first instruction stands nowhere
            starts.append((line, column))
            ends.append((end_line, end_column))
    return (min(starts), max(ends)) if starts else None
