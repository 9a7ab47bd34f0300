"""Observing: the sources that a run needs are asked first, and what was found stands beside what the run did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from deltaworks.cli.command import Session
from deltaworks.cli.output import Cell
from deltaworks.cli.progress import progress
from deltaworks.cli.wording import counted, partitions_text
from deltaworks.engine.documents.partitions import partitions_json, split_defined

if TYPE_CHECKING:
    from deltaworks.engine.execution.decide import Decision
    from deltaworks.engine.execution.look import Observed
    from deltaworks.engine.execution.sources import Observations
    from deltaworks.engine.planning.graph import AssetGraph, Node
    from deltaworks.engine.planning.plan import Only
    from deltaworks.engine.workspace.project import Project

SHOWN_IGNORED = 3
"""How many of the keys and paths that belong to no partition are named."""


def observe_and_decide(
    session: Session,
    project: Project,
    select: Sequence[str],
    named: Sequence[str],
    from_key: str | None,
    to_key: str | None,
    *,
    only: frozenset[Only],
    command: str,
) -> tuple[Observations, Decision]:
    """Observe what a run needs, commit what of it has changed, and decide on the lake as it is then."""
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.execution.decide import decide

    seen = observe_needed(session, project, select, named, from_key, to_key, command=command)
    return seen, decide(project.graph, project.store, select, named, from_key, to_key, only=only, unseen=seen.faults)


def observe_needed(
    session: Session,
    project: Project,
    select: Sequence[str],
    named: Sequence[str] = (),
    from_key: str | None = None,
    to_key: str | None = None,
    *,
    command: str,
) -> Observations:
    """Observe what a run needs, and commit what of it has changed."""
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.execution.sources import Observations, needed_sources
    from deltaworks.engine.workspace.doing import observe

    keys = needed_sources(project.graph, project.store, select, named, from_key, to_key)
    if not keys:
        return Observations()
    with progress(session.output) as tell:
        return observe(project, keys, command=command, now=session.now, tell=tell)


def observed_lines(seen: Observations, graph: AssetGraph) -> Iterator[Cell]:
    """Yield what was found in each source."""
    same = [str(each.asset) for each in seen.sources if each.version is None and each.error is None]
    if same:
        yield Cell(f"observed: nothing changed in {', '.join(same)}", "quiet")
    for each in seen.sources:
        node = graph.nodes[each.asset]
        if each.error is not None:
            yield Cell(f"failed: {each.error}", "bad")
        found = [
            f"{_text(node, keys)} {deed}" for keys, deed in ((each.changed, "changed"), (each.gone, "gone")) if keys
        ]
        if each.version is not None:
            told = "; ".join(found) or "as it was before others wrote to its table"
            yield Cell(f"observed: {each.asset}: {told} (version {each.version})", "quiet")
        if each.note is not None:
            yield Cell(f"note: {each.asset}: {each.note}", "stale")
        if each.ignored:
            yield Cell(f"ignored: {each.asset}: {_ignored(each)}", "stale")


def observed_json(seen: Observations, graph: AssetGraph) -> list[dict[str, Any]]:
    """Return the same as JSON."""
    return [
        {
            "asset": str(each.asset),
            "version": each.version,
            "changed": _json(graph.nodes[each.asset], each.changed),
            "gone": _json(graph.nodes[each.asset], each.gone),
            "ignored": {"count": len(each.ignored), "some": list(each.ignored[:SHOWN_IGNORED])},
            "error": each.error,
            **({} if each.note is None else {"note": each.note}),
        }
        for each in seen.sources
    ]


def _ignored(each: Observed) -> str:
    shown = ", ".join(map(repr, each.ignored[:SHOWN_IGNORED]))
    more = f" and {len(each.ignored) - SHOWN_IGNORED:,} more" if len(each.ignored) > SHOWN_IGNORED else ""
    return f"{shown}{more}: no {'partition' if len(each.ignored) == 1 else 'partitions'} of its definition"


def _text(node: Node, keys: Sequence[str]) -> str:
    defined, beyond = split_defined(keys, node.partitions)
    texts = [partitions_text(defined, node.partitions)] if defined else []
    return ", ".join(texts + ([f"{counted(beyond, 'partition')} beyond the definition"] if beyond else []))


def _json(node: Node, keys: Sequence[str]) -> dict[str, Any]:
    defined, beyond = split_defined(keys, node.partitions)
    return partitions_json(defined, node.partitions) | ({"undefined": beyond} if beyond else {})
