"""Wording: engine values as the texts and JSON that several commands share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deltaworks.cli.output import Cell

if TYPE_CHECKING:
    from deltaworks.engine.definitions.keys import AssetKey
    from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
    from deltaworks.engine.definitions.partitions.protocols import Partitions
    from deltaworks.engine.execution.decide import Decision
    from deltaworks.engine.planning.graph import AssetGraph
    from deltaworks.engine.planning.request import Request

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
    from deltaworks.engine.definitions.partitions.multi_partitions import key_ranges

    return ", ".join(_pair_text(low, high, definition) for low, high in key_ranges([(first, last)], definition))


def _ranges(partitions: PartitionSet, definition: Partitions) -> list[tuple[int, int]]:
    """Return the ranges of a set, each of which is what `--from` its first and `--to` its last key asks for."""
    # Imported here: --help must not load Polars.
    from deltaworks.engine.definitions.partitions.multi_partitions import key_ranges

    return key_ranges(partitions.ranges(), definition)


def _pair_text(first: int, last: int, definition: Partitions) -> str:
    start, end = definition.key(first), definition.key(last)
    if not start:
        return "whole table"
    return start if first == last else f"{start} .. {end}"


def left_out_text(dropped: int, quarantined: int) -> str:
    """Return how many rows were left out, of any."""
    told = [f"{count:,} {fate}" for count, fate in ((quarantined, "quarantined"), (dropped, "dropped")) if count]
    return ", ".join(told)


def unreadable(key: AssetKey, fault: str) -> str:
    """Say that a table of others cannot be read, and why."""
    return f"{key} cannot be read: {fault}"


def nothing_to_do(decision: Decision, graph: AssetGraph, *, is_known: bool = True) -> Cell:
    """Say why a plan has no steps; lines for what was left out go with it.

    `is_known`: whether all that it hangs on could be observed and read.
    """
    # Imported here: --help must not load Polars.
    from deltaworks.engine.planning.plan import DEFAULT_ONLY

    request, decided = decision.asked.request, decision.plan
    empty = [str(key) for key in request.partitions if not graph.nodes[key].partitions.size]
    asked = sum(len(part) for key, part in request.partitions.items() if not graph.is_source(key))
    if decision.migrations:
        names = ", ".join(each.asset for each in decision.migrations)
        return Cell(f"Nothing can be made before the migration of {names}.", "stale")
    if decided.left_out:
        count = decided.left_out_count
        lack = f"{counted(count, 'partition')} {'lacks what it is' if count == 1 else 'lack what they are'}"
        rest = "; everything else asked for is up to date" if asked > count else ""
        return Cell(f"Nothing can be made: {lack} made from{rest}.", "stale")
    if request.partitions and all(map(graph.is_source, request.partitions)):
        names = ", ".join(map(str, request.partitions))
        return Cell(f"Nothing to make: {names} {'is' if len(request.partitions) == 1 else 'are'} observed.", "good")
    if decision.asked.is_about_nothing:
        why = "nothing is selected"
    elif not asked and empty:
        why = ""
    elif decided.only == DEFAULT_ONLY:
        why = f"everything asked for is up to date{'' if is_known else ', as far as that is known'}"
    else:
        why = f"nothing asked for is {' or '.join(sorted(decided.only))}"
    yet = f"{', '.join(empty)} {'has' if len(empty) == 1 else 'have'} no partitions yet" if empty else ""
    return Cell(f"Nothing to do: {'; '.join(filter(None, (why, yet)))}.", "good" if is_known else "stale")


def without_lines(request: Request, graph: AssetGraph, *, takes_range: bool = True) -> list[Cell]:
    """Say which assets have none of the partitions that were named; `takes_range`: whether the command has `--from`."""
    keys = request.without(graph)
    if not keys:
        return []
    named = f"partition {' or '.join(map(repr, request.named))}"
    if request.ends is not None:
        named = f"partition from {request.ends[0]} to {request.ends[1]}"
    nodes = (graph.nodes[key] for key in keys)
    overlaps = any(node.partitions.between(name, name) for node in nodes for name in request.named)
    hint = " (--from/--to take what overlaps)" if overlaps and takes_range else ""
    return [
        Cell(f"left out: {', '.join(map(str, keys))} {'has' if len(keys) == 1 else 'have'} no {named}{hint}", "stale")
    ]


def migration_lines(decision: Decision) -> list[Cell]:
    """Say which tables have to be migrated first, and how."""
    return [
        Cell(f"migration needed: {each}. `{each.command}` makes the whole table anew.", "stale")
        for each in decision.migrations
    ]


def left_out_lines(decision: Decision, graph: AssetGraph) -> list[Cell]:
    """Say what of a request cannot be made and what would change that; what is held back by itself is told apart."""
    lines: list[Cell] = []
    for left in (each for each in decision.plan.left_out if each.asset not in decision.plan.held):
        made = graph.nodes[left.asset].spelled(left.partitions.ranges())
        lines.append(Cell(f"left out: {made}: {left.reason(graph)}", "stale"))
    return lines
