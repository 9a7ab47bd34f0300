"""`deltaworks runs logs`: what happened in a run and what its code printed, also while it goes on."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deltaworks.cli.command import ExitCode, RunArgument, Session, add
from deltaworks.cli.output import Cell, View
from deltaworks.engine.documents.instants import instant_text
from deltaworks.engine.documents.run_logs import log_line
from deltaworks.errors import RequestError

if TYPE_CHECKING:
    from deltaworks.io.run_entry import RunEntry
    from deltaworks.io.run_logs import LogReader
    from deltaworks.io.store import Store

POLL_S = 0.3

SHOWN_LINES = 1000
"""How many lines are shown at once, so that a long log need not fit into memory."""


def logs(
    session: Session,
    run: RunArgument = "latest",
    follow: Annotated[bool, typer.Option("--follow", help="Go on until the run ends.")] = False,
) -> ExitCode:
    """Show what happened in a run and what its code printed."""
    # Imported here: --help must not load Polars.
    from deltaworks.io.ledger import find_run, read_runs
    from deltaworks.io.run_logs import LogReader

    store = session.open_lake()
    found = find_run(read_runs(store), run)
    reader = LogReader(store, found.run_id)
    if session.as_json:
        if follow:
            raise RequestError("--follow shows lines as they come, and --json is one document; leave out one of them.")
        session.output.show(View(list(reader.read())))
        return ExitCode.DONE
    try:
        shown = _follow(session, store, found, reader) if follow else _show(session, reader)
    except KeyboardInterrupt:
        if not follow:
            raise
        return ExitCode.DONE
    if not shown:
        session.output.show(View([], (Cell(f"Nothing is kept of run {found.run_id}.", "quiet"),)))
    return ExitCode.DONE


def _follow(session: Session, store: Store, run: RunEntry, reader: LogReader) -> int:
    """Show what is there and what comes until the run is over, and return how many lines that were."""
    from deltaworks.io.ledger import read_run

    shown = 0
    while True:
        run = read_run(store, run) or run
        is_over = run.status_at(session.now()).is_over  # before the last look, so that nothing is missed
        shown += _show(session, reader)
        if is_over:
            return shown
        time.sleep(POLL_S)


def _show(session: Session, reader: LogReader) -> int:
    """Show what is new, and return how many lines that were."""
    shown = 0
    cells: list[Cell] = []
    for document in reader.read():
        cells.append(_cell(document))
        if len(cells) == SHOWN_LINES:
            shown += len(cells)
            session.output.show(View(None, tuple(cells)))
            cells = []
    if cells:
        session.output.show(View(None, tuple(cells)))
    return shown + len(cells)


def _cell(document: Mapping[str, Any]) -> Cell:
    line = log_line(document)
    at = "-" if line.at is None else instant_text(line.at)
    told = f"{line.label}  {line.text}" if line.is_event else f"{line.step}  {line.label}: {line.text}"
    return Cell(f"{at}  {told}".rstrip(), line.tone)


def add_to(group: typer.Typer) -> None:
    """Add the command to those about runs."""
    add(group, "logs", logs)
