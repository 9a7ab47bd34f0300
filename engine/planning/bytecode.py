"""Bytecode: what stands for a function whose source is not known, such as one that was typed into a session."""

from __future__ import annotations

import dis
import inspect
import sys
from collections.abc import Callable, Iterator
from types import CodeType

_LOADS = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF", "LOAD_FAST")
_ATTRIBUTES = ("LOAD_ATTR", "LOAD_METHOD")


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
    arguments = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return f"code({code.co_code.hex()} {code.co_exceptiontable.hex()} {code.co_names} {arguments} {constants})"


def global_names(code: CodeType) -> set[str]:
    """Return the names that a function, or anything nested in it, looks up in its module."""
    found = {each.argval for each in dis.get_instructions(code) if each.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    return found.union(*(global_names(inner) for inner in code.co_consts if isinstance(inner, CodeType)))


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


def _docstrings(code: CodeType) -> int:
    """Return how many constants are docstrings: before Python 3.14 the first of a `def`, None if it has none."""
    if sys.version_info >= (3, 14):
        return int(bool(code.co_flags & inspect.CO_HAS_DOCSTRING))
    first = code.co_consts[0] if code.co_consts else 0
    return int(not code.co_name.startswith("<") and (first is None or isinstance(first, str)))
