"""`deltaworks dev`: the daemon while you write: it loads the project anew whenever its files change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deltaworks.cli.command import ExitCode, Session, add
from deltaworks.cli.commands.daemon import made_daemon, run_until_stopped

if TYPE_CHECKING:
    import typer


def dev(session: Session) -> ExitCode:
    """Run what schedules and sensors ask for, and load the project anew whenever its files change."""
    # Imported here: --help must not load Polars.
    from deltaworks.engine.automation.code_watch import CodeWatch
    from deltaworks.engine.automation.daemon import OnStop

    settings = session.settings()
    watch = CodeWatch(settings.folder, *(each.folder for each in settings.locations))
    run_until_stopped(made_daemon(session, watch), OnStop.CANCEL)
    return ExitCode.DONE


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "dev", dev)
