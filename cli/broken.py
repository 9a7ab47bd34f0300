"""Broken: the rules that partitions did not keep as a table, with rows that break them and where all rows are kept."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deltaworks.cli.output import Cell, Table, aligned
from deltaworks.cli.wording import counted

SHOWN_ROWS = 3
"""How many rows stand under a rule, of all partitions that broke it."""

_WIDEST_CELL = 24
"""How much of a value is shown, except of the first column, which is what the rule is about."""

_HEADINGS = ("rule", "severity", "failed rows#", "passed rows#")


@dataclass(frozen=True, slots=True)
class BrokenPartition:
    """One partition whose rows were judged and refused."""

    rules: Sequence[Mapping[str, Any]]
    """As JSON has them."""
    kept: str | None
    """Where its rows are; none: they are not kept."""
    why_not: str | None = None

    @property
    def broke(self) -> tuple[tuple[Any, ...], ...]:
        """What it has in common with others that are told together with it."""
        return tuple((rule["column"], rule["rule"], rule["severity"]) for rule in self.rules)


def broken_lines(alike: Sequence[BrokenPartition], kept_for: str, width: int) -> Iterator[Cell]:
    """Yield the table of the rules that partitions broke alike, their rows added up, and where these are kept.

    Args:
        alike: the partitions, at least one.
        kept_for: how long, for a line.
        width: how many characters a line may have.
    """
    together = [tuple(each.rules[place] for each in alike) for place in range(len(alike[0].rules))]
    counts = [_counts(rules) for rules in together]
    room = max(20, width - 2 - sum(len(heading.rstrip("#")) + 2 for heading in _HEADINGS[1:]))
    names = [textwrap.wrap(_named(rules[0]), room) for rules in together]
    rows = [(name[0], rules[0]["severity"], *count) for name, rules, count in zip(names, together, counts, strict=True)]
    headings, *lines = aligned(Table(_HEADINGS, rows))
    yield Cell(f"  {headings}", "strong")
    for line, name, rules in zip(lines, names, together, strict=True):
        tone = "bad" if rules[0]["severity"] == "fail" else "stale"
        yield Cell(f"  {line}", tone)
        yield from (Cell(f"  {rest}", tone) for rest in name[1:])
        yield from _context(rules, width)
    yield from _kept_lines(alike, kept_for)


def near(path: str) -> str:
    """Return a path as it is shortest to write from here."""
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path


def _named(rule: Mapping[str, Any]) -> str:
    subject = "check" if rule.get("is_check") else rule["column"] or "table"
    return f"{subject}: {rule['rule']}"


def _counts(rules: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """Return how many rows broke a rule and how many did not, over all partitions."""
    if any(rule["failed_rows"] is None for rule in rules):
        return "-", "-"
    failed = sum(rule["failed_rows"] for rule in rules)
    return f"{failed:,}", f"{sum(rule['rows'] for rule in rules) - failed:,}"


def _context(rules: Sequence[Mapping[str, Any]], width: int) -> Iterator[Cell]:
    """Yield what stands under a rule: what more there is to say, and rows."""
    for note in dict.fromkeys(rule["note"] for rule in rules if rule["note"]):
        yield Cell(f"    {note}", "quiet")
    samples: list[Mapping[str, Any]] = [row for rule in rules for row in rule["samples"]][:SHOWN_ROWS]
    if samples:
        headings, *lines = _fitting(samples, width - 4)
        yield Cell(f"    {headings}", "quiet")
        yield from (Cell(f"    {line}") for line in lines)
    elif all(rule["failed_rows"] is None and not rule["note"] for rule in rules):
        yield Cell(f"    judged over all {counted(sum(rule['rows'] for rule in rules), 'row')} together", "quiet")


def _fitting(samples: Sequence[Mapping[str, Any]], width: int) -> list[str]:
    """Return the lines of rows with as many of their columns as fit, the first in any case."""
    columns = list(samples[0])
    headings = [f"{name}#" if all(_is_number(row[name]) for row in samples) else name for name in columns]
    texts = [[_cut(_text(row[name]), name == columns[0]) for name in columns] for row in samples]
    for count in range(len(columns), 0, -1):
        more = ["..."] if count < len(columns) else []
        rows = [[*row[:count], *more] for row in texts]
        lines = aligned(Table((*headings[:count], *more), rows))
        if max(map(len, lines)) <= width:
            return lines
    return aligned(Table((headings[0],), [row[:1] for row in texts]))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cut(text: str, is_first: bool) -> str:
    return text if is_first or len(text) <= _WIDEST_CELL else f"{text[: _WIDEST_CELL - 3]}..."


def _text(value: object) -> str:
    """Return a value in one line, so that it cannot be taken for another one."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str() if not value.isprintable() or value != value.strip() or value in ("", "null"):
            return repr(value)
        case _:
            return str(value)


def _kept_lines(alike: Sequence[BrokenPartition], kept_for: str) -> Iterator[Cell]:
    kept = [each.kept for each in alike if each.kept is not None]
    if len(kept) == 1:
        yield Cell(f"  the rows that were made, {kept_for}:", "quiet")
        yield Cell(f"    {near(kept[0])}", "quiet")
    elif kept:
        folder = near(kept[0]).rpartition("/")[0]
        yield Cell(f"  the rows that were made, {kept_for}, in {counted(len(kept), 'file')}:", "quiet")
        yield Cell(f"    {folder}/", "quiet")
    for why_not in dict.fromkeys(each.why_not for each in alike if each.why_not):
        count = sum(each.why_not == why_not for each in alike)
        whose = f" of {counted(count, 'partition')}" if len(alike) > 1 else ""
        yield Cell(f"  the rows{whose} are not kept: {why_not}", "stale")
