"""`deltaworks backfill`: make what is missing, stale or failed."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from typing import Annotated

import typer

from deltaworks.cli.command import ExitCode, FromOption, PartitionOption, SelectArgument, Session, ToOption, add
from deltaworks.cli.commands.plan import plan_view
from deltaworks.cli.observing import observe_and_decide
from deltaworks.cli.only import OnlyOption, read_only
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


def backfill(
    session: Session,
    select: SelectArgument = None,
    partition: PartitionOption = None,
    from_: FromOption = None,
    to: ToOption = None,
    only: OnlyOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and run nothing.")] = False,
    executor: ExecutorOption = None,
    workers: WorkersOption = None,
    memory_mb: MemoryOption = None,
    run_id: RunIdOption = None,
    tag: TagOption = None,
    priority: PriorityOption = 0,
    config: ConfigOption = None,
) -> ExitCode:
    """Make what is missing, stale or failed."""
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.execution.decide import decide

    kind = read_executor(executor)
    project = session.load()
    layers = read_asset_config(project, config)
    chosen, named, wanted = select or (), partition or (), read_only(only)
    if dry_run:
        decision = decide(project.graph, project.store, chosen, named, from_, to, only=wanted)
        session.output.show(plan_view(decision, project.graph, workers or project.executor.workers))
        return ExitCode.DONE
    command = shlex.join(["backfill", *sys.argv[2:]])
    seen, decision = observe_and_decide(session, project, chosen, named, from_, to, only=wanted, command=command)
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


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "backfill", backfill)
