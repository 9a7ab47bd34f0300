"""Checked: what the checks after a run's commits said, each problem once, with the partitions that have it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from deltaworks.cli.failures import SHOWN_FAILURES
from deltaworks.cli.output import Cell
from deltaworks.cli.wording import counted

if TYPE_CHECKING:
    from deltaworks.io.run_entry import CheckFailure, RunEntry

_SHOWN_KEYS = 3


def check_lines(entry: RunEntry) -> Iterator[Cell]:
    """Yield each problem once; what is committed stays, so that a warning is only that."""
    alike: dict[tuple[str, str, str], list[CheckFailure]] = {}
    for failure in entry.check_failures:
        alike.setdefault((failure.asset, failure.severity, failure.problem), []).append(failure)
    for (asset, severity, problem), failures in list(alike.items())[:SHOWN_FAILURES]:
        keys = [failure.partition for failure in failures if failure.partition is not None]
        more = f" and {len(keys) - _SHOWN_KEYS:,} more" if len(keys) > _SHOWN_KEYS else ""
        whose = f"{asset} {', '.join(keys[:_SHOWN_KEYS])}{more}".rstrip()
        text = f"{whose} (committed, version {failures[0].version}): {problem}"
        yield Cell(f"failed: {text}", "bad") if severity == "fail" else Cell(f"warning: {text}", "stale")
    hidden = sum(map(len, list(alike.values())[SHOWN_FAILURES:]))
    if hidden:
        yield Cell(f"{counted(hidden, 'more check')} did not pass; --json lists them all", "stale")
    if entry.checks_passed:
        yield Cell(f"{counted(entry.checks_passed, 'check')} passed after the commit", "quiet")
