"""Compare: find the rows in which frames differ, in bounded memory.

Frames come in parts that have no row in common, such as partitions. A part that is too large is read several times,
each time for other rows by their hash, so that what is held at once stays small whatever the tables' size.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil

import polars as pl

from deltaworks.errors import RequestError
from deltaworks.io.difference import ChangedRow, ColumnDifference, Difference, LoneRow
from deltaworks.io.tolerance import cancel_close, close

SAMPLES = 10
"""How many rows of each kind a difference shows."""

PASS_BYTES = 64 * 1024 * 1024
"""How much Parquet, of both sides, is looked at in one pass."""

_A, _B, _THERE = "\0a", "\0b", "\0there"
"""How often a row is in each side; and in joins the suffix of the second side's columns, and the mark of each side."""


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of both sides none of which is equal to a row of another part."""

    a: pl.LazyFrame
    b: pl.LazyFrame
    size_bytes: int
    """About how much Parquet they are."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What counts as equal."""

    key: tuple[str, ...] = ()
    tolerance: float = 0.0
    """See `tolerance.close`; floats inside lists and structs are compared exactly."""
    pass_bytes: int = PASS_BYTES


def compare(
    names: tuple[str, str],
    schemas: tuple[Mapping[str, pl.DataType], Mapping[str, pl.DataType]],
    parts: Iterable[Part],
    terms: Terms,
    so_far: Difference | None = None,
) -> Difference:
    """Compare frames of these schemas, part by part, and add what differs to what was found `so_far`.

    Raises:
        RequestError: the key is not in both with the same dtypes, or several rows of a side have it.
    """
    found = so_far or Difference(*names, ColumnDifference(), terms.key, terms.tolerance)
    found = replace(found, columns=found.columns | ColumnDifference.of(*schemas))
    shared = {name: dtype for name, dtype in schemas[0].items() if schemas[1].get(name) == dtype}
    for name in terms.key:
        if name not in shared:
            raise RequestError(
                f"{name!r} cannot be the key of {names[0]} and {names[1]}: not both have it, with one dtype; the "
                f"columns that they share are {', '.join(shared) or 'none'}."
            )
    for part in parts if shared else ():
        a, b = part.a.select(list(shared)), part.b.select(list(shared))
        counts = pl.collect_all([a.select(pl.len()), b.select(pl.len())])
        found = replace(found, rows_a=found.rows_a + counts[0].item(), rows_b=found.rows_b + counts[1].item())
        for chosen in _passes(shared, part.size_bytes, terms):
            found = _with_pass(found, a.filter(chosen), b.filter(chosen), shared, terms)
    return found


def _passes(shared: Mapping[str, pl.DataType], size_bytes: int, terms: Terms) -> Iterator[pl.Expr]:
    """Yield which rows each pass looks at; rows that may be equal are in the same one."""
    exact = [name for name, dtype in shared.items() if not (terms.tolerance and dtype.is_float())]
    hashed = terms.key or exact
    number = ceil(size_bytes / terms.pass_bytes) if hashed else 1
    if number <= 1:
        yield pl.lit(True)
        return
    yield from (pl.struct(hashed).hash() % number == place for place in range(number))


def _with_pass(
    found: Difference, a: pl.LazyFrame, b: pl.LazyFrame, shared: Mapping[str, pl.DataType], terms: Terms
) -> Difference:
    if terms.key:
        return _with_keyed(found, a, b, shared, terms)
    lone = _lone(a, b, list(shared))
    floats = [name for name, dtype in shared.items() if dtype.is_float()]
    if terms.tolerance and floats:
        lone = cancel_close(lone, _A, _B, floats, terms.tolerance)
    return _with_lone(found, lone, list(shared))


def _lone(a: pl.LazyFrame, b: pl.LazyFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Return the rows that one side has more often than the other, and how many times each has more."""
    there = pl.concat(
        [
            a.with_columns(pl.lit(1, pl.Int64).alias(_THERE)),
            b.with_columns(pl.lit(-1, pl.Int64).alias(_THERE)),
        ]
    )
    summed = there.group_by(columns).agg(pl.col(_THERE).sum()).filter(pl.col(_THERE) != 0)
    more = pl.col(_THERE)
    split = summed.with_columns(more.clip(lower_bound=0).alias(_A), (-more).clip(lower_bound=0).alias(_B))
    return split.drop(_THERE).collect(engine="streaming")


def _with_lone(found: Difference, lone: pl.DataFrame, columns: Sequence[str]) -> Difference:
    samples_a, samples_b = (
        tuple(_lone_rows(lone.filter(pl.col(side) > 0), side, columns, SAMPLES - len(known)))
        for side, known in ((_A, found.samples_a), (_B, found.samples_b))
    )
    return replace(
        found,
        only_a=found.only_a + int(lone[_A].sum()),
        only_b=found.only_b + int(lone[_B].sum()),
        samples_a=found.samples_a + samples_a,
        samples_b=found.samples_b + samples_b,
    )


def _lone_rows(lone: pl.DataFrame, side: str, columns: Sequence[str], at_most: int) -> Iterator[LoneRow]:
    for row in lone.sort(columns).head(at_most).iter_rows(named=True):
        yield LoneRow({name: row[name] for name in columns}, row[side])


def _with_keyed(
    found: Difference, a: pl.LazyFrame, b: pl.LazyFrame, shared: Mapping[str, pl.DataType], terms: Terms
) -> Difference:
    key, others = list(terms.key), [name for name in shared if name not in terms.key]
    _refuse_repeated(found, a, b, key)
    joined = a.with_columns(pl.lit(True).alias(_A)).join(
        b.with_columns(pl.lit(True).alias(_B)), on=key, how="full", coalesce=True, nulls_equal=True, suffix=_THERE
    )
    in_both = pl.col(_A).is_not_null() & pl.col(_B).is_not_null()
    differs = {
        name: in_both & ~close(pl.col(name), pl.col(name + _THERE), dtype, terms.tolerance)
        for name, dtype in shared.items()
        if name in others
    }
    marked = joined.with_columns(differ.alias(_mark(name)) for name, differ in differs.items())
    is_other = pl.any_horizontal(~in_both, *(pl.col(_mark(name)) for name in others))
    rows = marked.filter(is_other).collect(engine="streaming").sort(key)
    only_a, only_b = rows.filter(pl.col(_B).is_null()), rows.filter(pl.col(_A).is_null())
    changed = rows.filter(pl.col(_A).is_not_null() & pl.col(_B).is_not_null())
    counts = Counter(found.changed_columns) + Counter({name: int(changed[_mark(name)].sum()) for name in others})
    lone_a = only_a.select(*shared, pl.lit(1, pl.Int64).alias(_A), pl.lit(0, pl.Int64).alias(_B))
    lone_b = only_b.select(
        *key,
        *(pl.col(name + _THERE).alias(name) for name in others),
        pl.lit(0, pl.Int64).alias(_A),
        pl.lit(1, pl.Int64).alias(_B),
    ).select(lone_a.columns)
    found = _with_lone(found, pl.concat([lone_a, lone_b]), list(shared))
    return replace(
        found,
        changed=found.changed + changed.height,
        changed_columns={name: counts[name] for name in others if counts[name]},
        samples_changed=(
            *found.samples_changed,
            *(
                _changed_row(row, key, others)
                for row in changed.head(SAMPLES - len(found.samples_changed)).iter_rows(named=True)
            ),
        ),
    )


def _changed_row(row: Mapping[str, object], key: Sequence[str], others: Sequence[str]) -> ChangedRow:
    return ChangedRow(
        {name: row[name] for name in key},
        {name: (row[name], row[name + _THERE]) for name in others if row[_mark(name)]},
    )


def _mark(name: str) -> str:
    return f"\0differs {name}"


def _refuse_repeated(found: Difference, a: pl.LazyFrame, b: pl.LazyFrame, key: Sequence[str]) -> None:
    repeated = [lf.group_by(key).agg(pl.len().alias(_THERE)).filter(pl.col(_THERE) > 1) for lf in (a, b)]
    for name, counts in zip((found.a, found.b), pl.collect_all(repeated, engine="streaming"), strict=True):
        if counts.height:
            row = counts.sort(key).row(0, named=True)
            shown = ", ".join(f"{each}={row[each]}" for each in key)
            raise RequestError(
                f"{', '.join(key)} is no key of {name}: {row[_THERE]} rows have {shown}; add a column to the key, or "
                "leave it out to compare rows as a whole."
            )
