"""`deltaworks materialize`: make partitions now, whatever their status."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from deltaworks.cli.command import ExitCode, FromOption, NeededSelectArgument, PartitionOption, Session, ToOption, add
from deltaworks.cli.observing import observe_and_decide
from deltaworks.cli.output import Cell, View
from deltaworks.cli.running import PriorityOption, TagOption, WorkersOption, run_plan, tagged
from deltaworks.cli.wording import counted
from deltaworks.errors import RequestError

if TYPE_CHECKING:
    from deltaworks.engine.execution.repair import Keys
    from deltaworks.engine.workspace.project import Project


def materialize(
    session: Session,
    select: NeededSelectArgument,
    partition: PartitionOption = None,
    from_: FromOption = None,
    to: ToOption = None,
    workers: WorkersOption = None,
    from_rejects: Annotated[
        bool,
        typer.Option("--from-rejects", help="Judge the rows again that rules left out; no function is called."),
    ] = False,
    run_id: Annotated[
        str | None,
        typer.Option("--run-id", metavar="ID", help="Be this run: what its commits hold already is left out."),
    ] = None,
    tag: TagOption = None,
    priority: PriorityOption = 0,
) -> ExitCode:
    """Make partitions now, whatever their status."""
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.execution.attempt import begin_attempt, without_made
    from deltaworks.engine.execution.entry import begin_entry
    from deltaworks.engine.execution.repair import Keys
    from deltaworks.engine.planning.plan import Only

    project = session.load()
    command = shlex.join(["materialize", *sys.argv[2:]])
    if from_rejects and run_id is not None:
        raise RequestError("--from-rejects and --run-id do not go together: it calls no function that could go on.")
    if from_rejects:
        return _readmit(session, project, select, Keys(partition or (), from_, to), command)
    only = frozenset({Only.ALL})
    named = partition or ()
    seen, decision = observe_and_decide(session, project, select, named, from_, to, only=only, command=command)
    if decision.asked.is_about_nothing:
        raise RequestError(f"{shlex.join(select)} selects no asset, so there is nothing to materialize.")
    if run_id is None:
        entry = begin_entry(command, session.now())
    else:
        entry = begin_attempt(project.store, run_id, command, session.now())
        decision = without_made(project.graph, decision, run_id)
    return run_plan(
        session, project, seen, decision, workers, command, replace(entry, tags=tagged(tag), priority=priority)
    )


def _readmit(session: Session, project: Project, select: list[str], keys: Keys, command: str) -> ExitCode:
    from deltaworks.engine.execution.readmit import readmit

    if len(select) > 1:
        raise RequestError("--from-rejects takes one asset, since each has rejects of its own.")
    node = project.graph.node(select[0])
    done = readmit(project.graph, node, project.store, keys, command=command, now=session.now)
    assert done.entry is not None, "rejects that are judged again are a run"
    entry = done.entry
    document = {
        "run_id": entry.run_id,
        "status": entry.status.value,
        "totals": {
            "materialized": entry.materialized,
            "failed": entry.failed,
            "skipped": 0,
            "commits": entry.commits,
        },
        "failures": [
            {"asset": failure.asset, "partition": failure.partition, "error": failure.error}
            for failure in entry.failures
        ],
    }
    failed = [Cell(f"failed: {failure.error}", "bad") for failure in entry.failures]
    summary = f"{node.key}: the rejects of {counted(entry.materialized, 'partition')} judged again (run {entry.run_id})"
    session.output.show(View(document, (*failed, Cell(summary, "bad" if failed else "good"))))
    return ExitCode.FAILED if failed else ExitCode.DONE


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "materialize", materialize)
