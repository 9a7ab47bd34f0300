"""`deltaworks diff`: in what two versions of a table, or two tables, differ."""

from __future__ import annotations

from typing import Annotated

import typer

from deltaworks.cli.command import ExitCode, PartitionOption, Session, add
from deltaworks.cli.differences import difference_blocks, difference_json
from deltaworks.cli.output import View

ToleranceOption = Annotated[
    float,
    typer.Option("--tolerance", min=0.0, max=1.0, metavar="T", help="Floats may differ by T times the larger one."),
]


def diff(
    session: Session,
    a: Annotated[str, typer.Argument(metavar="ASSET[@vA]", help="An asset, or one version of its table.")],
    b: Annotated[str, typer.Argument(metavar="ASSET[@vB]", help="What to compare it with.")],
    key: Annotated[
        list[str] | None,
        typer.Option(
            "--key", metavar="COLUMN", help="A column that tells which rows belong together; may be repeated."
        ),
    ] = None,
    partition: PartitionOption = None,
    tolerance: ToleranceOption = 0.0,
) -> ExitCode:
    """Show the rows and columns in which two versions differ."""
    # Imported here: --help must not load Polars.
    from deltaworks.engine.workspace.comparing import compare_assets
    from deltaworks.io.compare import Terms

    project = session.load()
    terms = Terms(tuple(key or ()), tolerance)
    found = compare_assets(project.graph, project.store, a, b, terms, partition or ())
    session.output.show(View(difference_json(found), tuple(difference_blocks(found))))
    return ExitCode.DONE if found.is_equal else ExitCode.FAILED


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "diff", diff)
