"""`deltaworks materialize`: make partitions now, whatever their status."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from deltaworks.cli.checked import check_lines
from deltaworks.cli.command import ExitCode, FromOption, NeededSelectArgument, PartitionOption, Session, ToOption, add
from deltaworks.cli.delegating import delegated
from deltaworks.cli.failures import failure_lines, failures_json, warning_lines, warnings_json
from deltaworks.cli.migrating import run_migration
from deltaworks.cli.observing import observe_and_decide
from deltaworks.cli.output import Cell, View
from deltaworks.cli.running import (
    ConfigOption,
    ExecutorOption,
    MemoryOption,
    PriorityOption,
    RunIdOption,
    TagOption,
    WorkersOption,
    begin_run,
    read_asset_config,
    read_executor,
    run_plan,
    tagged,
)
from deltaworks.cli.wording import counted
from deltaworks.engine.documents.runs import checks_json, totals_json
from deltaworks.errors import RequestError

if TYPE_CHECKING:
    from deltaworks.engine.execution.repairs.repair import Keys
    from deltaworks.engine.workspace.project import Project


def materialize(
    session: Session,
    select: NeededSelectArgument,
    partition: PartitionOption = None,
    from_: FromOption = None,
    to: ToOption = None,
    executor: ExecutorOption = None,
    workers: WorkersOption = None,
    memory_mb: MemoryOption = None,
    from_rejects: Annotated[
        bool,
        typer.Option("--from-rejects", help="Judge the rows again that rules left out; no function is called."),
    ] = False,
    migrate: Annotated[
        bool,
        typer.Option("--migrate", help="Make the whole table anew, under the columns of its asset, in one commit."),
    ] = False,
    run_id: RunIdOption = None,
    tag: TagOption = None,
    priority: PriorityOption = 0,
    config: ConfigOption = None,
) -> ExitCode:
    """Make partitions now, whatever their status."""
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.execution.entry import begin_entry
    from deltaworks.engine.execution.repairs.repair import Keys
    from deltaworks.engine.planning.plan import Only

    kind = read_executor(executor)
    project = session.load()
    command = shlex.join(["materialize", *sys.argv[2:]])
    keys = Keys(partition or (), from_, to)
    if migrate and (from_rejects or keys.are_given):
        raise RequestError("--migrate is about a whole table, all of whose partitions are made: name only the asset.")
    if from_rejects and any(each is not None for each in (executor, workers, tag)):
        raise RequestError("--from-rejects calls no function, so --executor, --workers and --tag do not go with it.")
    if run_id is not None and (from_rejects or migrate):
        what = "--from-rejects" if from_rejects else "--migrate"
        raise RequestError(f"{what} and --run-id do not go together: it has no steps that could go on.")
    if config and (from_rejects or migrate):
        what = "--from-rejects calls no function" if from_rejects else "--migrate makes the table as the project says"
        raise RequestError(f"{what}, so it takes no --config.")
    if migrate:
        begun = replace(begin_entry(command, session.now()), tags=tagged(tag), priority=priority)
        return run_migration(session, project, select, workers, kind, begun)
    if from_rejects:
        return _readmit(session, project, select, keys, command)
    layers = read_asset_config(project, config)
    only = frozenset({Only.ALL})
    named = partition or ()
    seen, decision = observe_and_decide(session, project, select, named, from_, to, only=only, command=command)
    if decision.asked.is_about_nothing:
        raise RequestError(f"{shlex.join(select)} selects no asset, so there is nothing to materialize.")
    entry, decision = begin_run(session, project, decision, run_id, command)
    entry = replace(entry, tags=tagged(tag), priority=priority)
    return run_plan(
        session,
        project,
        seen,
        decision,
        workers,
        command,
        entry,
        executor=kind,
        config=layers,
        memory_mb=memory_mb,
    )


def _readmit(session: Session, project: Project, select: list[str], keys: Keys, command: str) -> ExitCode:
    from deltaworks.engine.execution.repairs.readmit import readmit

    if len(select) > 1:
        raise RequestError("--from-rejects takes one asset, since each has rejects of its own.")
    node = project.graph.node(select[0])
    if node.asset.foreign is not None:
        return delegated(session, project, node.asset.foreign.location)
    found = readmit(
        project.definitions,
        project.graph,
        node,
        project.store,
        keys,
        command=command,
        environ=os.environ,
        now=session.now,
    )
    entry = found.entry
    document = {
        "run_id": entry.run_id,
        "status": entry.status.value,
        "totals": {
            **totals_json(entry),
            "readmitted": found.readmitted,
            "still_rejected": found.still_rejected,
        },
        "failures": failures_json(entry.failures, found.broken, project.store),
        "warnings": warnings_json(found.warned),
        "checks": checks_json(entry),
    }
    width = session.output.width
    told = [
        *warning_lines(node, found.warned),
        *failure_lines(entry.failures, found.broken, project.graph, project.store, width),
        *check_lines(entry),
    ]
    if not entry.materialized:
        nothing = f"{node.key}: nothing was committed (run {entry.run_id})"
        session.output.show(View(document, (*told, Cell(nothing, "bad"))))
        return ExitCode.FAILED
    stays = "stays" if found.still_rejected == 1 else "stay"
    summary = (
        f"{node.key}: {found.readmitted:,} of {counted(found.judged, 'rejected row')} came back to "
        f"{counted(entry.materialized, 'partition')}, {found.still_rejected:,} {stays} out (run {entry.run_id})"
    )
    newly_out = entry.dropped + entry.quarantined - found.still_rejected
    were = "was" if newly_out == 1 else "were"
    more = [Cell(f"left out now: {counted(newly_out, 'row')} that {were} in the table", "stale")] if newly_out else []
    is_well = entry.status == "success"
    session.output.show(View(document, (*told, *more, Cell(summary, "good" if is_well else "bad"))))
    return ExitCode.DONE if is_well else ExitCode.FAILED


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "materialize", materialize)
