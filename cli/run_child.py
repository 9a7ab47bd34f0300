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

from deltaworks.cli.app import app
from deltaworks.engine.automation.launches import Launch, begin_launch
from deltaworks.engine.workspace.project import Origin, load_project, load_settings, open_lake
from deltaworks.errors import DeltaworksError

_NEEDED = ("decide", "job_launch", "launch", "sources")
"""What the commands that carry runs out import when they begin: a third of the time that a small run takes."""

_OPTIONS = {"folder": "project"}
"""What fields of an origin are called on the command line, where that is something else."""


def main(arguments: list[str]) -> None:
    """Wait for a run, and carry it out.

    Args:
        arguments: where the project is, as `Origin.to_text` writes it.
    """
    origin = Origin.from_text(arguments[0])
    now = dt.datetime.now(dt.UTC)
    with contextlib.suppress(DeltaworksError):  # the command will say so again
        load_project(origin, os.environ, now).close()
    for name in _NEEDED:
        importlib.import_module(f"deltaworks.engine.execution.{name}")
    line = sys.stdin.readline()
    if not line:
        return
    order: dict[str, Any] = json.loads(line)
    store = open_lake(load_settings(origin, os.environ))
    today = dt.datetime.now(dt.UTC).date()
    if not begin_launch(store, Launch(**order["launch"]), dt.date.fromisoformat(order["since"]), today):
        return
    given = ((_OPTIONS.get(each.name, each.name), getattr(origin, each.name)) for each in fields(origin))
    named = (f"--{option}={value}" for option, value in given if value is not None)
    with _config_file(order["config"]) as config:
        sys.argv = ["deltaworks", *order["arguments"], *config, *named]
        app()


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
