"""`deltaworks why`: the chain of causes of a status, down to a commit or the code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deltaworks.cli.command import ExitCode, PartitionOption, Session, add
from deltaworks.cli.output import Cell, View
from deltaworks.cli.wording import partitions_json, partitions_text

if TYPE_CHECKING:
    from deltaworks.engine.planning.explain import Explanation, Made
    from deltaworks.engine.planning.graph import AssetGraph

SHOWN = 10
"""How many explanations, runs or failures stand beside each other for people; --json has them all."""

_TONES = {"fresh": "good", "stale": "stale", "missing": "strong", "external": "outside"}


def why(
    session: Session,
    asset: Annotated[str, typer.Argument(metavar="ASSET", help="An asset.")],
    partition: PartitionOption = None,
) -> ExitCode:
    """Show why a table is stale, missing or fresh."""
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.execution.observe import observe
    from deltaworks.engine.planning.explain import explain
    from deltaworks.engine.planning.request import request
    from deltaworks.io.ledger import read_runs

    project = session.load()
    graph = project.graph
    key = graph.node(asset).key
    within = request(graph, (key,), partition or ()).partitions[key]
    explanations = explain(observe(graph, project.store).status, key, within, read_runs(project.store))
    document = {"asset": str(key), "explanations": [_json(each, graph) for each in explanations]}
    session.output.show(View(document, tuple(_tree(explanations, graph, ""))))
    return ExitCode.DONE


def _tree(explanations: Sequence[Explanation], graph: AssetGraph, indent: str) -> Iterator[Cell]:
    prefix = f"{indent}upstream: " if indent else ""
    for each in explanations[:SHOWN]:
        node = graph.nodes[each.asset]
        which = f" {partitions_text(each.partitions, node.partitions)}" if node.partition_columns else ""
        yield Cell(f"{prefix}{each.asset}{which} is {each.status.word}", _TONES[each.status.word])
        yield from _details(each, graph, indent + "  ")
    if len(explanations) > SHOWN:
        yield Cell(f"{indent}and {len(explanations) - SHOWN} more; --partition KEY asks about one", "quiet")


def _details(each: Explanation, graph: AssetGraph, indent: str) -> Iterator[Cell]:
    for cause in each.own_causes:
        yield Cell(f"{indent}{cause}")
        if each.code is not None and cause.startswith("code: "):
            was = ", ".join(dict.fromkeys(made.code for made in each.made))
            yield Cell(f"{indent}  made by code {was}; now {each.code.version}, {each.code.where}", "quiet")
    if each.status.word == "fresh":
        for made in each.made[:SHOWN]:
            yield Cell(f"{indent}{_made_text(made)}", "quiet")
        if len(each.made) > SHOWN:
            yield Cell(f"{indent}and by {len(each.made) - SHOWN} earlier runs; --json lists them all", "quiet")
    for attempt in each.attempts[:SHOWN]:
        yield Cell(f"{indent}failed in run {attempt.run_id}: {attempt.error}", "bad")
    if len(each.attempts) > SHOWN:
        yield Cell(f"{indent}failed: {len(each.attempts) - SHOWN:,} more; --json lists them all", "bad")
    yield from _tree(each.upstream, graph, indent)
    for key in each.above:
        yield Cell(f"{indent}upstream: {key} is {each.status.word}, as explained above", "quiet")
    for key in each.deeper:
        yield Cell(f"{indent}upstream: {key} is {each.status.word}; `deltaworks why {key}` goes on from there", "quiet")


def _made_text(made: Made) -> str:
    inputs = ", ".join(f"{asset} {_versions(versions)}" for asset, versions in made.inputs.items())
    made_from = f", from {inputs}" if inputs else ""
    return f"made at {_versions(made.versions)} by run {made.run_id}{made_from}, by code {made.code}"


def _versions(versions: tuple[int, int]) -> str:
    least, most = versions
    return f"version {most}" if least == most else f"versions {least} to {most}"


def _json(each: Explanation, graph: AssetGraph) -> dict[str, Any]:
    code = each.code
    return {
        "asset": str(each.asset),
        "partitions": partitions_json(each.partitions, graph.nodes[each.asset].partitions),
        "status": each.status.word,
        "causes": list(each.causes),
        "code": None if code is None else {"now": code.version, "file": code.where.file, "line": code.where.line},
        "made": [
            {
                "run_id": made.run_id,
                "versions": list(made.versions),
                "partitions": made.partitions,
                "inputs": {asset: list(versions) for asset, versions in made.inputs.items()},
                "code": made.code,
            }
            for made in each.made
        ],
        "failed": [
            {"run_id": attempt.run_id, "partition": attempt.partition or None, "error": attempt.error}
            for attempt in each.attempts
        ],
        "upstream": [_json(upstream, graph) for upstream in each.upstream],
        "explained_above": [str(key) for key in each.above],
        "goes_on_at": [str(key) for key in each.deeper],
    }


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "why", why)
