"""Delegating: carry out the command of this process in the interpreter of a code location, whose code it needs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from deltaworks.cli.command import ExitCode, Session
from deltaworks.cli.output import View

if TYPE_CHECKING:
    from deltaworks.engine.workspace.project import Project


def delegated(session: Session, project: Project, location: str) -> ExitCode:
    """Carry out this very command line once more, inside a location, and return how it ended there.

    Raises:
        LocationFailed: the location's process cannot be started.
    """
    # Imported here: --help must not load the engine.
    from deltaworks.engine.workspace.locations.handover import handed_over

    assert project.workspace is not None, "only a workspace has locations"
    spec = project.workspace.location(location).spec
    spec.refuse_no_interpreter()
    own = spec.environ(os.environ)
    is_terminal = sys.__stdout__ is not None and sys.__stdout__.isatty()
    with handed_over(project.handover(location)) as handing:
        process = subprocess.Popen(  # noqa: S603 - the interpreter of the settings, with our own command line
            [spec.python, "-P", "-m", "deltaworks", *_arguments(session, sys.argv[1:])],
            env={**own, **handing},
            stdout=None if is_terminal else subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is this process', which passes it on
        )

        def pass_on(number: int, _frame: object) -> None:
            process.send_signal(number)

        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, pass_on) for number in numbers}
        try:
            said, _ = process.communicate()
        finally:
            for number, act in before.items():
                signal.signal(number, act)
    if said:
        session.output.show(View(json.loads(said) if session.as_json else None, tuple(said.splitlines())))
    try:
        return ExitCode(process.returncode)
    except ValueError:
        return ExitCode.FAILED  # a signal ended it, and it has said so


def _arguments(session: Session, given: Sequence[str]) -> list[str]:
    """Return the command line as it means the same elsewhere: with whole paths, and with the project's folder."""
    found = [_whole(each) for each in given]
    if session.folder is None:
        found.append(f"--project={Path.cwd()}")
    return found


def _whole(argument: str) -> str:
    option, equals, value = argument.partition("=")
    if option.startswith("--") and equals:
        return f"{option}={Path(value).absolute()}" if value and Path(value).exists() else argument
    return str(Path(argument).absolute()) if "/" in argument and Path(argument).is_file() else argument
