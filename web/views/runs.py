"""Runs: every run in a line, those that filters leave, the latest first, a page at a time."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from deltaworks.engine.documents.runs import run_took
from deltaworks.errors import RequestError
from deltaworks.io.run_entry import RunEntry
from deltaworks.web import urls
from deltaworks.web.views.run_row import RunRow, run_row
from deltaworks.web.workspace import Sight

PAGE = 50
"""How many runs stand on a page."""

STATUSES = ("running", "queued", "failure", "lost", "canceled", "success")


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs are asked for; every field is a part of their address."""

    status: str = ""
    asset: str = ""
    job: str = ""
    is_backfill: bool = False
    """Whether backfills alone are asked for, which have a list of their own."""

    def address(self, **changed: str | None) -> str:
        """Return the address of the list with other filters, from its beginning unless `after` is given."""
        listed = urls.backfills if self.is_backfill else urls.runs
        return listed(**{"status": self.status, "asset": self.asset, "job": self.job, **changed})

    @property
    def whole(self) -> str:
        """The address of the list without filters."""
        return RunFilter(is_backfill=self.is_backfill).address()


@dataclass(frozen=True, slots=True)
class ListedRun:
    """A run in a line, with what the overview leaves out."""

    row: RunRow
    took: dt.timedelta
    attempt: int
    waits_for: str | None


@dataclass(frozen=True, slots=True)
class RunsView:
    """The page of runs."""

    rows: tuple[ListedRun, ...]
    found: int
    total: int
    asked: RunFilter
    part: str
    """The address of the rows of this very page."""
    next: str | None
    """The address of the next page; none: this is the last one."""
    is_first: bool
    statuses: tuple[tuple[str, int], ...]
    """How many runs have each status, of those that the other filters leave."""
    jobs: tuple[str, ...]


def is_backfill(run: RunEntry) -> bool:
    """Return whether a run is one of `deltaworks backfill`."""
    return run.command.partition(" ")[0] == "backfill"


def chosen_runs(sight: Sight, asked: RunFilter) -> list[RunEntry]:
    """Return the runs that are asked for, the latest first.

    Raises:
        RequestError: no run ever has such a status.
    """
    if asked.status and asked.status not in STATUSES:
        raise RequestError(f"No run is {asked.status!r}; runs are {', '.join(STATUSES)}.")
    return [run for run in _of_subject(sight, asked) if asked.status in ("", sight.run_status(run).value)]


def runs_view(sight: Sight, asked: RunFilter, after: str) -> RunsView:
    """Return the runs that are asked for.

    Args:
        sight: the lake as it is.
        asked: which ones.
        after: the last run of the page before; empty: the first page.

    Raises:
        RequestError: the filter means nothing, or `after` is not among the runs that it leaves.
    """
    every = _of_subject(sight, RunFilter(is_backfill=asked.is_backfill))
    chosen = chosen_runs(sight, asked)
    first = 1 + _place(chosen, after) if after else 0
    shown = chosen[first : first + PAGE]
    has_more = first + PAGE < len(chosen)
    counts = Counter(sight.run_status(run).value for run in _of_subject(sight, asked))
    return RunsView(
        rows=tuple(_listed(sight, run) for run in shown),
        found=len(chosen),
        total=len(every),
        asked=asked,
        part=asked.address(after=after or None, part="rows"),
        next=asked.address(after=shown[-1].run_id) if has_more else None,
        is_first=not first,
        statuses=tuple((word, counts[word]) for word in STATUSES),
        jobs=tuple(sorted({run.job for run in every if run.job is not None})),
    )


def _of_subject(sight: Sight, asked: RunFilter) -> list[RunEntry]:
    """Return the runs of a job and about an asset, of whatever status, the latest first."""
    return [
        run
        for run in reversed(sight.observation.runs)
        if (is_backfill(run) or not asked.is_backfill)
        and asked.job in ("", run.job)
        and (not asked.asset or _is_about(run, asked.asset))
    ]


def _is_about(run: RunEntry, asset: str) -> bool:
    made, failed = (step.asset for step in run.steps), (failure.asset for failure in run.failures)
    return asset in made or asset in failed or asset in run.observed


def _place(runs: Sequence[RunEntry], run_id: str) -> int:
    for place, run in enumerate(runs):
        if run.run_id == run_id:
            return place
    raise RequestError(f"There is nothing after {run_id!r}: no run of this list is that.")


def _listed(sight: Sight, run: RunEntry) -> ListedRun:
    waits_for = None if run.status.is_over else run.waits_for
    return ListedRun(run_row(sight, run), run_took(run, sight.at), run.attempt, waits_for)
