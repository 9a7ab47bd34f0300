"""`deltaworks materialize`: make partitions now, whatever their status."""

from __future__ import annotations

import os
import shlex
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from deltaworks.cli.checked import check_lines, checks_json
from deltaworks.cli.command import ExitCode, FromOption, NeededSelectArgument, PartitionOption, Session, ToOption, add
from deltaworks.cli.observing import observe_and_decide
from deltaworks.cli.output import Cell, View
from deltaworks.cli.running import WorkersOption, run_plan
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
) -> ExitCode:
    """Make partitions now, whatever their status."""
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.execution.repair import Keys
    from deltaworks.engine.planning.plan import Only

    project = session.load()
    command = shlex.join(["materialize", *sys.argv[2:]])
    if from_rejects:
        return _readmit(session, project, select, Keys(partition or (), from_, to), command)
    only = frozenset({Only.ALL})
    named = partition or ()
    seen, decision = observe_and_decide(session, project, select, named, from_, to, only=only, command=command)
    if decision.asked.is_about_nothing:
        raise RequestError(f"{shlex.join(select)} selects no asset, so there is nothing to materialize.")
    return run_plan(session, project, seen, decision, workers, command)


def _readmit(session: Session, project: Project, select: list[str], keys: Keys, command: str) -> ExitCode:
    from deltaworks.engine.execution.readmit import readmit

    if len(select) > 1:
        raise RequestError("--from-rejects takes one asset, since each has rejects of its own.")
    node = project.graph.node(select[0])
    done = readmit(
        project.definitions,
        project.graph,
        node,
        project.store,
        keys,
        command=command,
        environ=os.environ,
        now=session.now,
    )
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
        "checks": checks_json(entry),
    }
    failed = [Cell(f"failed: {failure.error}", "bad") for failure in entry.failures]
    summary = f"{node.key}: the rejects of {counted(entry.materialized, 'partition')} judged again (run {entry.run_id})"
    has_failed = entry.status != "success"
    lines = (*failed, *check_lines(entry), Cell(summary, "bad" if has_failed else "good"))
    session.output.show(View(document, lines))
    return ExitCode.FAILED if has_failed else ExitCode.DONE


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "materialize", materialize)
