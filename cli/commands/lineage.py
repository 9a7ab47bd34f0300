"""`deltaworks lineage`: what the columns of a table are made of, and what is made of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deltaworks.cli.command import ExitCode, Session, add
from deltaworks.cli.output import Cell, Table, View
from deltaworks.cli.wording import counted
from deltaworks.engine.documents.lineage import column_json, lineage_json, neighbours, walk
from deltaworks.errors import RequestError

if TYPE_CHECKING:
    from deltaworks.engine.definitions.keys import AssetKey
    from deltaworks.engine.planning.graph import AssetGraph
    from deltaworks.engine.planning.lineage import Lineage
    from deltaworks.engine.planning.lineage_expressions import Source

SHOWN = 12
"""How many columns stand in a line for people; --json has them all."""

DEEPEST = 20
"""How many levels of a tree are shown to people."""


def lineage(
    session: Session,
    what: Annotated[str, typer.Argument(metavar="ASSET[.COLUMN]", help="An asset, or one of its columns.")],
    unread: Annotated[bool, typer.Option("--unread", help="List the columns that no other column is made of.")] = False,
    svg: Annotated[
        Path | None, typer.Option("--svg", metavar="FILE", help="Draw the assets above and below it, as an SVG file.")
    ] = None,
) -> ExitCode:
    """Show what columns are made of, and what is made of them; no data, no lake."""
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.workspace.showing import lineage_of

    project = session.load(reads_lake=False)
    graph, found = project.graph, lineage_of(project)
    asset, column = found.named(what)
    if unread and column is not None:
        raise RequestError(f"--unread is about all columns of an asset: `deltaworks lineage {asset} --unread`.")
    if unread:
        view = _unread(asset, found, graph)
    elif column is not None:
        view = _column((asset, column), found)
    else:
        view = _asset(asset, found, graph)
    if svg is not None:
        _draw(asset, graph, svg)
    session.output.show(view)
    return ExitCode.DONE


def _draw(asset: AssetKey, graph: AssetGraph, file: Path) -> None:
    from deltaworks.web.draw.layered import draw_layered
    from deltaworks.web.draw.svg import graph_svg

    reads, readers = neighbours(graph)
    near = {asset, *walk(asset, reads), *walk(asset, readers)}
    nodes = {str(key): node for key, node in graph.every.items() if key in near}
    # Reading one's own past is no line between two tables.
    edges = [(str(each), str(key)) for key in near for each in reads(key) if each in near and each != key]
    words = {name: f"{node.asset.kind}, {node.partitions}" for name, node in nodes.items()}
    drawn = draw_layered(list(nodes), sorted(edges))
    try:
        file.write_text(graph_svg(drawn, words, chosen=str(asset)), encoding="utf-8")
    except OSError as error:
        raise RequestError(f"The picture cannot be written to {file}: {error.strerror}.") from error


def _asset(asset: AssetKey, found: Lineage, graph: AssetGraph) -> View:
    # Imported here: --help must not load Polars.
    from deltaworks.engine.planning.lineage import EVERY

    reads, readers = neighbours(graph)
    above, below = walk(asset, reads), walk(asset, readers)
    columns = found.assets[asset]
    rows = [(Cell(name, "strong"), _made_of(name, asset, found), _feeds((asset, name), found)) for name in columns]
    decided = sorted({source for each in columns.values() for source in each.rows})
    is_known = EVERY not in columns
    unknown = "  its columns are known only from its data; a model would name them"
    blocks: list[Table | Cell | str] = [
        Cell(str(asset), "strong"),
        f"  made from {_near_and_far(above, 'further up')}",
        f"  read by {_near_and_far(below, 'further down')}",
        *([f"  rows decided by {_named(decided, found)}"] if decided else []),
        *([] if is_known else [Cell(unknown, "quiet")]),
        "",
        Table(("column", "made of", "feeds"), rows),
    ]
    return View(lineage_json(asset, found, graph), tuple(blocks))


def _near_and_far(distances: Mapping[AssetKey, int], further: str) -> str:
    near = _listed(str(key) for key, distance in distances.items() if distance == 1) or "no other asset"
    far = _listed(str(key) for key, distance in distances.items() if distance > 1)
    return f"{near}; {further} {far}" if far else near


def _made_of(name: str, asset: AssetKey, found: Lineage) -> str | Cell:
    lineage = found.of((asset, name))
    values = _named(sorted(lineage.values), found)
    if not values:
        return Cell("-", "quiet")
    return f"any of {values}" if lineage.is_opaque else values


def _feeds(column: Source, found: Lineage) -> str | Cell:
    values, rows = _parted(found.readers.get(column, {}))
    parts = [_named(values, found), *([f"rows of {_listed(_assets_of(rows))}"] if rows else [])]
    return ", ".join(filter(None, parts)) or Cell("-", "quiet")


def _column(column: Source, found: Lineage) -> View:
    def above(column: Source) -> tuple[list[tuple[Source, bool]], str]:
        lineage = found.of(column)
        values = [(each, lineage.is_opaque) for each in sorted(lineage.values)]
        return values, _named(sorted(lineage.rows), found)

    def below(column: Source) -> tuple[list[tuple[Source, bool]], str]:
        values, rows = _parted(found.readers.get(column, {}))
        return [(each, found.of(each).is_opaque) for each in values], _listed(_assets_of(rows))

    lines = [
        Cell(_spelled(column), "strong"),
        Cell("upstream", "quiet"),
        *_tree(column, above),
        Cell("downstream", "quiet"),
        *_tree(column, below),
    ]
    return View(column_json(column, found), tuple(lines))


def _tree(start: Source, step: Callable[[Source], tuple[list[tuple[Source, bool]], str]]) -> Sequence[Cell]:
    """Return the columns that a column leads to, each below the one that leads there, and whose rows are concerned."""
    lines: list[Cell] = []
    told: set[Source] = set()
    waiting: list[tuple[Source | str, int, bool]] = [(start, 0, False)]
    while waiting:
        each, depth, is_opaque = waiting.pop()
        indent = "  " * depth
        if isinstance(each, str):
            lines.append(Cell(f"{indent}rows: {each}", "quiet"))
            continue
        values, rows = step(each)
        note = ", perhaps: Python hides it" if is_opaque else ""
        if each in told and (values or rows):
            note += ", as above"
        elif depth == DEEPEST and (values or rows):
            note += f", `deltaworks lineage {_spelled(each)}` goes on from there"
        else:
            waiting += [(rows, depth + 1, False)] if rows else []
            waiting += [(value, depth + 1, hidden) for value, hidden in reversed(values)]
        if depth:
            told.add(each)
            lines.append(Cell(f"{indent}{_spelled(each)}{note}"))
    return lines or [Cell("  no column of another asset", "quiet")]


def _unread(asset: AssetKey, found: Lineage, graph: AssetGraph) -> View:
    readers = sorted({str(edge.downstream) for edge in graph.downstream[asset]} - {str(asset)})
    names, columns = found.unread(asset), found.assets[asset]
    if not readers:
        lines = [Cell(f"{asset} is read by no other asset.")]
    elif names:
        lines = [Cell(f"{len(names)} of {counted(len(columns), 'column')} of {asset} feed no other column:", "strong")]
        lines += [Cell(f"  {name}") for name in names]
    else:
        lines = [Cell(f"Every column of {asset} feeds another one.", "good")]
    feeds = {name: {key for key, _ in found.readers.get((asset, name), {})} for name in columns}
    inside = [name for name, keys in feeds.items() if keys == {asset}]
    if readers and inside:
        note = f"note: {_listed(inside)} {'feeds' if len(inside) == 1 else 'feed'} no other asset, only {asset} itself"
        lines.append(Cell(f"{note}, by a rule that leaves rows out or as a partition", "quiet"))
    below = (each for name in columns for each in found.readers.get((asset, name), {}))
    hiding = sorted({str(each[0]) for each in below if found.of(each).is_opaque})
    if hiding:
        given = "it is" if len(hiding) == 1 else "they are"
        note = f"note: Python hides what is used by {_listed(hiding)}; all that {given} given counts"
        lines.append(Cell(note, "quiet"))
    return View(
        {"asset": str(asset), "columns": list(columns), "unread": list(names), "readers": readers}, tuple(lines)
    )


def _parted(readers: Mapping[Source, str]) -> tuple[list[Source], list[Source]]:
    """Return those whose values, and those of which only the rows are concerned."""
    values = sorted(column for column, influence in readers.items() if influence == "value")
    return values, sorted(column for column, influence in readers.items() if influence != "value")


def _assets_of(columns: Iterable[Source]) -> list[str]:
    return list(dict.fromkeys(str(key) for key, _ in columns))


def _named(columns: Sequence[Source], found: Lineage) -> str:
    """Name columns in a line; several that are all of an asset's as one."""
    by_asset: dict[AssetKey, list[Source]] = {}
    for column in columns:
        by_asset.setdefault(column[0], []).append(column)
    names: list[str] = []
    for key, some in by_asset.items():
        is_whole = len(some) > 2 and len(some) == len(found.assets[key])
        names += [f"{key}.*"] if is_whole else map(_spelled, some)
    return _listed(names)


def _listed(names: Iterable[str]) -> str:
    spelled = list(names)
    more = [f"{len(spelled) - SHOWN} more"] if len(spelled) > SHOWN else []
    return ", ".join([*spelled[:SHOWN], *more])


def _spelled(column: Source) -> str:
    return f"{column[0]}.{column[1]}"


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "lineage", lineage)
