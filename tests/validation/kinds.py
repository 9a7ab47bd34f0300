"""Kinds of columns for random cases: a dtype, values of it, and checks that an author may write about them."""

from __future__ import annotations

import datetime as dt
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, auto
from typing import Any
from zoneinfo import ZoneInfo

import pandera.polars as pa
import polars as pl


class Says(Enum):
    """What a check gives."""

    EACH_ROW = auto()
    """One Boolean a row, from that row alone."""
    ROWS = auto()
    """One Boolean a row, which other rows have a part in."""
    ALL = auto()
    """One Boolean for all rows; or it may raise."""


@dataclass(frozen=True, slots=True)
class Written:
    """A check as its author writes it."""

    ours: pa.Check
    theirs: pa.Check
    """The same for pandera, which does not understand a bare expression."""
    says: Says


Maker = Callable[[dict[str, Any]], Written]
"""From the options of a check to the check."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of column."""

    dtype: pl.DataType
    pool: Sequence[Any]
    """Values, often extreme ones. Bounds of checks are taken from it too."""
    makers: Callable[[random.Random, Kind], list[Maker]]

    def value(self, source: random.Random) -> Any:
        return source.choice(self.pool)


def builtin(function: Callable[..., pa.Check], *arguments: Any, **named: Any) -> Maker:
    def make(options: dict[str, Any]) -> Written:
        check = function(*arguments, **named, **options)
        return Written(check, check, Says.EACH_ROW)

    return make


def selecting(expression: Callable[[str], pl.Expr], says: Says = Says.EACH_ROW, *, bare: bool = False) -> Maker:
    """A check of an author's; `bare`: it answers with the expression itself."""

    def make(options: dict[str, Any]) -> Written:
        theirs = pa.Check(lambda d: d.lazyframe.select(expression(d.key)), **options)
        return Written(pa.Check(lambda d: expression(d.key), **options) if bare else theirs, theirs, says)

    return make


def calling(function: Callable[[Any], Any], says: Says = Says.ALL, *, element_wise: bool = False) -> Maker:
    """A check of an author's that does what it likes."""

    def make(options: dict[str, Any]) -> Written:
        check = pa.Check(function, element_wise=element_wise, **options)
        return Written(check, check, says)

    return make


def comparable(source: random.Random, kind: Kind) -> list[Maker]:
    numbers = [value for value in kind.pool if value == value]
    low, high = sorted((source.choice(numbers), source.choice(numbers)))
    some = source.sample(numbers, min(3, len(numbers)))
    closed = {"include_min": source.random() < 0.5, "include_max": source.random() < 0.5}
    makers = [
        builtin(pa.Check.ge, low),
        builtin(pa.Check.gt, low),
        builtin(pa.Check.le, high),
        builtin(pa.Check.lt, high),
        builtin(pa.Check.isin, some),
        builtin(pa.Check.notin, some),
        builtin(pa.Check.eq, low),
        builtin(pa.Check.ne, high),
        selecting(lambda key: pl.col(key) >= low),
        selecting(lambda key: pl.col(key) <= high, bare=True),
        selecting(lambda key: pl.col(key).drop_nulls() > low, Says.ALL),
        selecting(lambda key: pl.col(key).drop_nulls() > low, Says.ALL, bare=True),
        selecting(lambda key: pl.col(key).max() <= high, Says.ALL),
        selecting(lambda key: pl.col(key).min() > low, Says.ALL, bare=True),
        selecting(lambda key: pl.col(key).n_unique() < 4, Says.ALL),
        selecting(lambda key: pl.col(key) > pl.col(key).min(), Says.ROWS),
        selecting(lambda key: pl.col(key).shift(1).is_null() | (pl.col(key).shift(1) <= pl.col(key)), Says.ROWS),
        selecting(lambda key: pl.col("nowhere") > low, Says.ALL),
        calling(lambda d: d.lazyframe.select(low=pl.col(d.key) > low, high=pl.col(d.key) < high), Says.EACH_ROW),
        calling(lambda d: d.lazyframe.collect()[d.key].null_count() <= 2),
        calling(lambda d: d.lazyframe.with_row_index("n").select(pl.col(d.key) > low), Says.EACH_ROW),
        calling(lambda value: value > low, Says.EACH_ROW, element_wise=True),
    ]
    return [*makers, builtin(pa.Check.in_range, low, high, **closed)] if low < high else makers


def numeric(source: random.Random, kind: Kind) -> list[Maker]:
    low = source.choice([-5, 0, 3])
    return [
        *comparable(source, kind),
        selecting(lambda key: pl.col(key).cast(pl.Float64) > pl.col(key).cast(pl.Float64).mean() + low, Says.ROWS),
        selecting(lambda key: pl.col(key).cast(pl.Float64).mean() < low, Says.ALL),
        selecting(lambda key: pl.col(key).rank("dense") < 4, Says.ROWS),
        builtin(pa.Check.ge, 0),
        builtin(pa.Check.le, 1.5),
    ]


def textual(source: random.Random, kind: Kind) -> list[Maker]:
    return [
        *comparable(source, kind),
        builtin(pa.Check.str_matches, r"[a-z]+\d*$"),
        builtin(pa.Check.str_contains, "a"),
        builtin(pa.Check.str_startswith, "a"),
        builtin(pa.Check.str_endswith, "b"),
        builtin(pa.Check.str_length, 1, 2),
        builtin(pa.Check.str_length, min_value=1),
        builtin(pa.Check.str_length, exact_value=1),
        selecting(lambda key: pl.col(key).str.to_lowercase() == pl.col(key)),
        selecting(lambda key: pl.col(key).dt.year() > 0, Says.ALL),
        selecting(lambda key: pl.col(key).str.slice(1).cast(pl.Int64) > 0, Says.ALL),
        calling(lambda d: set(d.lazyframe.collect()[d.key]) <= {"a", "b"}),
    ]


def labelled(source: random.Random, kind: Kind) -> list[Maker]:
    """Checks of texts that are kept as codes."""
    some = source.sample(list(kind.pool), 2)
    return [
        builtin(pa.Check.isin, some),
        builtin(pa.Check.notin, some),
        builtin(pa.Check.eq, some[0]),
        builtin(pa.Check.ne, some[0]),
        builtin(pa.Check.isin, ["nothing", some[1]]),
        selecting(lambda key: pl.col(key) != some[1]),
        selecting(lambda key: pl.col(key).cast(pl.String).str.len_chars() < 3, bare=True),
        selecting(lambda key: pl.col(key).n_unique() < 3, Says.ALL),
        calling(lambda value: value != some[0], Says.EACH_ROW, element_wise=True),
    ]


def flags(source: random.Random, kind: Kind) -> list[Maker]:
    return [
        builtin(pa.Check.eq, True),
        builtin(pa.Check.ne, False),
        builtin(pa.Check.isin, [True]),
        selecting(pl.col),
        selecting(pl.col, bare=True),
        selecting(lambda key: pl.col(key).any(), Says.ALL),
        selecting(lambda key: pl.col(key).mean() > 0.5, Says.ALL),
    ]


def lists(source: random.Random, kind: Kind) -> list[Maker]:
    length = source.randint(1, 3)
    return [
        selecting(lambda key: pl.col(key).list.len() < length),
        selecting(lambda key: pl.col(key).list.len() > 0, bare=True),
        selecting(lambda key: pl.col(key).list.eval(pl.element().is_not_null()).list.all()),
        selecting(lambda key: pl.col(key).list.get(0, null_on_oob=True).is_not_null()),
        selecting(lambda key: pl.col(key).list.len().max() < length, Says.ALL),
        selecting(lambda key: pl.col(key).explode().is_not_null(), Says.ALL),
        calling(lambda value: len(value) < length, Says.EACH_ROW, element_wise=True),
    ]


def arrays(source: random.Random, kind: Kind) -> list[Maker]:
    high = source.randint(0, 5)
    return [
        selecting(lambda key: pl.col(key).arr.max() < high),
        selecting(lambda key: pl.col(key).arr.sum() < high, bare=True),
        selecting(lambda key: pl.col(key).arr.contains(high)),
        selecting(lambda key: pl.col(key).arr.min().min() > 0, Says.ALL),
    ]


def structs(source: random.Random, kind: Kind) -> list[Maker]:
    low = source.randint(-2, 4)
    return [
        selecting(lambda key: pl.col(key).struct.field("a") > low),
        selecting(lambda key: pl.col(key).struct.field("b").is_not_null(), bare=True),
        selecting(lambda key: pl.col(key).struct.field("a") > pl.col(key).struct.field("b").str.len_chars()),
        selecting(lambda key: pl.col(key).struct.field("a").max() > low, Says.ALL),
        selecting(lambda key: pl.col(key).struct.field("none") > low, Says.ALL),
    ]


def whole(bits: int, *, signed: bool = True) -> tuple[int, ...]:
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return (low, high, *(n for n in range(-3, 7) if n >= low))


FLOATS = (-3.0, -1.5, -0.0, 0.0, 0.25, 1.0, 2.5, 6.0, math.nan, math.inf, -math.inf)
TEXTS = ("a", "b", "ab", "abc", "", "Zz9", "éa", "a1", "b22")
LABELS = ("a", "b", "ab", "ccc")
NEW_YEAR = dt.datetime(2024, 1, 1)  # noqa: DTZ001 - naive, as the dtype is
INSTANTS = (*(NEW_YEAR + dt.timedelta(days=n, microseconds=n) for n in range(-3, 4)), dt.datetime(1901, 1, 1))  # noqa: DTZ001
ALIKE = ({"a": 1, "b": "x"}, {"a": 1, "b": None}, {"a": None, "b": ""}, {"a": -2, "b": "yz"}, {"a": None, "b": None})
STRUCT = pl.Struct({"a": pl.Int32, "b": pl.String})


def decimals(precision: int, scale: int) -> tuple[Decimal, ...]:
    nines, one = (9,) * precision, (1,)
    signed = (Decimal((sign, digits, -scale)) for digits in (nines, one) for sign in (0, 1))
    return *signed, Decimal(0), Decimal(1), Decimal(2), Decimal(-1)


def zoned(zone: str) -> tuple[dt.datetime, ...]:
    return tuple(instant.replace(tzinfo=ZoneInfo(zone)) for instant in INSTANTS)


SPANS = tuple(dt.timedelta(days=n, microseconds=7 * n) for n in (-200, -1, 0, 1, 2, 365))

KINDS = {
    "integer": Kind(pl.Int64(), whole(64), numeric),
    "float": Kind(pl.Float64(), FLOATS, numeric),
    "text": Kind(pl.String(), TEXTS, textual),
    "flag": Kind(pl.Boolean(), (True, True, False), flags),
    "int8": Kind(pl.Int8(), whole(8), numeric),
    "int16": Kind(pl.Int16(), whole(16), numeric),
    "int32": Kind(pl.Int32(), whole(32), numeric),
    "uint8": Kind(pl.UInt8(), whole(8, signed=False), numeric),
    "uint16": Kind(pl.UInt16(), whole(16, signed=False), numeric),
    "uint32": Kind(pl.UInt32(), whole(32, signed=False), numeric),
    "uint64": Kind(pl.UInt64(), whole(64, signed=False), numeric),
    "float32": Kind(pl.Float32(), FLOATS, numeric),
    "money": Kind(pl.Decimal(9, 2), decimals(9, 2), numeric),
    "widest decimal": Kind(pl.Decimal(38, 10), decimals(38, 10), comparable),
    "whole decimal": Kind(pl.Decimal(38, 0), decimals(38, 0), comparable),
    "enum": Kind(pl.Enum(LABELS), LABELS, labelled),
    "category": Kind(pl.Categorical(), LABELS, labelled),
    "date": Kind(pl.Date(), (*(instant.date() for instant in INSTANTS), dt.date.max), comparable),
    "time": Kind(pl.Time(), (dt.time.min, dt.time(1), dt.time(1, 2, 3, 4), dt.time.max), comparable),
    "instant": Kind(pl.Datetime("us"), INSTANTS, comparable),
    "instant ms": Kind(pl.Datetime("ms"), INSTANTS, comparable),
    "instant ns": Kind(pl.Datetime("ns"), INSTANTS, comparable),
    "instant utc": Kind(pl.Datetime("us", "UTC"), zoned("UTC"), comparable),
    "instant zoned": Kind(pl.Datetime("ms", "Europe/Berlin"), zoned("Europe/Berlin"), comparable),
    "span": Kind(pl.Duration("us"), SPANS, comparable),
    "span ms": Kind(pl.Duration("ms"), SPANS, comparable),
    "bytes": Kind(pl.Binary(), (b"", b"a", b"ab", b"\x00\xff"), comparable),
    "list": Kind(pl.List(pl.Int16), ([], [1], [1, 2], [None], [3, None, -1]), lists),
    "list of structs": Kind(pl.List(STRUCT), ([], [ALIKE[0]], [ALIKE[1], ALIKE[0]], [None], [ALIKE[4]]), lists),
    "array": Kind(pl.Array(pl.Int32, 2), ([1, 2], [0, 0], [None, 3], [None, None], [-4, 5]), arrays),
    "struct": Kind(STRUCT, ALIKE, structs),
}
