"""Differences: in what two tables differ, as people and programs see it."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

from deltaworks.cli.output import Cell, Table
from deltaworks.cli.wording import counted

if TYPE_CHECKING:
    from deltaworks.io.difference import ChangedRow, Difference, LoneRow


def difference_json(found: Difference) -> dict[str, Any]:
    """Return a difference as JSON; floats that JSON does not know are texts."""
    return {
        "equal": found.is_equal,
        "a": found.a,
        "b": found.b,
        "key": list(found.key),
        "tolerance": found.tolerance,
        "columns": {
            "removed": {name: str(dtype) for name, dtype in found.columns.removed.items()},
            "added": {name: str(dtype) for name, dtype in found.columns.added.items()},
            "retyped": {name: list(map(str, dtypes)) for name, dtypes in found.columns.retyped.items()},
        },
        "rows": {
            "a": found.rows_a,
            "b": found.rows_b,
            "only_a": found.only_a,
            "only_b": found.only_b,
            "changed": found.changed,
        },
        "changed_columns": dict(found.changed_columns),
        "partitions": {"compared": found.partitions_compared, "unchanged": found.partitions_unchanged},
        "samples": {
            "only_a": [{"row": _plain(each.row), "count": each.count} for each in found.samples_a],
            "only_b": [{"row": _plain(each.row), "count": each.count} for each in found.samples_b],
            "changed": [{"key": _plain(each.key), "values": _plain(each.values)} for each in found.samples_changed],
        },
    }


def difference_blocks(found: Difference) -> Iterator[Cell | Table]:
    """Yield what differs: columns, then rows with samples, then a summary."""
    for name, dtype in found.columns.removed.items():
        yield Cell(f"column {name} ({dtype}) is only in {found.a}", "bad")
    for name, dtype in found.columns.added.items():
        yield Cell(f"column {name} ({dtype}) is only in {found.b}", "bad")
    for name, (before, after) in found.columns.retyped.items():
        yield Cell(
            f"column {name} is {before} in {found.a} and {after} in {found.b}; its values were not compared", "bad"
        )
    yield from _lone(found.only_a, found.a, found.samples_a)
    yield from _lone(found.only_b, found.b, found.samples_b)
    yield from _changed(found)
    yield Cell(_summary(found), "good" if found.is_equal else "bad")


def _summary(found: Difference) -> str:
    unread = ""
    if found.partitions_unchanged:
        unread = f"; {counted(found.partitions_unchanged, 'partition')} of the same files not read"
    read = f"{found.rows_a:,} and {found.rows_b:,} rows compared{unread}"
    return f"{found.a} and {found.b} {'are equal' if found.is_equal else 'differ'} ({read})"


def _lone(count: int, side: str, samples: Sequence[LoneRow]) -> Iterator[Cell | Table]:
    if not count:
        return
    yield Cell(f"{counted(count, 'row')} only in {side}:", "bad")
    rows = [(str(each.count), *(_text(value) for value in each.row.values())) for each in samples]
    yield Table(("times#", *samples[0].row), rows)
    yield from _more(count - sum(each.count for each in samples))


def _changed(found: Difference) -> Iterator[Cell | Table]:
    if not found.changed:
        return
    columns = ", ".join(f"{name} in {count:,}" for name, count in found.changed_columns.items())
    yield Cell(f"{counted(found.changed, 'row')} changed: {columns}", "bad")
    rows = [_changed_line(each, name) for each in found.samples_changed for name in each.values]
    yield Table((*found.key, "column", found.a, found.b), rows)
    yield from _more(found.changed - len(found.samples_changed))


def _changed_line(changed: ChangedRow, name: str) -> tuple[str, ...]:
    before, after = changed.values[name]
    return (*(_text(value) for value in changed.key.values()), name, _text(before), _text(after))


def _more(count: int) -> Iterator[Cell]:
    if count > 0:
        yield Cell(f"and {count:,} more", "quiet")


def _text(value: object) -> str:
    return "null" if value is None else str(_plain(value))


def _plain(value: object) -> Any:
    """Return a value as JSON can hold it."""
    match value:
        case float() if not math.isfinite(value):
            return str(value)
        case dt.date() | dt.time():
            return value.isoformat()
        case bytes():
            return value.hex()
        case Decimal():
            return str(value)
        case Mapping():
            mapping = cast("Mapping[object, object]", value)
            return {str(name): _plain(each) for name, each in mapping.items()}
        case list() | tuple():
            return [_plain(each) for each in cast("Sequence[object]", value)]
        case _:
            return value
