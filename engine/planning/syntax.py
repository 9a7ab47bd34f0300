"""Syntax: the tree of a function or a module's variable, and its spelling, in which typing it differently is no change.

Comments, layout, docstrings, annotations and a function's own decorators leave no trace in the spelling.
"""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import CodeType, FunctionType
from typing import Any, TypeAlias, cast

FunctionTree: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda

_SILENT = frozenset({"ctx", "type_comment", "type_params", "kind", "annotation", "returns"})
_HAVE_DOCSTRING = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def function_tree(function: FunctionType) -> FunctionTree | None:
    """Return a function's tree, or none if there is no source or it does not tell which lambda of a line is meant."""
    code = function.__code__
    module = _module_tree(code.co_filename, function.__globals__)
    if module is None:
        return None
    found = [node for node in ast.walk(module) if _may_be(node, code)]
    if len(found) > 1:
        found = [node for node in found if isinstance(node, ast.Lambda) and _span(node.body) == _hull(code)]
    return found[0] if len(found) == 1 and isinstance(found[0], FunctionTree) else None


def assigned(namespace: Mapping[str, Any], name: str) -> list[ast.expr]:
    """Return what is assigned to a module's variable, in the order of the source."""
    module = _module_tree(namespace.get("__file__"), namespace)
    return [] if module is None else list(_assigned(module.body, name))


def import_of(namespace: Mapping[str, Any], name: str) -> tuple[str, str] | None:
    """Return the module, with its leading dots, and the name that a module imports a variable from."""
    module = _module_tree(namespace.get("__file__"), namespace)
    for node in ast.walk(module) if module is not None else ():
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if name == (alias.asname or alias.name):
                    return "." * node.level + (node.module or ""), alias.name
    return None


def chains(node: ast.AST) -> Iterator[tuple[str, ...]]:
    """Yield the names that a tree mentions, each with the attributes that are taken from it: `a.b.c` is (a, b, c)."""
    attributes: list[str] = []
    inner = node
    while isinstance(inner, ast.Attribute):
        attributes.append(inner.attr)
        inner = inner.value
    if isinstance(inner, ast.Name):
        yield (inner.id, *reversed(attributes))
        return
    for field, value in ast.iter_fields(inner):
        if field in _SILENT:
            continue
        for child in cast(list[object], value) if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from chains(child)


def function_chains(tree: FunctionTree) -> Iterator[tuple[str, ...]]:
    """Yield the names that a function's body mentions."""
    for statement in [tree.body] if isinstance(tree, ast.Lambda) else tree.body:
        yield from chains(statement)


def spelled(node: object, *, is_root: bool = True) -> str:
    """Spell a tree. `ast.dump` would do, but it changes between Python versions."""
    if isinstance(node, ast.AnnAssign):
        if node.value is None:
            return ""
        node = ast.Assign(targets=[node.target], value=node.value)
    if not isinstance(node, ast.AST):
        return repr(node)
    fields: list[str] = []
    for name, value in ast.iter_fields(node):
        if value is None or name in _SILENT or (is_root and name == "decorator_list"):
            continue
        if not isinstance(value, list):
            fields.append(f"{name}={spelled(value, is_root=False)}")
            continue
        items = cast(list[object], value)
        if name == "body" and isinstance(node, _HAVE_DOCSTRING):
            items = _without_docstring(items)
        texts = [spelled(item, is_root=False) for item in items]
        if any(texts):
            fields.append(f"{name}=[{','.join(filter(None, texts))}]")
    return f"{type(node).__name__}({','.join(fields)})"


def _without_docstring(body: list[object]) -> list[object]:
    first = body[0]
    is_docstring = (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )
    return body[1:] if is_docstring else body


def _module_tree(file: str | None, namespace: Mapping[str, Any]) -> ast.Module | None:
    if file is None:
        return None
    linecache.checkcache(file)
    return _parsed("".join(linecache.getlines(file, cast(dict[str, Any], namespace))))


@lru_cache(maxsize=64)
def _parsed(source: str) -> ast.Module | None:
    try:
        return ast.parse(source) if source else None
    except SyntaxError:
        return None


def _assigned(body: list[ast.stmt], name: str) -> Iterator[ast.expr]:
    for statement in body:
        match statement:
            case ast.Assign(targets=targets, value=value) if any(_binds(target, name) for target in targets):
                yield value
            case ast.AnnAssign(target=target, value=ast.expr() as value) if _binds(target, name):
                yield value
            case ast.AugAssign(target=target, value=value) if _binds(target, name):
                yield value
            case ast.If(body=inner, orelse=other) | ast.For(body=inner, orelse=other):
                yield from _assigned([*inner, *other], name)
            case ast.Try(body=inner, handlers=handlers, orelse=other, finalbody=last):
                caught = [each for handler in handlers for each in handler.body]
                yield from _assigned([*inner, *caught, *other, *last], name)
            case ast.With(body=inner):
                yield from _assigned(inner, name)
            case _:
                pass


def _binds(target: ast.expr, name: str) -> bool:
    return any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(target))


def _may_be(node: ast.AST, code: CodeType) -> bool:
    if isinstance(node, ast.Lambda):
        return code.co_name == "<lambda>" and node.lineno == code.co_firstlineno
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or node.name != code.co_name:
        return False
    return code.co_firstlineno == min(
        node.lineno, *(decorator.lineno for decorator in node.decorator_list), node.lineno
    )


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
