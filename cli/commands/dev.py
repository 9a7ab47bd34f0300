"""`deltaworks dev`: the daemon and the UI while you write; both load the project anew whenever its files change."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated

import typer

from deltaworks.cli.command import ExitCode, Session, add
from deltaworks.cli.commands.daemon import made_daemon, run_until_stopped
from deltaworks.cli.commands.ui import DEFAULT_PORT, address_of, is_ui_installed
from deltaworks.cli.output import write

_HOST = "127.0.0.1"


def dev(
    session: Session,
    port: Annotated[
        int, typer.Option("--port", metavar="N", min=0, max=65535, help="Where the UI listens; 0: any free port.")
    ] = DEFAULT_PORT,
) -> ExitCode:
    """Run the daemon and the UI; load the project anew whenever its files change."""
    # Imported here: --help must not load Polars.
    from deltaworks.engine.automation.code_watch import CodeWatch
    from deltaworks.engine.automation.daemon import OnStop

    settings = session.settings()
    watch = CodeWatch(settings.folder, *(each.folder for each in settings.locations))
    with _ui(session, port):
        run_until_stopped(made_daemon(session, watch), OnStop.CANCEL)
    return ExitCode.DONE


@contextmanager
def _ui(session: Session, port: int) -> Generator[None]:
    """Serve the UI beside the daemon, in its process, so that one never outlives the other."""
    if not is_ui_installed():
        write(sys.stderr, "deltaworks dev: no UI is served; `pip install 'deltaworks[web]'` installs what it needs")
        yield
        return
    from deltaworks.web.http.roles import Auth
    from deltaworks.web.serve import listen, serving
    from deltaworks.web.workspace import Workspace

    workspace = Workspace(session.origin(), os.environ, session.now)
    with listen(_HOST, port) as listening, serving(workspace, Auth(), listening):
        write(sys.stderr, f"deltaworks dev: {address_of(_HOST, listening)} (Ctrl-C ends it and the daemon)")
        yield


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "dev", dev)
