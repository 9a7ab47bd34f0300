"""`deltaworks runs logs`: what happened in a run and what its code printed, also while it goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deltaworks.cli.command import ExitCode, RunArgument, Session, add
from deltaworks.cli.output import Cell, View
from deltaworks.engine.documents.instants import instant_text
from deltaworks.errors import RequestError

if TYPE_CHECKING:
    from deltaworks.io.ledger import RunEntry
    from deltaworks.io.run_logs import LogReader
    from deltaworks.io.store import Store

POLL_S = 0.3

SHOWN_LINES = 1000
"""How many lines are shown at once, so that a long log need not fit into memory."""

_TONES = {
    "partition_failed": "bad",
    "partition_retried": "stale",
    "partition_warned": "stale",
    "run_noted": "stale",
    "stderr": "stale",
    "cut": "stale",
    "WARNING": "stale",
    "ERROR": "bad",
    "CRITICAL": "bad",
}


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


def _cell(line: Mapping[str, Any]) -> Cell:
    at = instant_text(line["at"]) if "at" in line else "-"
    if "event" in line:
        name = str(line["event"])
        facts = " ".join(_facts(line))
        return Cell(f"{at}  {name.replace('_', ' ')}  {facts}".rstrip(), _TONES.get(name, "quiet"))
    stream, level = str(line.get("stream", "")), str(line.get("level", ""))
    step = str(line.get("step", ""))
    return Cell(f"{at}  {step}  {level or stream}: {line.get('text', '')}".rstrip(), _TONES.get(level or stream, ""))


def _facts(line: Mapping[str, Any]) -> Iterator[str]:
    for name, value in line.items():
        if name not in ("at", "event") and value is not None:
            yield str(value) if isinstance(value, str) else f"{name}={value}"


def add_to(group: typer.Typer) -> None:
    """Add the command to those about runs."""
    add(group, "logs", logs)
