"""Syntax: the spelling of a tree, in which typing it differently is no change, and the names that it mentions.

Comments, layout, docstrings, annotations, the names of local variables and the style of library imports leave no trace
in the spelling.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import CodeType
from typing import Any, TypeAlias, cast

from deltaworks.engine.planning.bytecode import local_names
from deltaworks.engine.planning.source_code import FunctionTree, nodes_in

Chain: TypeAlias = tuple[str, ...]
"""A name and the attributes that are taken from it: `a.b.c` is (a, b, c)."""

_SILENT = frozenset({"ctx", "type_comment", "type_params", "kind", "annotation", "returns"})
_HAVE_DOCSTRING = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_NAMED_FIELDS = frozenset({"id", "name", "rest"})
"""Where a tree names a variable."""
_READS_NAMES = frozenset(
    "currentframe dir eval exec execute f_locals globals locals query _getframe sql stack vars SQLContext".split()  # noqa: SIM905
)
"""What may look up a local variable by its name, here or in the frame of its caller; `sql` finds frames so."""


@dataclass(frozen=True, slots=True)
class Naming:
    """What names in a tree stand for."""

    paths: Mapping[str, str] = field(default_factory=dict[str, str])
    """Of global names that are a library's: its module, or its module and the name there."""
    local: frozenset[str] = frozenset()
    """Names that are variables of the function alone, whatever they are called."""


def naming_of(tree: FunctionTree, code: CodeType, paths: Mapping[str, str]) -> Naming:
    """Return what the names in a function stand for; local names are found out, if nothing looks them up by name."""
    kept: set[str] = set()
    for node in _nodes(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) if name in _READS_NAMES:
                return Naming(paths)
            case ast.alias(name=name, asname=other):
                kept |= {other or name.partition(".")[0]}
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                kept.add(name)
            case ast.JoinedStr(values=values):  # f"{x=}" has the text "x=" in it
                texts = (each.value for each in values if isinstance(each, ast.Constant))
                kept.update(*(re.findall(r"\w+", str(text)) for text in texts if str(text).rstrip().endswith("=")))
            case _:
                pass
    return Naming(paths, frozenset(local_names(code) - kept))


def spelled(node: ast.AST, naming: Naming | None = None, *, bare: bool = False) -> str:
    """Spell a tree. `ast.dump` would do, but it changes between Python versions.

    Args:
        node: the tree.
        naming: what its names stand for.
        bare: leave out the tree's own decorators.
    """
    return _Speller(naming or Naming()).spell(node, bare=bare)


def spelled_class(tree: ast.ClassDef, naming: Naming, *, elsewhere: frozenset[str], keeps_annotations: bool) -> str:
    """Spell a class without the bodies of the methods that are looked at `elsewhere`, each by itself."""
    return _Speller(naming, elsewhere, keeps_annotations=keeps_annotations).spell(tree)


class _Speller:
    def __init__(
        self, naming: Naming, elsewhere: frozenset[str] = frozenset(), *, keeps_annotations: bool = True
    ) -> None:
        self._naming, self._elsewhere, self._keeps_annotations = naming, elsewhere, keeps_annotations
        self._numbers: dict[str, int] = {}

    def spell(self, node: object, *, bare: bool = False, in_class: bool = False) -> str:
        path = path_of(node, self._naming)
        if path is not None:
            return f"Path({path!r})"
        if isinstance(node, ast.AnnAssign):
            return self._annotated(node, in_class)
        if not isinstance(node, ast.AST):
            return repr(node)
        is_elsewhere = in_class and getattr(node, "name", None) in self._elsewhere
        fields: list[str] = []
        for name, value in ast.iter_fields(node):
            if value is None or name in _SILENT or (bare and name == "decorator_list"):
                continue
            if is_elsewhere and name in ("body", "args"):
                continue
            text = self._field(node, name, value)
            if text:
                fields.append(f"{name}={text}")
        return f"{type(node).__name__}({','.join(fields)})"

    def _field(self, node: ast.AST, name: str, value: Any) -> str:
        if not isinstance(value, list):
            is_variable = name in _NAMED_FIELDS and isinstance(value, str)
            return repr(self._named(value)) if is_variable else self.spell(value)
        items = cast("list[object]", value)
        if isinstance(node, ast.Global | ast.Nonlocal):
            return ",".join(self._named(str(each)) for each in items)
        if name == "body" and isinstance(node, _HAVE_DOCSTRING):
            items = _without_docstring(items)
        in_class = name == "body" and isinstance(node, ast.ClassDef)
        texts = [self.spell(item, in_class=in_class) for item in items]
        return f"[{','.join(filter(None, texts))}]" if any(texts) else ""

    def _annotated(self, node: ast.AnnAssign, in_class: bool) -> str:
        if not in_class:
            return "" if node.value is None else self.spell(ast.Assign(targets=[node.target], value=node.value))
        parts = [
            node.target,
            *([node.annotation] if self._keeps_annotations else []),
            *([node.value] * bool(node.value)),
        ]
        return f"Field({','.join(map(self.spell, parts))})"

    def _named(self, name: str) -> str:
        if name not in self._naming.local:
            return name
        return f"~{self._numbers.setdefault(name, len(self._numbers))}"


def path_of(node: object, naming: Naming) -> str | None:
    """Return where an expression comes from that is a name of a library, or attributes of one."""
    attributes: list[str] = []
    while isinstance(node, ast.Attribute):
        attributes.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or node.id not in naming.paths:
        return None
    return ".".join((naming.paths[node.id], *reversed(attributes)))


def chains(node: ast.AST) -> Iterator[Chain]:
    """Yield the names that a tree mentions, each with the attributes that are taken from it.

    What is taken from `super()` is a chain, too.
    """
    attributes: list[str] = []
    inner = node
    while isinstance(inner, ast.Attribute):
        attributes.append(inner.attr)
        inner = inner.value
    if isinstance(inner, ast.Name):
        yield (inner.id, *reversed(attributes))
        return
    if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name) and inner.func.id == "super" and attributes:
        yield ("super", attributes[-1])
    for name, value in ast.iter_fields(inner):
        if name in _SILENT:
            continue
        for child in cast("list[object]", value) if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from chains(child)


def function_chains(tree: FunctionTree) -> Iterator[Chain]:
    """Yield the names that a function's body and its default values mention."""
    for node in [tree.body] if isinstance(tree, ast.Lambda) else tree.body:
        yield from chains(node)
    for default in (*tree.args.defaults, *tree.args.kw_defaults):
        if default is not None:
            yield from chains(default)


def class_chains(tree: ast.ClassDef, *, keeps_annotations: bool) -> Iterator[Chain]:
    """Yield the names that a class mentions beside its bases and in its methods' bodies."""
    for decorator in tree.decorator_list:
        yield from chains(decorator)
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in statement.decorator_list:
                yield from chains(decorator)
        else:
            yield from chains(statement)
            if keeps_annotations and isinstance(statement, ast.AnnAssign):
                yield from chains(statement.annotation)


def imports_in(tree: FunctionTree) -> Iterator[tuple[str, str, str | None]]:
    """Yield what a function imports when it is called: the local name, the module, and the name there if it has one."""
    for node in _nodes(tree):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name, "." * node.level + (node.module or ""), alias.name
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0], alias.name, None


def attributes_in(tree: ast.AST) -> set[str]:
    """Return the names of all attributes that a tree takes from anything."""
    return {node.attr for node in _nodes(tree) if isinstance(node, ast.Attribute)}


@lru_cache(maxsize=64)
def _nodes(tree: ast.AST) -> tuple[ast.AST, ...]:
    """Return a tree's nodes once for all who look through them in turn."""
    return tuple(nodes_in(tree))


def _without_docstring(body: list[object]) -> list[object]:
    first = body[0]
    is_docstring = (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )
    return body[1:] if is_docstring else body
