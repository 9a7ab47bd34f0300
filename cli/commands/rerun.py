"""`deltaworks rerun`: make again what a commit made, and compare."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from deltaworks.cli.command import ExitCode, PartitionOption, Session, add
from deltaworks.cli.commands.diff import ToleranceOption
from deltaworks.cli.delegating import delegated
from deltaworks.cli.differences import difference_blocks, difference_json
from deltaworks.cli.output import Cell, Table, View
from deltaworks.cli.wording import counted
from deltaworks.engine.documents.partitions import partitions_json, split_defined
from deltaworks.errors import RequestError

if TYPE_CHECKING:
    from deltaworks.engine.execution.repairs.rerun import Rerun
    from deltaworks.engine.planning.graph import Node

SHOWN_FAILURES = 10
"""How many failures stand in the report for people; --json has them all."""


def rerun(
    session: Session,
    asset: Annotated[str, typer.Argument(metavar="ASSET@vN", help="A materialization.")],
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare with what was committed; nothing is written.")
    ] = False,
    partition: PartitionOption = None,
    tolerance: ToleranceOption = 1e-9,
) -> ExitCode:
    """Make a version again from the same inputs and compare."""
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.execution.entry import new_run_id
    from deltaworks.engine.execution.repairs.rerun import rerun as run_again
    from deltaworks.engine.workspace.versions import split_version

    name, version = split_version(asset)
    if version is None:
        raise RequestError(f"Which version? `deltaworks history {name}` lists them; write {name}@v12.")
    if not verify:
        raise RequestError(
            f"Say --verify: {asset} is made again and compared, and nothing is written; to write, "
            f"`deltaworks materialize {name}` makes it from its upstreams as they are now."
        )
    project = session.load()
    node = project.graph.node(name)
    if node.asset.foreign is not None:
        return delegated(session, project, node.asset.foreign.location)
    done = run_again(
        project.definitions,
        project.graph,
        node,
        project.store,
        version,
        partition or (),
        environ=os.environ,
        run_id=new_run_id(session.now()),
        tolerance=tolerance,
    )
    session.output.show(_view(node, done))
    return ExitCode.DONE if done.is_equal else ExitCode.FAILED


def _view(node: Node, done: Rerun) -> View:
    made, _ = split_defined(done.keys, node.partitions)
    document = {
        "asset": done.asset,
        "version": done.version,
        "equal": done.is_equal,
        "partitions": partitions_json(made, node.partitions) | ({"undefined": len(done.beyond)} if done.beyond else {}),
        "notes": list(done.notes),
        "failures": list(done.failures),
        "difference": difference_json(done.difference),
    }
    return View(document, tuple(_blocks(done)))


def _blocks(done: Rerun) -> Iterator[Cell | Table]:
    for note in done.notes:
        yield Cell(f"note: {note}", "stale")
    if done.beyond:
        yield Cell(f"left out: {counted(len(done.beyond), 'partition')} that the definition has no more", "stale")
    for failure in done.failures[:SHOWN_FAILURES]:
        yield Cell(f"failed: {failure}", "bad")
    if len(done.failures) > SHOWN_FAILURES:
        yield Cell(f"failed: {len(done.failures) - SHOWN_FAILURES:,} more; --json lists them all", "bad")
    if done.failures:
        compared = counted(done.difference.partitions_compared, "partition")
        same = "nothing was compared" if not done.difference.partitions_compared else f"{compared} compared"
        yield Cell(f"not verified: {counted(len(done.failures), 'partition')} failed, {same}", "bad")
    if done.failures and done.difference.is_equal:
        return
    if done.is_equal:
        rows = counted(done.difference.rows_a, "row")
        yield Cell(f"equal: {done.difference.a} made again, {counted(len(done.keys), 'partition')} of {rows}", "good")
    else:
        yield from difference_blocks(done.difference)


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "rerun", rerun)
