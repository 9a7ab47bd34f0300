"""Wording: engine values as the texts and JSON that several commands share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deltaworks.cli.output import Cell

if TYPE_CHECKING:
    from deltaworks.engine.definitions.partition_set import PartitionSet
    from deltaworks.engine.definitions.partitions import Partitions
    from deltaworks.engine.execution.decide import Decision
    from deltaworks.engine.planning.graph import AssetGraph
    from deltaworks.engine.planning.plan import Plan

SHOWN_RANGES = 4
"""How many ranges of partitions stand in a line for people; the rest is counted."""


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, which takes an s unless there is one."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def bytes_text(size_bytes: int) -> str:
    """Return a size in the unit that people read it in."""
    if size_bytes < 1000:
        return f"{size_bytes} B"
    size = float(size_bytes)
    for unit in ("kB", "MB", "GB"):
        size /= 1000
        if size < 999.95:
            return f"{size:,.1f} {unit}"
    return f"{size / 1000:,.1f} TB"


def partitions_json(partitions: PartitionSet, definition: Partitions) -> dict[str, Any]:
    """Return a set of partitions as count and ranges; a single key is a range of itself."""
    ranges = [[definition.key(first), definition.key(last)] for first, last in _ranges(partitions, definition)]
    return {"count": len(partitions), "ranges": ranges}


def partitions_text(partitions: PartitionSet, definition: Partitions) -> str:
    """Return a set of partitions in one line."""
    ranges = _ranges(partitions, definition)
    spelled = [_pair_text(first, last, definition) for first, last in ranges[:SHOWN_RANGES]]
    if len(ranges) > SHOWN_RANGES:
        spelled.append(f"and {len(ranges) - SHOWN_RANGES} more ranges")
    return ", ".join(spelled)


def range_text(first: int, last: int, definition: Partitions) -> str:
    """Return consecutive partitions in a few words."""
    # Imported here: --help must not load Polars.
    from deltaworks.engine.definitions.multi_partitions import key_ranges

    return ", ".join(_pair_text(low, high, definition) for low, high in key_ranges([(first, last)], definition))


def _ranges(partitions: PartitionSet, definition: Partitions) -> list[tuple[int, int]]:
    """Return the ranges of a set, each of which is what `--from` its first and `--to` its last key asks for."""
    # Imported here: --help must not load Polars.
    from deltaworks.engine.definitions.multi_partitions import key_ranges

    return key_ranges(partitions.ranges(), definition)


def _pair_text(first: int, last: int, definition: Partitions) -> str:
    start, end = definition.key(first), definition.key(last)
    if not start:
        return "whole table"
    return start if first == last else f"{start} .. {end}"


def nothing_to_do(decision: Decision) -> Cell:
    """Say why a plan has no steps."""
    why = "nothing is selected" if decision.asked.is_about_nothing else "everything asked for is up to date"
    return Cell(f"Nothing to do: {why}.", "good")


def left_out_lines(plan: Plan, graph: AssetGraph) -> list[Cell]:
    """Say what of a request cannot be made and what would change that."""
    lines: list[Cell] = []
    for left in plan.left_out:
        definition = graph.nodes[left.asset].partitions
        made = f"{left.asset} {partitions_text(left.partitions, definition)}"
        lines.append(Cell(f"left out: {made}: {left.reason(graph)}", "stale"))
    return lines


def left_out_json(plan: Plan, graph: AssetGraph) -> list[dict[str, Any]]:
    """Return the same as JSON."""
    return [
        {
            "asset": str(left.asset),
            "partitions": partitions_json(left.partitions, graph.nodes[left.asset].partitions),
            "upstream": str(left.upstream),
            "command": left.command,
        }
        for left in plan.left_out
    ]
