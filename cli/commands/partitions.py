"""`deltaworks partitions`: the partitions of an asset, and the keys that are added and removed by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from deltaworks.cli.automations import somebody
from deltaworks.cli.command import ExitCode, Session, add
from deltaworks.cli.output import Cell, Table, View
from deltaworks.cli.wording import counted
from deltaworks.errors import RequestError

if TYPE_CHECKING:
    from deltaworks.engine.definitions.partitions.key_partitions import DynamicPartitions
    from deltaworks.engine.planning.graph import Node
    from deltaworks.io.partition_keys import KeyChange

SHOWN_KEYS = 1_000
"""How many keys stand in the table for people; --json has them all."""

AssetArgument = Annotated[str, typer.Argument(metavar="ASSET", help="An asset.")]
KeysArgument = Annotated[list[str], typer.Argument(metavar="KEY...", help="Partition keys.")]
DimensionOption = Annotated[
    str | None, typer.Option("--dimension", metavar="NAME", help="Which of several dynamic dimensions.")
]


def list_partitions(session: Session, asset: AssetArgument) -> ExitCode:
    """List the partitions of an asset, of any kind."""
    # Imported here: --help must not load Polars.
    import polars as pl

    node = session.load().graph.node(asset)
    is_whole = not node.is_partitioned
    keys = [] if is_whole else node.partitions.keys(pl.int_range(node.partitions.size, eager=True)).to_list()
    session.output.show(View({"asset": str(node.key), "partitions": keys}, _blocks(node, keys)))
    return ExitCode.DONE


def add_partitions(
    session: Session, asset: AssetArgument, keys: KeysArgument, dimension: DimensionOption = None
) -> ExitCode:
    """Add keys to dynamic partitions.

    Assets that share them get them too.
    """
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.workspace.dynamic_keys import key_refusal
    from deltaworks.io.partition_keys import add_keys, refuse_keys

    project = session.load()
    node = project.graph.node(asset)
    dynamic, name = _dynamic(node, dimension)
    refuse_keys(keys)
    refusal = key_refusal(project.graph, dynamic, keys)
    if refusal:
        raise RequestError(refusal)
    change = add_keys(project.store, name, keys, somebody(), session.now())
    document = _document(node, change) | {"added": list(change.changed), "known": list(change.unchanged)}
    session.output.show(View(document, _lines(node, change, "added", "there already")))
    return ExitCode.DONE


def remove_partitions(
    session: Session, asset: AssetArgument, keys: KeysArgument, dimension: DimensionOption = None
) -> ExitCode:
    """Remove keys of dynamic partitions.

    No data is deleted: rows that are there stay.
    """
    # Imported here: --help must not load Polars.
    from deltaworks.io.partition_keys import remove_keys

    project = session.load()
    node = project.graph.node(asset)
    _, name = _dynamic(node, dimension)
    change = remove_keys(project.store, name, keys, somebody(), session.now())
    document = _document(node, change) | {"removed": list(change.changed), "unknown": list(change.unchanged)}
    lines = _lines(node, change, "removed", "not there")
    if change.changed:
        kept = "No data was deleted: rows that are there stay, and `deltaworks status` counts them as undefined."
        lines = (*lines, Cell(kept, "quiet"))
    session.output.show(View(document, lines))
    return ExitCode.DONE


def _dynamic(node: Node, wanted: str | None) -> tuple[DynamicPartitions, str]:
    """Return the dimension whose keys are added by hand, as it was written, and the name of its keys.

    Raises:
        RequestError: there is none, it follows a table, or it is not told which one is meant.
    """
    # Imported here: --help must not load Polars.
    from deltaworks.engine.definitions.partitions.key_partitions import DynamicPartitions

    names = node.dimension_names
    if wanted is not None and wanted not in names:
        known = f"its dimensions are {', '.join(names)}" if names else "its partitions have one dimension"
        raise RequestError(f"Asset {str(node.key)!r} has no dimension {wanted!r}: {known}.")
    found = {
        name: dimension.without_keys()
        for name, dimension in zip(names or ("",), node.partitions.dimensions, strict=False)
        if isinstance(dimension, DynamicPartitions) and wanted in (None, name)
    }
    if not found and wanted is not None:
        told = node.partitions.dimensions[names.index(wanted)]
        raise RequestError(
            f"Dimension {wanted!r} of asset {str(node.key)!r} is not dynamic: the code defines it as {told}."
        )
    if not found:
        raise RequestError(
            f"The partitions of asset {str(node.key)!r} are not dynamic: the code defines them as {node.partitions}."
        )
    by_hand = {name: dynamic for name, dynamic in found.items() if dynamic.name is not None}
    if not by_hand:
        dynamic = next(iter(found.values()))
        raise RequestError(
            f"The partitions of asset {str(node.key)!r} follow column {dynamic.column!r} of {dynamic.upstream}: they "
            "come and go with that table's."
        )
    if len(by_hand) > 1:
        raise RequestError(
            f"Asset {str(node.key)!r} has several dynamic dimensions: say which one by --dimension "
            f"{' or --dimension '.join(by_hand)}."
        )
    ((_, dynamic),) = by_hand.items()
    assert dynamic.name is not None, "only those that have a name are left"
    return dynamic, dynamic.name


def _document(node: Node, change: KeyChange) -> dict[str, object]:
    return {"asset": str(node.key), "partitions": list(change.keys)}


def _lines(node: Node, change: KeyChange, done: str, otherwise: str) -> tuple[Cell, ...]:
    lines: list[Cell] = []
    if change.changed:
        lines.append(Cell(f"{done}: {_spelled(change.changed)}", "good"))
    if change.unchanged:
        lines.append(Cell(f"{otherwise}: {_spelled(change.unchanged)}", "quiet"))
    return (*lines, Cell(f"{node.key} has {counted(len(change.keys), 'key')} now", "quiet"))


def _spelled(keys: tuple[str, ...]) -> str:
    more = len(keys) - SHOWN_KEYS
    return ", ".join(keys[:SHOWN_KEYS]) + (f" and {more:,} more" if more > 0 else "")


def _blocks(node: Node, keys: list[str]) -> tuple[Table | Cell, ...]:
    if not node.is_partitioned:
        return (Cell(f"{node.key} has no partitions: it is made as a whole.", "quiet"),)
    if not keys:
        return (Cell(f"{node.key} has no partition yet: its partitions are {node.partitions}.", "quiet"),)
    more = len(keys) - SHOWN_KEYS
    total = Cell(f"{counted(len(keys), 'partition')}: {node.partitions}", "quiet")
    table = Table(("partition",), [(key,) for key in keys[:SHOWN_KEYS]])
    return (table, Cell(f"and {more:,} more; --json lists them all", "quiet"), total) if more > 0 else (table, total)


def add_to(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(
        help="List partitions; add and remove dynamic ones.", no_args_is_help=True, rich_markup_mode=None
    )
    add(group, "list", list_partitions)
    add(group, "add", add_partitions)
    add(group, "remove", remove_partitions)
    app.add_typer(group, name="partitions")
