"""Repairing: what a rollback or a wipe did, as people and programs see it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from deltaworks.cli.command import ExitCode, Session
from deltaworks.cli.failures import failure_lines, failures_json, warning_lines, warnings_json
from deltaworks.cli.output import Cell, View
from deltaworks.cli.wording import counted, partitions_text
from deltaworks.engine.documents.partitions import partitions_json, split_defined

if TYPE_CHECKING:
    from deltaworks.engine.execution.repairs.repair import Repair
    from deltaworks.engine.planning.graph import Node
    from deltaworks.engine.workspace.project import Project

SHOWN_CONFLICTS = 10
"""How many conflicts stand in the report for people; the ledger and --json have them all."""


def show_repair(
    session: Session, project: Project, node: Node, done: Repair, changed: str, emptied: str, unchanged: str
) -> ExitCode:
    """Show what was done; the last three arguments say it of partitions."""
    failures = () if done.entry is None else done.entry.failures
    refused = [failure for failure in failures if (failure.partition or "") in done.refused]
    document = {
        "asset": str(node.key),
        "run_id": None if done.entry is None else done.entry.run_id,
        "status": "success" if done.entry is None else done.entry.status.value,
        "version": done.version,
        "changed": _keys_json(node, done.changed),
        "emptied": _keys_json(node, done.emptied),
        "unchanged": _keys_json(node, done.unchanged),
        "failures": failures_json(failures, done.broken, project.store),
        "warnings": warnings_json(done.warned),
    }
    told = ((done.changed, changed, "good"), (done.emptied, emptied, "good"), (done.unchanged, unchanged, "quiet"))
    parts = [Cell(f"{_keys_text(node, keys)}: {words}", tone) for keys, words, tone in told if keys]
    lines = failure_lines(refused, done.broken, project.graph, project.store, session.output.width)
    session.output.show(View(document, (*parts, *warning_lines(node, done.warned), *lines, *_ending(node, done))))
    return ExitCode.FAILED if done.conflicts or done.refused else ExitCode.DONE


def _ending(node: Node, done: Repair) -> Iterator[Cell]:
    for conflict in done.conflicts[:SHOWN_CONFLICTS]:
        yield Cell(f"failed: {conflict}", "bad")
    if len(done.conflicts) > SHOWN_CONFLICTS:
        yield Cell(f"failed: {len(done.conflicts) - SHOWN_CONFLICTS:,} more; --json lists them all", "bad")
    if done.note is not None:
        yield Cell(f"note: {done.note}", "stale")
    if done.entry is None:
        yield Cell("Nothing to do.", "good")
    elif done.version is None:
        yield Cell(f"{node.key}: nothing was committed (run {done.entry.run_id})", "bad")
    else:
        many = counted(done.entry.replaced, "partition")
        yield Cell(
            f"{node.key}: {many} {done.entry.kind.deed} at version {done.version} (run {done.entry.run_id})", "good"
        )


def _keys_json(node: Node, keys: Sequence[str]) -> dict[str, Any]:
    defined, beyond = split_defined(keys, node.partitions)
    return partitions_json(defined, node.partitions) | ({"undefined": beyond} if beyond else {})


def _keys_text(node: Node, keys: Sequence[str]) -> str:
    defined, beyond = split_defined(keys, node.partitions)
    texts = [partitions_text(defined, node.partitions)] if defined else []
    return ", ".join(texts + ([f"{counted(beyond, 'partition')} beyond the definition"] if beyond else []))
