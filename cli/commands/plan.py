"""`deltaworks plan`: what a backfill would run, and why; nothing runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from deltaworks.cli.command import ExitCode, FromOption, PartitionOption, SelectArgument, Session, ToOption, add
from deltaworks.cli.estimating import estimate_columns, estimate_line
from deltaworks.cli.only import OnlyOption, read_only
from deltaworks.cli.output import Cell, Table, View
from deltaworks.cli.problems import own_problem_lines
from deltaworks.cli.running import WorkersOption
from deltaworks.cli.wording import (
    counted,
    left_out_lines,
    migration_lines,
    nothing_to_do,
    partitions_text,
    without_lines,
)
from deltaworks.engine.documents.plans import plan_json
from deltaworks.engine.documents.problems import Problems

if TYPE_CHECKING:
    from deltaworks.engine.execution.decide import Decision
    from deltaworks.engine.planning.graph import AssetGraph


def plan(
    session: Session,
    select: SelectArgument = None,
    partition: PartitionOption = None,
    from_: FromOption = None,
    to: ToOption = None,
    only: OnlyOption = None,
    workers: WorkersOption = None,
) -> ExitCode:
    """Show what a backfill would make, why, and how much that is."""
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.execution.decide import decide

    project = session.load()
    decision = decide(project.graph, project.store, select or (), partition or (), from_, to, only=read_only(only))
    session.output.show(plan_view(decision, project.graph, workers or project.executor.workers))
    return ExitCode.DONE


def plan_view(decision: Decision, graph: AssetGraph, workers: int) -> View:
    """Show a plan, and how much it will come to when so many calls go on at a time."""
    # Imported here: --help must not load Polars.
    from deltaworks.engine.execution.forecast import forecast

    decided = decision.plan
    estimates = forecast(decision, workers)
    problems = Problems.of(decision.asked.observation, graph)
    document = plan_json(decision, graph, estimates, problems)
    above = dict.fromkeys((*graph.above(decision.asked.request.partitions), *decision.faults))
    troubled = [key for key in above if "problem" in problems.json(key)]
    seen = ", ".join(f"{key} (version {version})" for key, version in decision.as_observed)
    them = "it" if len(decision.as_observed) == 1 else "them"
    lines = (
        *own_problem_lines(problems, troubled),
        *migration_lines(decision),
        *(Cell(f"{key} cannot be made: {problem}", "bad") for key, problem in decision.misfits.items()),
        *left_out_lines(decision, graph),
        *without_lines(decision.asked.request, graph),
        *(Cell(f"{key} was never observed; a backfill observes it first.", "stale") for key in decision.never_observed),
        *([Cell(f"As last observed: {seen}; a backfill observes {them} first.", "quiet")] if seen else []),
    )
    if not decided.steps:
        return View(document, (nothing_to_do(decision, graph, is_known=not decided.held), *lines))
    headings, estimated = estimate_columns(estimates)
    rows = [
        (
            Cell(str(step.asset), "strong"),
            f"{len(step.partitions):,}",
            *cells,
            partitions_text(step.partitions, graph.nodes[step.asset].partitions),
            "; ".join(step.reasons),
        )
        for step, cells in zip(decided.steps, estimated, strict=True)
    ]
    total = f"{counted(decided.partition_count, 'partition')} of {counted(len(decided.planned), 'asset')}"
    table = Table(("asset", "count#", *headings, "partitions", "because"), rows)
    return View(document, (table, *lines, estimate_line(estimates), Cell(total, "strong")))


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "plan", plan)
