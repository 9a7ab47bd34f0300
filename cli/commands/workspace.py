"""`deltaworks workspace`: load code locations anew."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING

import typer

from deltaworks.cli.command import ExitCode, Session, add
from deltaworks.cli.locations import locations_view
from deltaworks.errors import RequestError

if TYPE_CHECKING:
    from deltaworks.io.store import Store


def reload(session: Session) -> ExitCode:
    """Load code locations anew, whether or not anything has changed; daemons on this machine do so, too."""
    # Imported here: --help must not load the engine.
    from deltaworks.engine.workspace.locations.cache import forget

    settings = session.settings()
    if not settings.locations:
        raise RequestError("The project has no code locations: each command loads its modules anew.")
    for spec in settings.locations:
        if session.location in (None, spec.name):
            forget(spec)
    project = session.load_quietly()
    _tell_daemons(project.store)
    session.output.show(locations_view(project))
    return ExitCode.REFUSED if project.problems else ExitCode.DONE


def _tell_daemons(store: Store) -> None:
    """Ask the daemons that run on this machine to load their projects anew, too."""
    # Imported here: --help must not load the engine.
    from deltaworks.io.heartbeats import read_heartbeats
    from deltaworks.io.process import Process

    here = Process.current().host
    for beat in read_heartbeats(store):
        if beat.host == here and not beat.is_gone:
            with contextlib.suppress(ProcessLookupError, PermissionError):  # it has just ended, or is somebody else's
                os.kill(beat.pid, signal.SIGHUP)


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Load code locations anew.", no_args_is_help=True, rich_markup_mode=None)
    add(group, "reload", reload)
    app.add_typer(group, name="workspace")
