"""`deltaworks daemon`: run what schedules and sensors ask for, until it is stopped; or say which daemons there are."""

from __future__ import annotations

import os
import signal
import socket
import sys
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from deltaworks.cli.automations import somebody
from deltaworks.cli.command import ExitCode, Session, add
from deltaworks.cli.output import Cell, Table, View, write
from deltaworks.errors import RequestError

if TYPE_CHECKING:
    from deltaworks.engine.automation.alerts.alerting import Alerting
    from deltaworks.engine.automation.code_watch import CodeWatch
    from deltaworks.engine.automation.daemon import Daemon, OnStop

StatusOption = Annotated[bool, typer.Option("--status", help="Say which daemons run on the lake, and how they are.")]
HereOption = Annotated[bool, typer.Option("--here", help="With --status: only those on this machine count.")]
PauseOption = Annotated[
    bool, typer.Option("--pause", help="Let all daemons of the lake begin nothing; what goes on is not touched.")
]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Let daemons that were paused go on.")]
OnStopOption = Annotated[
    str,
    typer.Option("--on-stop", metavar="wait|cancel", help="What becomes of runs that go on when it is asked to stop."),
]


def daemon(
    session: Session,
    status: StatusOption = False,
    here: HereOption = False,
    pause: PauseOption = False,
    resume: ResumeOption = False,
    on_stop: OnStopOption = "wait",
) -> ExitCode:
    """Run what schedules and sensors ask for; SIGTERM or Ctrl-C ends it."""
    if status + pause + resume > 1:
        raise RequestError("--status, --pause and --resume are three commands; give one of them.")
    if pause or resume:
        return _pause(session, is_paused=pause)
    if status:
        return _show_status(session, is_here=here)
    # Imported here: --help must not load Polars.
    from deltaworks.engine.automation.daemon import OnStop

    if on_stop not in {each.value for each in OnStop}:
        raise RequestError(f"--on-stop {on_stop!r} means nothing; use wait or cancel.")
    made = made_daemon(session)
    run_until_stopped(made, OnStop(on_stop))
    return ExitCode.DONE


def made_daemon(session: Session, code: CodeWatch | None = None) -> Daemon:
    """Return a daemon of the project that the options name; it has not begun.

    Args:
        session: the command's.
        code: tells when the project is to be loaded anew.
    """
    # Imported here: --help must not load Polars.
    from deltaworks.engine.automation.daemon import Daemon, DaemonParts
    from deltaworks.engine.automation.location import Location
    from deltaworks.engine.automation.location_load import load_surroundings
    from deltaworks.engine.automation.maintenance import watched_maintenance
    from deltaworks.engine.automation.run_pool import RunPool

    settings, origin = session.settings(), session.origin()
    program = [sys.executable, "-P", "-m", "deltaworks.cli.run_child", origin.to_text()]
    asked = settings.daemon
    parts = DaemonParts(
        session.open_lake(),
        Location(partial(load_surroundings, origin), os.environ),
        RunPool(program, os.environ, asked.max_runs, asked.warm),
        partial(_tell, session),
        None if asked.maintain is None else watched_maintenance(asked.maintain),
        code,
        alerting=alerting(session),
    )
    return Daemon(parts)


def alerting(session: Session) -> Alerting | None:
    """Return what tells people what goes wrong; none: the settings name nobody."""
    # Imported here: --help must not load Polars.
    from deltaworks.engine.automation.alerts.alerting import Alerting, Telling

    alerts = session.settings().alerts
    telling = Telling(alerts, session.open_lake(), os.environ)
    return Alerting(telling, partial(_tell, session), session.now) if alerts else None


def run_until_stopped(daemon: Daemon, on_stop: OnStop) -> None:
    """Run a daemon until it is asked to stop.

    SIGTERM and Ctrl-C ask it to stop; a second Ctrl-C ends it at once and leaves its runs alone. SIGHUP asks it to load
    the project anew.
    """
    asked: list[int] = []

    def stop(number: int, _frame: object) -> None:
        if asked and number == signal.SIGINT:
            os._exit(130)
        asked.append(number)
        daemon.stop(on_stop)

    def reload(_number: int, _frame: object) -> None:
        daemon.reload()

    acts = {signal.SIGINT: stop, signal.SIGTERM: stop, signal.SIGHUP: reload}
    before = {number: signal.signal(number, act) for number, act in acts.items()}
    try:
        daemon.run()
    finally:
        for number, act in before.items():
            signal.signal(number, act)


def _tell(session: Session, text: str) -> None:
    write(sys.stderr, f"{session.now():%Y-%m-%d %H:%M:%S} {text}")


def _pause(session: Session, *, is_paused: bool) -> ExitCode:
    # Imported here: --help must not load Polars.
    from deltaworks.engine.automation.switching import pause_daemons

    pause_daemons(session.open_lake(), is_paused=is_paused, by=somebody(), at=session.now())
    told = "are paused: they begin nothing until `deltaworks daemon --resume`" if is_paused else "go on"
    session.output.show(View({"paused": is_paused}, (Cell(f"The daemons of the lake {told}."),)))
    return ExitCode.DONE


def _show_status(session: Session, *, is_here: bool) -> ExitCode:
    # Imported here: --help must not load Polars.
    from deltaworks.engine.automation.switching import pause_of
    from deltaworks.engine.documents.daemons import daemons_json
    from deltaworks.io.heartbeats import read_heartbeats

    host, store = socket.gethostname(), session.open_lake()
    beats = [beat for beat in read_heartbeats(store) if beat.host == host or not is_here]
    pause = pause_of(store)
    document = daemons_json(beats, pause, session.now())
    documents = document["daemons"]
    lives = any(each["state"] == "running" for each in documents)
    where = f" from {host}" if is_here else ""
    lines = [] if documents else [Cell(f"No daemon has run on this lake{where}; `deltaworks daemon` is one.", "quiet")]
    rows = [
        (
            Cell(each["daemon_id"], "strong"),
            Cell(each["state"], "good" if each["state"] == "running" else "quiet"),
            f"{each['host']}, process {each['pid']}",
            f"{each['silent_s']:.0f} s ago",
            f"{each['on'] or 0} of {each['watched'] or 0} on, {each['running'] or 0} running, "
            f"{each['queued'] or 0} queued",
        )
        for each in documents
    ]
    faults = [Cell(f"{each['daemon_id']}: {each['fault']}", "bad") for each in documents if each["fault"]]
    faults += [
        Cell(f"{each['daemon_id']}: tried again, since they failed: {each['failing']}", "bad")
        for each in documents
        if each["failing"] and each["state"] == "running"
    ]
    lines += [
        Cell(f"{each['daemon_id']}: alerts: {each['alerts_problem']}", "bad")
        for each in documents
        if each["alerts_problem"]
    ]
    if pause is not None:
        told = f"Paused by {pause.by} at {pause.at[:16]}: they begin nothing until `deltaworks daemon --resume`."
        lines.append(Cell(told, "bad"))
    table = [Table(("daemon", "state", "where", "heartbeat", "schedules, sensors and runs"), rows)] if rows else []
    session.output.show(View(document, (*lines, *table, *faults)))
    return ExitCode.DONE if lives else ExitCode.FAILED


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "daemon", daemon)
