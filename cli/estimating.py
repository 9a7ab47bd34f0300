"""Estimating: how much a plan will come to, as text and JSON."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from deltaworks.cli.output import Cell
from deltaworks.cli.wording import bytes_text, counted
from deltaworks.engine.documents.instants import duration_text

if TYPE_CHECKING:
    from deltaworks.engine.planning.estimate import Estimate, Estimates

_UNKNOWN = Cell("unknown", "quiet")


def estimate_columns(estimates: Estimates) -> tuple[tuple[str, ...], list[tuple[str | Cell, ...]]]:
    """Return headings, and the cells of each step; of what is not known of any step there is no column."""
    texts = [_texts(step) for step in estimates.steps]
    known = [place for place in range(3) if any(row[place] is not None for row in texts)]
    cells = [tuple(row[place] or _UNKNOWN for place in known) for row in texts]
    return tuple(("rows#", "size#", "time#")[place] for place in known), cells


def estimate_line(estimates: Estimates) -> Cell:
    """Say how much all steps will come to together."""
    totals, least = _texts(estimates.total, unit="row"), _texts(estimates.at_least, unit="row")
    known = (estimates.at_least.rows, estimates.at_least.size_bytes, estimates.at_least.duration_s)
    if not any((*known, *totals)):
        return Cell("rows, size and time are unknown: nothing of this was made before", "quiet")
    told = [
        total or (f"at least {found}" if is_any else f"{name} unknown")
        for total, found, is_any, name in zip(totals, least, known, ("rows", "size", "time"), strict=True)
    ]
    if known[2]:
        told[2] += f" with {counted(estimates.workers, 'worker')}"
    return Cell(f"by what was made before: {', '.join(told)}", "quiet")


def _texts(estimate: Estimate, unit: str = "") -> tuple[str | None, str | None, str | None]:
    rows, size_bytes, seconds = estimate.rows, estimate.size_bytes, estimate.duration_s
    return (
        None if rows is None else (counted(rows, unit) if unit else f"{rows:,}"),
        None if size_bytes is None else bytes_text(size_bytes),
        None if seconds is None else duration_text(dt.timedelta(seconds=seconds)),
    )
