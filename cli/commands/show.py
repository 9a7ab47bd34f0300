"""`deltaworks show`: look at the rows of a table or a view."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from deltaworks.cli.command import ExitCode, PartitionOption, Session, add
from deltaworks.cli.delegating import delegated
from deltaworks.cli.output import Cell, View
from deltaworks.cli.wording import counted
from deltaworks.engine.documents.rows import rows_json
from deltaworks.errors import RequestError, StorageError

if TYPE_CHECKING:
    import polars as pl


def show(
    session: Session,
    asset: Annotated[str, typer.Argument(metavar="ASSET[@vN]", help="An asset, one version of its table, or a view.")],
    rows: Annotated[int, typer.Option("-n", min=0, metavar="N", help="How many rows.")] = 10,
    partition: PartitionOption = None,
    sql: Annotated[
        str | None, typer.Option("--sql", metavar="QUERY", help="A query over the table, under its name.")
    ] = None,
    rejects: Annotated[
        bool, typer.Option("--rejects", help="The rows that rules left out of it, with the names of the rules.")
    ] = False,
) -> ExitCode:
    """Look at the rows of a table or a view."""
    # Imported here: --help must not load Polars.

    from deltaworks.engine.workspace.reading import read_asset, read_rejects, read_view
    from deltaworks.engine.workspace.versions import split_version

    name, version = split_version(asset)
    project = session.load()
    graph, store, keys = project.graph, project.store, partition or None
    view = graph.view(name)
    if view is not None and view.asset.foreign is not None:
        return delegated(session, project, view.asset.foreign.location)
    if rejects:
        lf = read_rejects(graph, store, name, version=version, partitions=keys)
    elif view is None:
        lf = read_asset(graph, store, name, version=version, partitions=keys)
    else:
        lf = read_view(project.definitions, graph, store, view, version=version, partitions=keys, environ=os.environ)
    df, total = _query(name, lf, sql, rows)
    document = rows_json(name, version, df, total)
    session.output.show(
        View(document, (_drawn(df, session.output.width), Cell(f"{df.height:,} of {counted(total, 'row')}", "quiet")))
    )
    return ExitCode.DONE


def _query(name: str, lf: pl.LazyFrame, sql: str | None, rows: int) -> tuple[pl.DataFrame, int]:
    import polars as pl

    try:
        if sql is not None:
            lf = pl.SQLContext({name.rpartition("/")[2]: lf}).execute(sql, eager=False)
        df, total = pl.collect_all([lf.head(rows), lf.select(pl.len())])
    except FileNotFoundError as error:
        raise StorageError(
            f"table {name}: a data file is gone ({error}); `deltaworks doctor` names the repair"
        ) from error
    except pl.exceptions.PolarsError as error:
        raise RequestError(f"the query cannot be answered: {str(error).splitlines()[0]}") from error
    return df, total.item()


def _drawn(df: pl.DataFrame, width: int) -> str:
    import polars as pl

    with pl.Config(
        tbl_rows=-1,
        tbl_cols=40,
        tbl_hide_dataframe_shape=True,
        tbl_width_chars=width,
        fmt_str_lengths=60,
        tbl_formatting="UTF8_BORDERS_ONLY",
    ):
        return str(df)


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "show", show)
