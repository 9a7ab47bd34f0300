"""`deltaworks workspace`: load code locations anew."""

from __future__ import annotations

import typer

from deltaworks.cli.command import ExitCode, Session, add
from deltaworks.cli.locations import locations_view
from deltaworks.errors import RequestError


def reload(session: Session) -> ExitCode:
    """Load code locations anew, whether or not anything has changed; daemons on this machine do so, too."""
    # Imported here: --help must not load the engine.
    from deltaworks.engine.workspace.locations.reloading import forget_all, tell_daemons

    settings = session.settings()
    if not settings.locations:
        raise RequestError("The project has no code locations: each command loads its modules anew.")
    forget_all(settings.locations, session.location)
    project = session.load_quietly()
    tell_daemons(project.store)
    session.output.show(locations_view(project))
    return ExitCode.REFUSED if project.problems else ExitCode.DONE


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Load code locations anew.", no_args_is_help=True, rich_markup_mode=None)
    add(group, "reload", reload)
    app.add_typer(group, name="workspace")
