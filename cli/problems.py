"""Problems for people: what keeps the status of assets from being known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from deltaworks.cli.output import Cell
from deltaworks.cli.wording import unreadable

if TYPE_CHECKING:
    from deltaworks.engine.definitions.keys import AssetKey
    from deltaworks.engine.documents.problems import Problems


def own_problem_lines(problems: Problems, keys: Sequence[AssetKey]) -> Iterator[Cell]:
    """Yield what is wrong with assets themselves."""
    for key in keys:
        if key in problems.faults:
            yield Cell(unreadable(key, problems.faults[key]), "bad")
        elif key in problems.lapses:
            yield Cell(f"{key} was {problems.lapses[key]}", "bad")


def problem_lines_from_above(problems: Problems, keys: Sequence[AssetKey]) -> Iterator[Cell]:
    """Yield what is not known of assets, those that the same table holds together."""
    by_fault: dict[AssetKey, list[str]] = {}
    for key in keys:
        if key in problems.held:
            by_fault.setdefault(problems.held[key], []).append(str(key))
    for fault, names in by_fault.items():
        yield Cell(
            f"{', '.join(names)}: as far as is known without {fault}, which cannot be read; until it can, no run "
            f"makes {'it' if len(names) == 1 else 'them'}",
            "stale",
        )
