"""ExampleValues: values that a column of a model may have, as far as its dtype and pandera's own checks tell."""

from __future__ import annotations

import datetime as dt
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any, cast

import polars as pl

from deltaworks.validation.example_text import matching_text
from deltaworks.validation.model import DeclaredColumn

_SPAN = 1_000
"""How far random numbers, days and seconds reach where no rule bounds them."""

_DAY = dt.date(2024, 1, 1)
_INSTANT = dt.datetime(2024, 1, 1)  # noqa: DTZ001 - the column says its zone
_NULL_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class _Bounds:
    """What pandera's own checks ask of a value."""

    low: Any = None
    high: Any = None
    steps_in: tuple[bool, bool] = (False, False)
    """Whether a bound itself is excluded."""
    allowed: tuple[Any, ...] | None = None
    pattern: str | None = None
    before: str = ""
    inside: str = ""
    after: str = ""
    lengths: tuple[int | None, int | None] = (None, None)


@dataclass(frozen=True, slots=True)
class ExampleValues:
    """What draws values for a column."""

    column: DeclaredColumn
    bounds: _Bounds = field(init=False)

    def __post_init__(self) -> None:
        """Read the checks once."""
        object.__setattr__(self, "bounds", _bounds(self.column))

    def draw(self, place: int, random: Random | None) -> Any:
        """Return a value: the plainest without `random`; `place` makes it another one where that is possible.

        Raises:
            LookupError: nothing is known about values of the dtype.
        """
        if random is not None and self.column.nullable and not self.column.unique and random.random() < _NULL_SHARE:
            return None
        allowed = self.bounds.allowed
        if allowed is not None:
            return allowed[place % len(allowed)] if random is None else random.choice(allowed)
        return self._of(self.column.dtype, place, random)

    def _of(self, dtype: pl.DataType, place: int, random: Random | None) -> Any:
        match dtype:
            case pl.Boolean():
                return bool(place % 2) if random is None else random.random() < 0.5
            case pl.String():
                return self._text(place, random)
            case pl.Binary():
                return self._text(place, random).encode()
            case pl.Categorical():
                return self._text(place, random)
            case pl.Enum():
                return dtype.categories[
                    place % len(dtype.categories) if random is None else random.randrange(len(dtype.categories))
                ]
            case pl.List():
                inner = cast("pl.DataType", dtype.inner)
                return [] if random is None else [self._inner(inner, random) for _ in range(random.randint(0, 3))]
            case pl.Array():
                inner = cast("pl.DataType", dtype.inner)
                return [self._inner(inner, random) for _ in range(dtype.size)]
            case pl.Struct():
                return {each.name: self._inner(cast("pl.DataType", each.dtype), random) for each in dtype.fields}
            case pl.Null():
                return None
            case _:
                return self._number(dtype, place, random)

    def _inner(self, dtype: pl.DataType | type[pl.DataType], random: Random | None) -> Any:
        """Return a value that stands in another, of which no check tells anything."""
        inner = ExampleValues.__new__(ExampleValues)
        object.__setattr__(inner, "column", self.column)
        object.__setattr__(inner, "bounds", _Bounds())
        return inner._of(dtype() if isinstance(dtype, type) else dtype, 0, random)

    def _number(self, dtype: pl.DataType, place: int, random: Random | None) -> Any:
        """Return a value of a dtype that has an order, between the bounds."""
        zero, step = _scale(dtype)
        low, high = self.bounds.low, self.bounds.high
        if low is None:
            low = zero if high is None or zero <= high else high - _SPAN * step
        elif self.bounds.steps_in[0]:
            low = low + step
        if high is None:
            high = low + _SPAN * step
        elif self.bounds.steps_in[1]:
            high = high - step
        if isinstance(step, float):
            spread = float(high) - float(low)
            share = random.random() if random is not None else min(place * step, spread) / spread if spread else 0.0
            return float(low) + spread * share
        steps = max(0, (high - low) // step)
        return low + (place % (steps + 1) if random is None else random.randint(0, int(steps))) * step

    def _text(self, place: int, random: Random | None) -> str:
        bounds = self.bounds
        if bounds.pattern is not None:
            text = matching_text(bounds.pattern, random if random is not None or not place else Random(place))  # noqa: S311 - data for tests
            if text is not None:
                return text
        framed = bounds.before + bounds.inside + bounds.after
        least, most = bounds.lengths
        least = max(1 if least is None else least, len(framed))
        most = max(least, least + 7 if most is None else most)
        if random is not None:
            filling = "".join(random.choices(string.ascii_lowercase, k=random.randint(least, most) - len(framed)))
        else:
            counted = "" if not place else str(place)
            filling = counted.rjust(least - len(framed), "a")[: most - len(framed)]
        return bounds.before + bounds.inside + filling + bounds.after


def _scale(dtype: pl.DataType) -> tuple[Any, Any]:
    """Return where values of a dtype begin, and by what they differ.

    Raises:
        LookupError: nothing is known about them.
    """
    match dtype:
        case _ if dtype.is_integer():
            return 0, 1
        case _ if dtype.is_float():
            return 0.0, 1.0
        case pl.Decimal():
            return Decimal(0), Decimal(1).scaleb(-dtype.scale)
        case pl.Date():
            return _DAY, dt.timedelta(days=1)
        case pl.Datetime():
            return _INSTANT if dtype.time_zone is None else _INSTANT.replace(tzinfo=dt.UTC), dt.timedelta(seconds=1)
        case pl.Duration():
            return dt.timedelta(0), dt.timedelta(seconds=1)
        case _:
            raise LookupError(str(dtype))


def _bounds(column: DeclaredColumn) -> _Bounds:
    found: dict[str, Any] = {}
    for check in column.checks:
        if check.builtin:
            untyped: Any = check.check
            _take(found, str(check.check.registry_name), untyped.statistics)
    if "forbidden" in found and "allowed" in found:
        found["allowed"] = tuple(each for each in found["allowed"] if each not in found["forbidden"])
    found.pop("forbidden", None)
    return _Bounds(**found)


def _take(found: dict[str, Any], name: str, said: Mapping[str, Any]) -> None:
    """Add what one check asks for."""
    match name:
        case "equal_to":
            found["allowed"] = (said["value"],)
        case "isin":
            found["allowed"] = tuple(sorted(said["allowed_values"], key=str))
        case "notin":
            found["forbidden"] = tuple(said["forbidden_values"])
        case "greater_than" | "greater_than_or_equal_to":
            _bound(found, 0, said["min_value"], is_out=name == "greater_than")
        case "less_than" | "less_than_or_equal_to":
            _bound(found, 1, said["max_value"], is_out=name == "less_than")
        case "in_range":
            _bound(found, 0, said["min_value"], is_out=not said["include_min"])
            _bound(found, 1, said["max_value"], is_out=not said["include_max"])
        case "str_matches":
            found["pattern"] = _pattern(said["pattern"])
        case "str_contains":
            found["inside"] = matching_text(_pattern(said["pattern"]), None) or ""
        case "str_startswith":
            found["before"] = said["string"]
        case "str_endswith":
            found["after"] = said["string"]
        case "str_length":
            exact = said.get("exact_value")
            found["lengths"] = (said["min_value"], said["max_value"]) if exact is None else (exact, exact)
        case _:
            pass  # what the others ask for, drawing again has to find


def _bound(found: dict[str, Any], side: int, value: Any, *, is_out: bool) -> None:
    found["low" if side == 0 else "high"] = value
    out = list(found.get("steps_in", (False, False)))
    out[side] = is_out
    found["steps_in"] = tuple(out)


def _pattern(given: Any) -> str:
    return given if isinstance(given, str) else str(given.pattern)
