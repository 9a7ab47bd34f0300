"""ExampleText: texts that match a regular expression."""

from __future__ import annotations

import importlib
import string
from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Any

_parser: Any = importlib.import_module("re._parser")
"""How `re` reads expressions; it has no public door."""

MORE = 4
"""How often something is repeated at most beyond what an expression asks for."""

_ALPHABET = string.ascii_letters + string.digits + " _-.,"
_CATEGORIES: dict[str, Callable[[str], bool]] = {
    "CATEGORY_DIGIT": str.isdigit,
    "CATEGORY_NOT_DIGIT": lambda each: not each.isdigit(),
    "CATEGORY_SPACE": str.isspace,
    "CATEGORY_NOT_SPACE": lambda each: not each.isspace(),
    "CATEGORY_WORD": lambda each: each.isalnum() or each == "_",
    "CATEGORY_NOT_WORD": lambda each: not (each.isalnum() or each == "_"),
}


def matching_text(pattern: str, random: Random | None) -> str | None:
    """Return a text that a pattern may match, the plainest without `random`; none for what only a search could find.

    What it returns is a guess: it is for whoever asked to see whether it matches.
    """
    try:
        return _of(_parser.parse(pattern), random)
    except (ValueError, LookupError):
        return None


def _of(parts: Iterable[tuple[Any, Any]], random: Random | None) -> str:
    """Return a text for parts of an expression, one after the other.

    Raises:
        LookupError: a part looks around or back.
    """
    return "".join(_part(str(kind), value, random) for kind, value in parts)


def _part(kind: str, value: Any, random: Random | None) -> str:
    match kind:
        case "LITERAL":
            return chr(value)
        case "ANY":
            return _one(_ALPHABET, random)
        case "NOT_LITERAL":
            return _one([each for each in _ALPHABET if each != chr(value)], random)
        case "IN":
            return _one(_members(value), random)
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            least, most, inner = value
            times = least if random is None else random.randint(least, min(int(most), least + MORE))
            return "".join(_of(inner, random) for _ in range(times))
        case "SUBPATTERN":
            return _of(value[3], random)
        case "ATOMIC_GROUP":
            return _of(value, random)
        case "BRANCH":
            branches = value[1]
            return _of(branches[0] if random is None else random.choice(branches), random)
        case "AT":
            return ""
        case _:
            raise LookupError(kind)


def _members(parts: Sequence[tuple[Any, Any]]) -> list[str]:
    """Return the characters of a set, as far as they are in the alphabet or named one by one."""
    negated = str(parts[0][0]) == "NEGATE"
    found: dict[str, None] = {}
    for kind, value in parts[1:] if negated else parts:
        match str(kind):
            case "LITERAL":
                found[chr(value)] = None
            case "RANGE":
                found |= {chr(code): None for code in range(value[0], min(value[1], value[0] + 255) + 1)}
            case _:
                found |= {each: None for each in _ALPHABET if _CATEGORIES[str(value)](each)}
    return [each for each in _ALPHABET if each not in found] if negated else list(found)


def _one(characters: Sequence[str], random: Random | None) -> str:
    return characters[0] if random is None else random.choice(characters)
