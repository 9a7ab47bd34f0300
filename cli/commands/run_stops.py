"""`deltaworks runs cancel` and `pause`: ask a run of any process to stop, and wait until it has."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from deltaworks.cli.command import ExitCode, NeededRunArgument, Session, add
from deltaworks.cli.output import Cell, View

if TYPE_CHECKING:
    from deltaworks.io.run_entry import RunEntry
    from deltaworks.io.stop_request import StopKind
    from deltaworks.io.store import Store

POLL_S = 0.1

_NoWait = Annotated[bool, typer.Option("--no-wait", help="Ask, and do not wait for the run's end.")]


def cancel(session: Session, run: NeededRunArgument, no_wait: _NoWait = False) -> ExitCode:
    """Stop a run within seconds; what it has committed stays."""
    # Imported here: --help must not load Polars.
    from deltaworks.io.stop_request import StopKind

    return _stop(session, run, StopKind.CANCEL, no_wait=no_wait)


def pause(session: Session, run: NeededRunArgument, no_wait: _NoWait = False) -> ExitCode:
    """Stop a run when what it has begun is finished; `runs retry` goes on from there."""
    from deltaworks.io.stop_request import StopKind

    return _stop(session, run, StopKind.PAUSE, no_wait=no_wait)


def _stop(session: Session, run: str, kind: StopKind, *, no_wait: bool) -> ExitCode:
    from deltaworks.engine.execution.entry import user_name
    from deltaworks.io.ledger import find_run, read_runs
    from deltaworks.io.process import Process
    from deltaworks.io.stop_request import StopRequest, ask_run_to_stop

    store = session.open_lake()
    found = find_run(read_runs(store), run)
    request = StopRequest(kind, f"{user_name() or 'somebody'} on {Process.current().host}")
    ask_run_to_stop(store, found, request, session.now())
    ended = found if no_wait else _await(store, found, session)
    status = ended.status_at(session.now())
    document = {"run_id": ended.run_id, "status": status.value, "reason": ended.reason}
    if no_wait:
        line = Cell(f"run {ended.run_id} is asked to stop", "quiet")
    else:
        line = Cell(f"run {ended.run_id}: {status}; what it has committed stays", "stale")
    session.output.show(View(document, (line,)))
    return ExitCode.DONE


def _await(store: Store, run: RunEntry, session: Session) -> RunEntry:
    """Return the entry of a run once it is over; Ctrl-C stops the waiting and not the run."""
    from deltaworks.io.ledger import read_run

    while not run.status_at(session.now()).is_over:
        time.sleep(POLL_S)
        run = read_run(store, run) or run
    return run


def add_to(group: typer.Typer) -> None:
    """Add the commands to those about runs."""
    add(group, "cancel", cancel)
    add(group, "pause", pause)
