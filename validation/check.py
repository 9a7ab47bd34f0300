"""Check: a pandera check with the name that people read and what its author wants to follow from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import pandera.polars as pa

from deltaworks.validation.on_fail import OnFail, Reaction
from deltaworks.validation.printable import printable, printable_items

_FIELD_WORDS = {
    "equal_to": "eq",
    "not_equal_to": "ne",
    "greater_than": "gt",
    "greater_than_or_equal_to": "ge",
    "less_than": "lt",
    "less_than_or_equal_to": "le",
}
"""Check names that ``pa.Field`` spells in another way."""

_FEW = 8
"""Up to so many texts, comparing with each is cheaper than looking up a set of them: 5 take less than half the time."""


@dataclass(frozen=True, slots=True, eq=False)
class DeclaredCheck:
    """One check of a model."""

    label: str
    """Its author's error text or name, else the rule with its bounds, e.g. ``ge(-120)``."""
    names: tuple[str, ...]
    """What ``on_fail`` may call it."""
    reaction: Reaction
    builtin: bool
    """Pandera's own, hence the same expression whenever its function is called."""
    meaning: str
    """What it asks, whatever its author calls it: a builtin's name and bounds, else the name of a function."""
    check: pa.Check

    def few_texts(self) -> tuple[str, ...]:
        """Return the texts that it allows, if it is pandera's ``isin`` of a few texts; else none."""
        if self.check.registry_name != "isin" or not self.builtin:
            return ()
        allowed = _statistics(self.check)["allowed_values"]
        if not isinstance(allowed, list | tuple | set | frozenset):
            return ()
        values = tuple(cast(Iterable[object], allowed))
        texts = tuple(value for value in values if isinstance(value, str))
        return texts if len(texts) == len(values) <= _FEW else ()


def declare_check(check: pa.Check, on_fail: OnFail) -> DeclaredCheck:
    """Name a pandera check and find what follows from it."""
    given = str(check.name)
    builtin = _builtin_name(check)
    names = (given,) if builtin is None else tuple(dict.fromkeys((_FIELD_WORDS.get(builtin, builtin), builtin, given)))
    reaction = on_fail.reaction(*names, raise_warning=bool(check.raise_warning))
    meaning = given if builtin is None else f"{builtin}({', '.join(_arguments(_statistics(check)))})"
    if not check.ignore_na:
        meaning += " of nulls too"
    return DeclaredCheck(_label(check, builtin, given), names, reaction, builtin is not None, meaning, check)


def _builtin_name(check: pa.Check) -> str | None:
    """Return pandera's name of a builtin check, whatever ``name=`` its author gave it; None for an author's check."""
    name = check.registry_name
    return name if name is not None and _statistics(check) and pa.Check.is_builtin_check(name) else None


def _statistics(check: pa.Check) -> Mapping[str, object]:
    untyped: Any = check
    statistics: Mapping[str, object] = untyped.statistics
    return statistics


def _label(check: pa.Check, builtin: str | None, given: str) -> str:
    error = check.error if isinstance(check.error, str) else None
    if builtin is None:
        return error or given
    if error is not None and not error.startswith(f"{builtin}("):
        return error
    if given != builtin:
        return given
    return f"{_FIELD_WORDS.get(builtin, builtin)}({', '.join(_arguments(_statistics(check)))})"


def _arguments(statistics: Mapping[str, object]) -> Iterable[str]:
    """Write a builtin check's bounds as its author would: those given, by keyword where position says too little."""
    given = {
        name: value
        for name, value in statistics.items()
        if value is not None and not (name.startswith("include_") and value)
    }
    one_bound = len(given) == 1 and "exact_value" in statistics and "exact_value" not in given
    for name, value in given.items():
        if one_bound or name.startswith("include_"):
            yield f"{name}={printable(value)}"
        elif isinstance(value, list | tuple | set | frozenset):
            yield printable_items(cast(Iterable[object], value))
        else:
            yield printable(value)
