"""Failures: what a run could not make, each reason once, with the partitions that failed for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from deltaworks.cli.broken import BrokenPartition, broken_lines
from deltaworks.cli.output import Cell
from deltaworks.cli.wording import counted
from deltaworks.engine.documents.partitions import split_defined
from deltaworks.engine.documents.problems import plain_reason

if TYPE_CHECKING:
    from deltaworks.engine.execution.task import Broken
    from deltaworks.engine.planning.graph import AssetGraph, Node
    from deltaworks.io.run_entry import Failure
    from deltaworks.io.store import Store

BrokenByName: TypeAlias = "Mapping[tuple[str, str | None], Broken]"
"""By asset and partition as a failure names them, what is known of partitions whose rows were refused."""

SHOWN_FAILURES = 10
"""How many failures stand in the report for people; the ledger and --json have them all."""


def failures_json(failures: Iterable[Failure], broken: BrokenByName, store: Store) -> list[dict[str, Any]]:
    """Return failures of a run; `rules` are those that the rows did not keep, if it was their contract."""
    told = ((failure, _told(broken, failure, store)) for failure in failures)
    return [
        {
            "asset": failure.asset,
            "partition": failure.partition,
            "error": failure.error,
            "rules": [] if found is None else list(found.rules),
            "kept": None if found is None else found.kept,
        }
        for failure, found in told
    ]


def failure_lines(
    failures: Sequence[Failure], broken: BrokenByName, graph: AssetGraph, store: Store, width: int
) -> Iterator[Cell]:
    """Yield each reason once, with the partitions that failed for it; a broken contract as a table of its rules."""
    # Imported here: --help must not load Polars.
    from deltaworks.io.kept import KEPT_FOR

    alike: dict[tuple[str, object], list[Failure]] = {}
    for failure in failures:
        told = _told(broken, failure, store)
        plain = plain_reason(failure.asset, failure.partition or "", failure.error)
        alike.setdefault((failure.asset, plain if told is None else told.broke), []).append(failure)
    for (asset, reason), group in list(alike.items())[:SHOWN_FAILURES]:
        node, keys = graph.node(asset), [failure.partition or "" for failure in group]
        if isinstance(reason, str):
            yield Cell(f"failed: {_failure_text(node, reason, keys)}", "bad")
            continue
        whose = "it" if len(keys) == 1 else "them"
        yield Cell(f"failed: {_failure_text(node, f'nothing was committed for {whose}', keys)}", "bad")
        found = [told for failure in group if (told := _told(broken, failure, store)) is not None]
        yield from broken_lines(found, f"kept for {KEPT_FOR.days} days", width)
    shown = sum(map(len, list(alike.values())[:SHOWN_FAILURES]))
    if len(failures) > shown:
        yield Cell(f"failed: {len(failures) - shown:,} more; --json lists them all", "bad")


def warnings_json(warned: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """Return what did not pass in partitions that were committed nevertheless, by key."""
    return [{"partition": key or None, "warning": text} for key, texts in warned.items() for text in texts]


def warning_lines(node: Node, warned: Mapping[str, Sequence[str]]) -> Iterator[Cell]:
    """Yield the same for people."""
    for key, texts in list(warned.items())[:SHOWN_FAILURES]:
        yield Cell(f"warning: {f'{node.key} {key}'.rstrip()}: {'; '.join(texts)}", "stale")
    if len(warned) > SHOWN_FAILURES:
        yield Cell(f"warning: {len(warned) - SHOWN_FAILURES:,} more; --json lists them all", "stale")


def _told(broken: BrokenByName, failure: Failure, store: Store) -> BrokenPartition | None:
    """Return what is known of a partition whose rows were judged; none: it failed for another reason."""
    found = broken.get((failure.asset, failure.partition))
    if found is None:
        return None
    kept = None if found.kept.path is None else store.uri(found.kept.path)
    return BrokenPartition([rule.to_json() for rule in found.rules], kept, found.kept.why_not)


def _failure_text(node: Node, reason: str, keys: Sequence[str]) -> str:
    """Name the partitions that failed, where the reason does not name those of its call itself."""
    if not reason.startswith(f"{node.key} "):
        reason = f"{node.spelled(split_defined(keys, node.partitions)[0].ranges())}: {reason}"
    return reason if len(keys) == 1 else f"{reason} ({counted(len(keys), 'partition')})"
