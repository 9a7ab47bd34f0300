"""Skipped: what a run left as it is, since something that it is made from lacks, or since others have made it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from deltaworks.cli.failures import SHOWN_FAILURES
from deltaworks.cli.output import Cell
from deltaworks.cli.wording import counted

if TYPE_CHECKING:
    from deltaworks.engine.execution.report import RunReport


def blocked_lines(report: RunReport) -> Iterator[Cell]:
    """Yield how many partitions of each asset were not tried, with what began it."""
    roots: dict[str, tuple[str, bool]] = {}
    counts: Counter[tuple[str, str, bool]] = Counter()
    causes: dict[tuple[str, str, bool], dict[str, None]] = {}
    for each in report.blocked:  # what was blocked itself stands before what it blocked
        root = roots[f"{each.asset} {each.key}".rstrip()] = roots.get(each.because, (each.because, each.is_gone))
        group = str(each.asset), root[0].partition(" ")[0], root[1]
        counts[group] += 1
        causes.setdefault(group, {})[root[0]] = None
    for group, count in list(counts.items())[:SHOWN_FAILURES]:
        asset, upstream, is_gone = group
        is_one = len(causes[group]) == 1
        because = next(iter(causes[group])) if is_one else f"{counted(len(causes[group]), 'partition')} of {upstream}"
        fate = ("is" if is_one else "are") + " not there" if is_gone else ("was" if is_one else "were") + " not made"
        yield Cell(f"skipped: {counted(count, 'partition')} of {asset}, since {because} {fate}", "stale")
    if len(counts) > SHOWN_FAILURES:
        yield Cell(f"skipped: {len(counts) - SHOWN_FAILURES:,} more groups; --json lists them all", "stale")


def made_by_others_lines(report: RunReport) -> Iterator[Cell]:
    """Yield how many partitions of each asset others have made meanwhile, with who did."""
    found = Counter((str(each.asset), each.by) for each in report.skipped)
    for (asset, by), count in list(found.items())[:SHOWN_FAILURES]:
        yield Cell(f"skipped: {counted(count, 'partition')} of {asset}, made by {by} meanwhile", "stale")
    if len(found) > SHOWN_FAILURES:
        yield Cell(f"skipped: {len(found) - SHOWN_FAILURES:,} more groups; --json lists them all", "stale")
