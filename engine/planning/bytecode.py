"""Bytecode: what Python itself knows of a function's names, and what stands for one whose source is not known."""

from __future__ import annotations

import dis
import inspect
import sys
from collections.abc import Callable, Iterator
from functools import lru_cache
from types import CodeType

_LOADS = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF", "LOAD_FAST")
_ATTRIBUTES = ("LOAD_ATTR", "LOAD_METHOD")
_GLOBALS = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
_NOT_LOCAL = _GLOBALS | {"STORE_GLOBAL", "DELETE_GLOBAL", "STORE_NAME", "DELETE_NAME", "LOAD_FROM_DICT_OR_DEREF"}


def code_text(code: CodeType, constant_text: Callable[[object], str | None]) -> str:
    """Spell a code object and those inside it. The same code has the same text in every process of one Python version.

    Args:
        code: the code of a function or of anything nested in one.
        constant_text: spells constants; sets must not depend on their order.
    """
    constants = [
        code_text(value, constant_text) if isinstance(value, CodeType) else constant_text(value)
        for value in code.co_consts[_docstrings(code) :]
    ]
    names = f"{code.co_names} {_arguments(code)} {code.co_freevars} {constants}"
    return f"code({code.co_code.hex()} {code.co_exceptiontable.hex()} {names})"


def global_names(code: CodeType) -> set[str]:
    """Return the names that a function, or anything nested in it, looks up in its module."""
    return {each.argval for inner in _codes(code) for each in _instructions(inner) if each.opname in _GLOBALS}


def local_names(code: CodeType) -> set[str]:
    """Return the names that are nothing but variables of a function and of those nested in it.

    A name is left out if it is an argument of any of them, which callers may name, an attribute of a class, or a
    variable of the module or of an outer function anywhere in them.
    """
    inside = list(_codes(code))
    found = {name for each in inside for name in (*each.co_varnames, *each.co_cellvars)}
    arguments = {name for each in inside for name in _arguments(each)}
    elsewhere = {
        instruction.argval for each in inside for instruction in _instructions(each) if instruction.opname in _NOT_LOCAL
    }
    return found - arguments - elsewhere - set(code.co_freevars)


@lru_cache(maxsize=64)
def _instructions(code: CodeType) -> tuple[dis.Instruction, ...]:
    """Return them once for all who ask in turn: to read them twice was a fifth of the cost of a code version."""
    return tuple(dis.get_instructions(code))


def variable_names(code: CodeType) -> set[str]:
    """Return the names that are a variable or an argument of a function, of an outer or of a nested one."""
    return {name for each in _codes(code) for name in (*each.co_varnames, *each.co_cellvars, *each.co_freevars)}


def code_chains(code: CodeType) -> Iterator[tuple[str, ...]]:
    """Yield the names that a code object mentions, each with the attributes that are taken from it."""
    chain: tuple[str, ...] = ()
    for each in dis.get_instructions(code):
        if chain and each.opname.startswith(_ATTRIBUTES):
            chain = (*chain, each.argval)
            continue
        if chain:
            yield chain
        chain = (each.argval,) if each.opname.startswith(_LOADS) and isinstance(each.argval, str) else ()
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from code_chains(inner)


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _codes(inner)


def _arguments(code: CodeType) -> tuple[str, ...]:
    stars = bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + stars]


def _docstrings(code: CodeType) -> int:
    """Return how many constants are docstrings: before Python 3.14 the first of a `def`, None if it has none."""
    if sys.version_info >= (3, 14):
        return int(bool(code.co_flags & inspect.CO_HAS_DOCSTRING))
    first = code.co_consts[0] if code.co_consts else 0
    return int(not code.co_name.startswith("<") and (first is None or isinstance(first, str)))
