"""Code version: the hash of what an asset's function does, not of how it is typed.

Two functions that differ in comments, docstrings, annotations or layout have the same version. What counts: the
function's syntax tree and those of the project's functions and resource methods that it calls, the constants and
defaults that it reads, its inputs and mappings, its partitions and the dtypes of its columns.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import sysconfig
import textwrap
from collections.abc import Callable, Iterator, Mapping
from types import FunctionType, ModuleType
from typing import Any

from deltaworks.engine.definitions.asset import Asset
from deltaworks.engine.definitions.mappings import PartitionMapping
from deltaworks.validation import declare

SCHEME = "1"
"""Names what the hash is made of; versions of different schemes are never the same."""

_LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
_UNTYPED = {ast.FunctionDef: "returns", ast.AsyncFunctionDef: "returns", ast.arg: "annotation"}


def code_version(asset: Asset[..., Any], mappings: Mapping[str, PartitionMapping]) -> str:
    """Return the code version of an asset, as `scheme:hash`; `override:...` where the author sets one.

    Args:
        asset: the asset.
        mappings: the mapping of each argument that is an upstream asset.
    """
    if asset.code_version is not None:
        return f"override:{asset.code_version}"
    parts = [
        *_function_parts(asset.function),
        *(
            f"input {upstream.argument} {upstream.key} {mappings[upstream.argument]!r}"
            for upstream in asset.signature.upstreams
        ),
        f"partitions {asset.partitions.scheme} by {asset.partition_by}",
    ]
    if asset.model is not None:
        parts += [f"column {column.name} {column.dtype}" for column in declare(asset.model).columns]
    for argument, resource in asset.signature.resources.items():
        for method in _methods_called(asset.function, argument, resource):
            parts += _function_parts(method)
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return f"{SCHEME}:{digest[:16]}"


def _function_parts(function: Callable[..., Any]) -> list[str]:
    """Return what a function and all project functions that it reaches do, one text each, in order of first mention."""
    parts: list[str] = []
    waiting: list[Callable[..., Any]] = [function]
    seen: set[int] = set()
    while waiting:
        current = inspect.unwrap(waiting.pop(0))
        if id(current) in seen:
            continue
        seen.add(id(current))
        tree = _tree(current)
        if tree is None:
            parts.append(f"bytecode {current.__code__.co_code.hex()} {current.__code__.co_consts!r}")
            continue
        parts.append(_spelled(tree))
        parts += [f"default {value!r}" for value in _defaults(current) if _is_constant(value)]
        for name, value in _mentioned(current, tree):
            if isinstance(value, FunctionType) and _is_project(value):
                waiting.append(value)
            elif _is_constant(value):
                parts.append(f"constant {name} = {_constant_text(value)}")
    return parts


def _tree(function: Callable[..., Any]) -> ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | None:
    try:
        module = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return None
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            return node
    return None


def _spelled(node: object) -> str:
    """Spell a syntax tree without positions, decorators, docstrings, annotations and empty fields.

    `ast.dump` would do, but it changes between Python versions.
    """
    if isinstance(node, list):
        return "[" + ",".join(_spelled(item) for item in node) + "]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields: list[str] = []
    for name, value in ast.iter_fields(node):
        if value is None or value == [] or name in ("ctx", "decorator_list", "type_comment", "type_params", "kind"):
            continue
        if _UNTYPED.get(type(node)) == name:
            continue
        if name == "body" and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            value = _without_docstring(value)
        fields.append(f"{name}={_spelled(value)}")
    return f"{type(node).__name__}({','.join(fields)})"


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    first = body[0]
    is_docstring = (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )
    return body[1:] if is_docstring else body


def _mentioned(function: Callable[..., Any], tree: ast.AST) -> Iterator[tuple[str, Any]]:
    """Yield the outer values that a function names, once each: globals, closure, and attributes of project modules."""
    scope = dict(function.__globals__)
    scope.update(inspect.getclosurevars(function).nonlocals)
    seen: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in scope and node.id not in seen:
            seen.add(node.id)
            yield node.id, scope[node.id]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module, name = scope.get(node.value.id), f"{node.value.id}.{node.attr}"
            if isinstance(module, ModuleType) and _is_project(module) and name not in seen:
                seen.add(name)
                yield name, getattr(module, node.attr, None)


def _methods_called(function: Callable[..., Any], argument: str, resource: type) -> Iterator[Callable[..., Any]]:
    tree = _tree(function)
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == argument:
            method = inspect.getattr_static(resource, node.attr, None)
            if isinstance(method, FunctionType) and _is_project(method):
                yield method


def _defaults(function: Callable[..., Any]) -> list[Any]:
    return [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]


def _is_project(value: FunctionType | ModuleType) -> bool:
    file = value.__code__.co_filename if isinstance(value, FunctionType) else getattr(value, "__file__", None)
    name = value.__module__ if isinstance(value, FunctionType) else value.__name__
    if file is None or name == "deltaworks" or name.startswith("deltaworks."):
        return False
    return not file.startswith(_LIBRARIES)


def _is_constant(value: object) -> bool:
    if isinstance(value, tuple | list | set | frozenset):
        return all(_is_constant(item) for item in value)
    if isinstance(value, dict):
        return all(_is_constant(key) and _is_constant(item) for key, item in value.items())
    return (
        value is None
        or isinstance(value, bool | int | float | complex | str | bytes)
        or type(value).__module__
        in (
            "datetime",
            "decimal",
        )
    )


def _constant_text(value: object) -> str:
    if isinstance(value, set | frozenset):
        return "{" + ",".join(sorted(map(repr, value))) + "}"
    return repr(value)
