"""Failures: what a run could not make, each reason once, with the partitions that failed for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from deltaworks.cli.broken import BrokenPartition, broken_lines
from deltaworks.cli.output import Cell
from deltaworks.cli.wording import counted, plain_reason, split_defined

if TYPE_CHECKING:
    from deltaworks.engine.execution.run import RunReport
    from deltaworks.engine.planning.graph import AssetGraph, Node
    from deltaworks.io.ledger import Failure
    from deltaworks.io.store import Store

SHOWN_FAILURES = 10
"""How many failures stand in the report for people; the ledger and --json have them all."""


def failures_json(report: RunReport, store: Store) -> list[dict[str, Any]]:
    """Return the failures of a run; `rules` are those that the rows did not keep, if it was their contract."""
    found = ((failure, _broken(report, failure, store)) for failure in report.entry.failures)
    return [
        {
            "asset": failure.asset,
            "partition": failure.partition,
            "error": failure.error,
            "rules": [] if broken is None else list(broken.rules),
            "kept": None if broken is None else broken.kept,
        }
        for failure, broken in found
    ]


def failure_lines(report: RunReport, graph: AssetGraph, store: Store, width: int) -> Iterator[Cell]:
    """Yield each reason once, with the partitions that failed for it; a broken contract as a table of its rules."""
    # Imported here: --help must not load Polars.
    from deltaworks.io.kept import KEPT_FOR

    alike: dict[tuple[str, object], list[Failure]] = {}
    for failure in report.entry.failures:
        broken = _broken(report, failure, store)
        plain = plain_reason(failure.asset, failure.partition or "", failure.error)
        alike.setdefault((failure.asset, plain if broken is None else broken.broke), []).append(failure)
    for (asset, reason), failures in list(alike.items())[:SHOWN_FAILURES]:
        node, keys = graph.node(asset), [failure.partition or "" for failure in failures]
        if isinstance(reason, str):
            yield Cell(f"failed: {_failure_text(node, reason, keys)}", "bad")
            continue
        whose = "it" if len(keys) == 1 else "them"
        yield Cell(f"failed: {_failure_text(node, f'nothing was committed for {whose}', keys)}", "bad")
        found = [broken for failure in failures if (broken := _broken(report, failure, store)) is not None]
        yield from broken_lines(found, f"kept for {KEPT_FOR.days} days", width)
    shown = sum(map(len, list(alike.values())[:SHOWN_FAILURES]))
    if len(report.entry.failures) > shown:
        yield Cell(f"failed: {len(report.entry.failures) - shown:,} more; --json lists them all", "bad")


def _broken(report: RunReport, failure: Failure, store: Store) -> BrokenPartition | None:
    """Return what is known of a partition whose rows were judged; none: it failed for another reason."""
    broken = report.broken.get((failure.asset, failure.partition))
    if broken is None:
        return None
    kept = None if broken.kept.path is None else store.uri(broken.kept.path)
    return BrokenPartition([rule.to_json() for rule in broken.rules], kept, broken.kept.why_not)


def _failure_text(node: Node, reason: str, keys: Sequence[str]) -> str:
    """Name the partitions that failed, where the reason does not name those of its call itself."""
    if not reason.startswith(f"{node.key} "):
        reason = f"{node.spelled(split_defined(keys, node.partitions)[0].ranges())}: {reason}"
    return reason if len(keys) == 1 else f"{reason} ({counted(len(keys), 'partition')})"
