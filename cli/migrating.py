"""Migrating: carry out a migration from the command line, and tell how it ended."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from deltaworks.cli.checked import check_lines
from deltaworks.cli.command import ExitCode, Session
from deltaworks.cli.delegating import delegated
from deltaworks.cli.failures import failure_lines, failures_json
from deltaworks.cli.observing import observe_needed, observed_json, observed_lines
from deltaworks.cli.output import Cell, View
from deltaworks.cli.progress import progress
from deltaworks.cli.running import rows_left_out_lines
from deltaworks.cli.stopping import stoppable
from deltaworks.cli.wording import counted
from deltaworks.engine.documents.runs import checks_json, totals_json
from deltaworks.errors import RequestError, RunError

if TYPE_CHECKING:
    from deltaworks.engine.execution.workers.executor_kind import ExecutorKind
    from deltaworks.engine.workspace.project import Project
    from deltaworks.io.run_entry import RunEntry


def run_migration(
    session: Session,
    project: Project,
    select: Sequence[str],
    workers: int | None,
    executor: ExecutorKind | None,
    entry: RunEntry,
) -> ExitCode:
    """Migrate the table of the one asset that is named.

    Args:
        session: the command's.
        project: what is defined.
        select: the asset.
        workers: how many calls run at once; none: as the settings say.
        executor: where functions are called; none: as the settings say.
        entry: the run that begins.

    Raises:
        RequestError: it is not one, or its table cannot be made anew.
        RunError: a source that it is made from could not be observed.
        TableMismatch: partitions that no function makes do not fit.
    """
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.execution.repairs.migrate import migrate
    from deltaworks.engine.execution.workers.workers import Workers

    if len(select) > 1:
        raise RequestError("--migrate takes one asset, since each table is put in place by a commit of its own.")
    node = project.graph.node(select[0])
    if node.asset.foreign is not None:
        return delegated(session, project, node.asset.foreign.location)
    seen = observe_needed(session, project, [str(node.key)], command=entry.command)
    for error in seen.faults.values():
        raise RunError(f"{node.key}: a source of it could not be observed: {error}")
    with stoppable() as stop, progress(session.output) as tell:
        report = migrate(
            project.definitions,
            project.graph,
            node,
            project.store,
            workers=Workers(
                workers or project.executor.workers,
                executor or project.executor.kind,
                project.recipe.load,
                cluster=project.executor.cluster(project.recipe.folder, workers),
            ),
            entry=entry,
            environ=os.environ,
            now=session.now,
            tell=tell,
            stop=stop,
            sharing=project.sharing,
        )
    entry = report.entry
    is_done = entry.commits > 0
    is_well = is_done and entry.status == "success"
    document = {
        "run_id": entry.run_id,
        "status": entry.status.value,
        "totals": totals_json(entry) | {"commits": entry.commits + seen.commits},
        "observed": observed_json(seen, project.graph),
        "failures": failures_json(entry.failures, report.broken, project.store),
        "checks": checks_json(entry),
    }
    summary = (
        f"migrated: {node.key}, {counted(entry.materialized, 'partition')} made anew in one commit"
        if is_done
        else f"not migrated: the table of {node.key} is as it was"
    )
    blocks = (
        *observed_lines(seen, project.graph),
        *failure_lines(entry.failures, report.broken, project.graph, project.store, session.output.width),
        *check_lines(entry),
        *rows_left_out_lines(report),
        Cell(f"{summary} (run {entry.run_id})", "good" if is_well else "bad"),
    )
    session.output.show(View(document, blocks))
    return ExitCode.DONE if is_well else ExitCode.FAILED
