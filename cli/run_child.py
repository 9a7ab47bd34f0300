"""RunChild: a process of the daemon that loads the project, waits for a run to carry out, and carries it out.

It is told by one line on stdin what to do, and does it as the command line would. If stdin ends, nobody needs it.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import importlib
import json
import os
import sys
import tempfile
from collections.abc import Generator
from dataclasses import fields
from typing import Any

from typer.main import get_command

from deltaworks.cli.app import app
from deltaworks.cli.command import ExitCode
from deltaworks.engine.automation.launches import Launch, LaunchEnd, begin_launch
from deltaworks.engine.automation.maintenance import MAINTENANCE
from deltaworks.engine.workspace.project import Origin, load_project, load_settings, open_lake
from deltaworks.errors import DeltaworksError, StorageError
from deltaworks.io.run_lookup import look_up_run_of
from deltaworks.io.store import Store

_NEEDED = ("decide", "jobs.job_launch", "launch", "sources")
"""What the commands that carry runs out import when they begin: a third of the time that a small run takes."""

_OPTIONS = {"folder": "project"}
"""What fields of an origin are called on the command line, where that is something else."""


def main(arguments: list[str]) -> None:
    """Wait for a run, and carry it out.

    Args:
        arguments: where the project is, as `Origin.to_text` writes it.
    """
    origin = Origin.from_text(arguments[0])
    _loads(origin)  # if it does not, the command will say so again
    for name in _NEEDED:
        importlib.import_module(f"deltaworks.engine.execution.{name}")
    command = get_command(app)  # from the signatures of all commands, which takes as long as to find out what is stale
    line = sys.stdin.readline()
    if not line:
        return
    order: dict[str, Any] = json.loads(line)
    store = open_lake(load_settings(origin, os.environ))
    launch, since, today = Launch(**order["launch"]), dt.date.fromisoformat(order["since"]), _today()
    held = begin_launch(store, launch, since, today)
    if held is None:
        return
    held.start()
    given = ((_OPTIONS.get(each.name, each.name), getattr(origin, each.name)) for each in fields(origin))
    named = (f"--{option}={value}" for option, value in given if value is not None)
    code: object = 1
    try:
        with _config_file(order["config"]) as config:
            sys.argv = ["deltaworks", *order["arguments"], *config, *named]
            command()
    except SystemExit as leaving:
        code = leaving.code
        raise
    finally:
        held.end(_end_of(store, launch, since, code, origin))


def _end_of(store: Store, launch: Launch, since: dt.date, code: object, origin: Origin) -> LaunchEnd | None:
    """Return what is to be said of a launch whose command is over; none: the ledger has how its run ended."""
    if launch.name == MAINTENANCE:
        return LaunchEnd.NOT_NOW if code == ExitCode.REFUSED else LaunchEnd.OVER
    try:
        entry = look_up_run_of(store, launch.run_id, since, _today())
    except StorageError:
        return LaunchEnd.NOT_NOW  # the command has said it
    if entry is not None:
        return None if entry.status.is_over else LaunchEnd.NOT_NOW
    return LaunchEnd.NEVER if code == ExitCode.REFUSED and _loads(origin) else LaunchEnd.NOT_NOW


def _loads(origin: Origin) -> bool:
    """Return whether all of the project can be loaded, so that it is the run that was refused."""
    try:
        project = load_project(origin, os.environ, dt.datetime.now(dt.UTC))
    except DeltaworksError:
        return False
    project.close()
    return not project.problems


def _today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()


@contextlib.contextmanager
def _config_file(config: dict[str, Any]) -> Generator[list[str]]:
    """Yield the option that names a file with a config; none if there is nothing in it."""
    if not config:
        yield []
        return
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        json.dump(config, file)
        file.flush()
        yield [f"--config={file.name}"]


if __name__ == "__main__":
    main(sys.argv[1:])
