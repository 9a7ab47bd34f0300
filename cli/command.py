"""Command: what all commands have in common: options, the project, errors and exit codes.

A command is a function of `Session` and its own arguments that returns an exit code. `add` gives it the shared options,
loads nothing by itself, and turns errors into one sentence.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import inspect
import logging
import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from deltaworks.cli.output import Output, output, write
from deltaworks.errors import DeltaworksError

if TYPE_CHECKING:
    from deltaworks.engine.workspace.project import Origin, Project
    from deltaworks.engine.workspace.settings import Settings
    from deltaworks.io.store import Store


class ExitCode(IntEnum):
    """What a command tells its caller."""

    DONE = 0
    """It did what was asked."""
    FAILED = 1
    """It ran, and something failed."""
    REFUSED = 2
    """The request or the definitions are wrong; nothing was run."""


@dataclass(frozen=True)
class Session:
    """One invocation of a command."""

    folder: Path | None
    file: Path | None
    module: str | None
    lake: str | None
    output: Output
    as_json: bool = False
    """Whether the answer is one JSON document."""
    environment: str | None = None
    location: str | None = None
    open_projects: list[Project] = field(default_factory=list["Project"])
    """What is to be closed in the end."""

    def load(self, *, reads_lake: bool = True) -> Project:
        """Load the project that the options name; without its lake, dynamic partitions have no keys.

        What is broken of its code locations is told on stderr.

        Raises:
            DefinitionError: its settings or its code are wrong.
            StorageError: the lake's keys of dynamic partitions are damaged.
        """
        project = self.load_quietly(reads_lake=reads_lake)
        for problem in project.problems:
            write(sys.stderr, f"warning: {problem}")
        return project

    def load_quietly(self, *, reads_lake: bool = True) -> Project:
        """Load the project as `load` does, for who tells of its problems."""
        # Imported here: a project needs Polars and pandera, --help must not.
        from deltaworks.engine.workspace.project import load_project

        project = load_project(self.origin(), os.environ, self.now(), reads_lake=reads_lake)
        self.open_projects.append(project)
        return project

    def settings(self) -> Settings:
        """Read the settings of the project that the options name, and none of its code.

        Raises:
            InvalidSettings: there is no project, or its file is wrong.
        """
        # Imported here: --help must not load pydantic and Polars.
        from deltaworks.engine.workspace.project import load_settings

        return load_settings(self.origin(), os.environ)

    def open_lake(self) -> Store:
        """Open the lake that the options name without loading the project's code.

        Raises:
            InvalidSettings: there is no project, or its file is wrong.
            StorageError: this version cannot keep a lake there.
        """
        from deltaworks.engine.workspace.project import open_lake

        return open_lake(self.settings())

    def now(self) -> dt.datetime:
        """Return the current instant, in UTC."""
        return dt.datetime.now(dt.UTC)

    def origin(self) -> Origin:
        """Return where the options say that the project is."""
        from deltaworks.engine.workspace.project import Origin

        return Origin(self.folder, self.file, self.module, self.lake, self.environment, self.location)


_PROJECT = Annotated[
    Path | None, typer.Option("--project", metavar="DIR", help="The project's folder; else found upward from here.")
]
_FILE = Annotated[Path | None, typer.Option("--file", "-f", metavar="FILE.py", help="Load a single file instead.")]
_MODULE = Annotated[str | None, typer.Option("--module", "-m", metavar="MODULE", help="Load a single module instead.")]
_LAKE = Annotated[str | None, typer.Option("--lake", metavar="URI", help="The lake, instead of the project's.")]
_ENVIRONMENT = Annotated[
    str | None, typer.Option("--environment", metavar="NAME", help="The environment of the settings that is in force.")
]
_LOCATION = Annotated[
    str | None, typer.Option("--location", metavar="NAME", help="The code location that is meant; else all of them.")
]
_JSON = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
_DEBUG = Annotated[bool, typer.Option("--debug", help="Add tracebacks to errors.")]

SELECT = "a  a+  +a  2+a+1  raw/*  group:g  tag:t=v  owner:o  status:stale  'a+ and not (b or c)'"
"""How assets are selected, for the help of a command."""

SelectArgument = Annotated[list[str] | None, typer.Argument(metavar="SELECT", help=f"{SELECT}; none: every asset.")]
NeededSelectArgument = Annotated[list[str], typer.Argument(metavar="SELECT", help=SELECT)]
PartitionOption = Annotated[
    list[str] | None, typer.Option("--partition", metavar="KEY", help="A partition; may be given several times.")
]
FromOption = Annotated[str | None, typer.Option("--from", metavar="KEY", help="First partition of a range.")]
RunArgument = Annotated[
    str, typer.Argument(metavar="[RUN]", help="A run's id, the beginning of one, or latest, as without.")
]
NeededRunArgument = Annotated[str, typer.Argument(metavar="RUN", help="A run's id, the beginning of one, or latest.")]
JobArgument = Annotated[str, typer.Argument(metavar="NAME", help="The job.")]
ToOption = Annotated[str | None, typer.Option("--to", metavar="KEY", help="Last partition of a range, included.")]


def add(app: typer.Typer, name: str, run: Callable[..., ExitCode]) -> None:
    """Add a command to the app; the first line of the docstring of `run` is its help.

    `run` takes a `Session` first; its other parameters become the command's arguments and options.
    """
    own = list(inspect.signature(run, eval_str=True).parameters.values())[1:]
    shared = [
        _option("project", _PROJECT, None),
        _option("file", _FILE, None),
        _option("module", _MODULE, None),
        _option("lake", _LAKE, None),
        _option("environment", _ENVIRONMENT, None),
        _option("location", _LOCATION, None),
        _option("as_json", _JSON, False),
        _option("debug", _DEBUG, False),
    ]

    def invoke(**arguments: Any) -> None:
        given = {option.name: arguments.pop(option.name) for option in shared}
        as_json, debug = given.pop("as_json"), given.pop("debug")
        folder = given.pop("project")
        session = Session(folder, output=output(as_json=as_json), as_json=as_json, **given)
        code: int
        logging.getLogger("deltaworks").setLevel(logging.DEBUG if debug else logging.INFO)
        try:
            # stdout is the answer alone: what authors' code prints goes where logs go.
            with contextlib.redirect_stdout(sys.stderr):
                code = run(session, **arguments)
        except DeltaworksError as error:
            if debug:
                traceback.print_exc()
            session.output.error(str(error))
            code = error.exit_code
        finally:
            for project in session.open_projects:
                project.close()
        raise typer.Exit(code)

    invoke.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]
    invoke.__doc__ = run.__doc__
    summary, *_ = (run.__doc__ or "").splitlines()
    app.command(name, cls=_Command, short_help=f"{summary.partition(';')[0].rstrip('.')}.")(invoke)


class _Command(TyperCommand):
    """A command whose help has the names of its arguments, without the types that Python has for them."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        records: dict[str, list[tuple[str, str]]] = {"argument": [], "option": []}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                name, told = record
                is_argument = param.param_type_name == "argument"
                records[param.param_type_name].append((name.partition(" <")[0] if is_argument else name, told))
        for kind, title in (("argument", "Arguments"), ("option", "Options")):
            if records[kind]:
                with formatter.section(title):
                    formatter.write_dl(records[kind])


def _option(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
