"""`deltaworks why`: the chain of causes of a status, down to a commit or the code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from deltaworks.cli.command import ExitCode, PartitionOption, Session, add
from deltaworks.cli.freshness import freshness_lines
from deltaworks.cli.output import Cell, View
from deltaworks.cli.problems import own_problem_lines, problem_lines_from_above
from deltaworks.engine.documents.explanations import find_why
from deltaworks.engine.documents.instants import instant_text

if TYPE_CHECKING:
    from deltaworks.engine.automation.conditions.told import ToldDecisions
    from deltaworks.engine.definitions.keys import AssetKey
    from deltaworks.engine.planning.explain import Explanation, Made
    from deltaworks.engine.planning.graph import AssetGraph, Node

    ColumnsChanged: TypeAlias = Mapping[AssetKey, tuple[str, ...]]

SHOWN = 10
"""How many explanations, runs or failures stand beside each other for people; --json has them all."""

_TONES = {"fresh": "good", "stale": "stale", "missing": "strong", "external": "outside"}


def why(
    session: Session,
    asset: Annotated[str, typer.Argument(metavar="ASSET", help="An asset.")],
    partition: PartitionOption = None,
) -> ExitCode:
    """Show why a table is as it is, and what automation decided."""
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.execution.observe import observe
    from deltaworks.engine.planning.deeds import not_kept
    from deltaworks.engine.planning.request import request

    project = session.load()
    graph = project.graph
    key = graph.node(asset).key
    within = request(graph, (key,), partition or ()).partitions[key]
    why = find_why(graph, project.store, observe(graph, project.store), key, within, session.now())
    # Of what cannot be read there is nothing to explain.
    told = [] if key in why.problems.faults else list(_tree(why.explanations, graph, why.columns, ""))
    told += freshness_lines(why.freshness, graph)
    told += [] if why.automation is None else list(_automation_lines(why.automation, graph.nodes[key]))
    notes = [Cell(f"note: {not_kept(graph.nodes[source])}", "quiet") for source in why.sources]
    above = [each for each in graph.above((key,)) if each != key]
    own, others = own_problem_lines(why.problems, (*above, key)), problem_lines_from_above(why.problems, (key,))
    session.output.show(View(why.json(graph), (*told, *notes, *own, *others)))
    return ExitCode.DONE


def _tree(
    explanations: Sequence[Explanation], graph: AssetGraph, columns: ColumnsChanged, indent: str
) -> Iterator[Cell]:
    prefix = f"{indent}upstream: " if indent else ""
    for each in explanations[:SHOWN]:
        node = graph.nodes[each.asset]
        named = node.spelled(each.partitions.ranges())
        yield Cell(f"{prefix}{named} is {each.status.word}", _TONES[each.status.word])
        yield from _details(each, graph, columns, indent + "  ")
    if len(explanations) > SHOWN:
        yield Cell(f"{indent}and {len(explanations) - SHOWN} more; --partition KEY asks about one", "quiet")


def _automation_lines(told: ToldDecisions, node: Node) -> Iterator[Cell]:
    when = "if it were evaluated now" if told.at is None else f"as of {instant_text(told.at)} UTC"
    yield Cell(f"automation: {told.condition}, {when}", "strong")
    for each in told.decisions[:SHOWN]:
        tone = "good" if each.sentence.startswith("requested") else "quiet"
        yield Cell(f"  {node.spelled(each.partitions.ranges())} {each.sentence}", tone)
    if len(told.decisions) > SHOWN:
        yield Cell(f"  and {len(told.decisions) - SHOWN} more; --partition KEY asks about one", "quiet")
    if told.unasked:
        yield Cell(f"  {node.spelled(told.unasked.ranges())} not requested: the condition does not ask for it", "quiet")


def _details(each: Explanation, graph: AssetGraph, columns: ColumnsChanged, indent: str) -> Iterator[Cell]:
    for cause in each.own_causes:
        yield Cell(f"{indent}{cause}")
        if each.code is not None and cause.startswith("code: "):
            was = ", ".join(dict.fromkeys(made.code for made in each.made if made.code is not None))
            yield Cell(f"{indent}  made by code {was}; now {each.code.version}, {each.code.where}", "quiet")
            if columns.get(each.asset):
                yield Cell(f"{indent}  {_columns_text(columns[each.asset])} changed")
    if each.status.word in ("fresh", "external"):
        for made in each.made[:SHOWN]:
            yield Cell(f"{indent}{_made_text(made)}", "quiet")
        if len(each.made) > SHOWN:
            yield Cell(f"{indent}and by {len(each.made) - SHOWN} earlier runs; --json lists them all", "quiet")
    for attempt in each.attempts[:SHOWN]:
        yield Cell(f"{indent}failed in run {attempt.run_id}: {attempt.error}", "bad")
    if len(each.attempts) > SHOWN:
        yield Cell(f"{indent}failed: {len(each.attempts) - SHOWN:,} more; --json lists them all", "bad")
    yield from _tree(each.upstream, graph, columns, indent)
    for key in each.above:
        yield Cell(f"{indent}upstream: {key} is {each.status.word}, as explained above", "quiet")
    for key in each.deeper:
        yield Cell(f"{indent}upstream: {key} is {each.status.word}; `deltaworks why {key}` goes on from there", "quiet")


def _columns_text(columns: Sequence[str]) -> str:
    names = columns if len(columns) <= SHOWN else (*columns[:SHOWN], f"{len(columns) - SHOWN} more")
    return f"column{'' if len(columns) == 1 else 's'} {', '.join(names)}"


def _made_text(made: Made) -> str:
    if made.run_id is None:
        return f"written at {_versions(made.versions)} by an outside writer"
    inputs = ", ".join(f"{asset} {_versions(versions)}" for asset, versions in made.inputs.items())
    if made.code is None:
        return f"observed at {_versions(made.versions)} by run {made.run_id}"
    made_from = f", from {inputs}" if inputs else ""
    return f"made at {_versions(made.versions)} by run {made.run_id}{made_from}, by code {made.code}"


def _versions(versions: tuple[int, int]) -> str:
    least, most = versions
    return f"version {most}" if least == most else f"versions {least} to {most}"


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "why", why)
