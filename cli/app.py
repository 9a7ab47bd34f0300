"""App: the command line as a whole, with every command under its name.

Importing it must stay cheap: `deltaworks --help` loads neither Polars nor pandera nor deltalake. Commands are imported
when they are named, and what they work with when they run.
"""

from __future__ import annotations

import gc
import os
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from deltaworks.cli.by_name import CommandsByName

app = typer.Typer(
    name="deltaworks",
    cls=CommandsByName,
    help="Build tables from typed Polars functions; every materialization is a Delta commit.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"deltaworks {version('deltaworks')}")
        raise typer.Exit


@app.callback()
def _options(
    show_version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Build tables from typed Polars functions; every materialization is a Delta commit."""


def main() -> None:
    """Run the command line."""
    # A command makes many values and few cycles, and is over soon. To look for these every 700 values, and once more at
    # the end, took a quarter of the status of a thousand tables.
    gc.set_threshold(100_000)
    if not sys.stdout.isatty():
        # stdout is the answer alone: what programs write that authors' code starts goes where logs go.
        answer = os.dup(1)
        os.dup2(2, 1)
        sys.stdout = open(answer, "w", encoding=sys.stdout.encoding, errors=sys.stdout.errors)  # noqa: SIM115
    try:
        app()
    finally:
        gc.freeze()
