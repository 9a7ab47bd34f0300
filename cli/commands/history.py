"""`deltaworks history`: materializations, rollbacks, wipes and outside writes of a table, from its commit log.

Maintenance changes no data, so it is shown only with `--all`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deltaworks.cli.command import ExitCode, Session, add
from deltaworks.cli.output import Cell, Table, View
from deltaworks.cli.wording import counted, left_out_text, partitions_text
from deltaworks.engine.documents.history import (
    changed_partitions,
    commit_json,
    committed_at,
    input_versions,
    left_out_of,
    metadata_of,
    restored_versions,
    rows_of,
)
from deltaworks.engine.documents.instants import instant_text

if TYPE_CHECKING:
    from deltaworks.engine.planning.graph import Node
    from deltaworks.io.log import Commit
    from deltaworks.io.rejects import LeftOut

_SHOWN_METADATA = 3
"""How many partitions, or names of an asset that has none, are shown of a commit's metadata; `--json` has all."""

_TONES = {"materialize": "", "observe": "", "rollback": "stale", "wipe": "bad", "maintain": "quiet"}


def history(
    session: Session,
    asset: Annotated[str, typer.Argument(metavar="ASSET", help="An asset.")],
    rows: Annotated[int, typer.Option("-n", min=0, metavar="N", help="How many commits.")] = 20,
    everything: Annotated[
        bool, typer.Option("--all", help="Also commits that change no data: creation, compaction, metadata.")
    ] = False,
) -> ExitCode:
    """Show who changed a table, and from what."""
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.execution.opening import open_history
    from deltaworks.io.history import changes_data

    project = session.load()
    node = project.graph.node(asset)
    found = open_history(project.store, node.asset)
    commits = (commit for commit in found if everything or changes_data(commit))
    session.output.show(_view(node, list(islice(commits, rows))))
    return ExitCode.DONE


def _view(node: Node, commits: Sequence[Commit]) -> View:
    document = [commit_json(node, commit) for commit in commits]
    if not commits:
        return View(document, (Cell(f"{node.key} has no history yet.", "quiet"),))
    # Most tables have no rules that leave rows out, and need no column for it.
    telling = ("left out",) if any(left_out_of(commit) for commit in commits) else ()
    headings = ("version#", "when (UTC)", "kind", "who", "partitions", "rows#", *telling, "made from")
    rows = [_commit_row(node, commit, tells_left_out=bool(telling)) for commit in commits]
    if any(metadata_of(commit) for commit in commits):
        headings = (*headings, "metadata")
        rows = [(*row, _metadata_cell(node, commit)) for row, commit in zip(rows, commits, strict=True)]
    return View(document, (Table(headings, rows),))


def _commit_row(node: Node, commit: Commit, *, tells_left_out: bool) -> tuple[str | Cell, ...]:
    rows = rows_of(commit)
    record = commit.record
    outside = Cell(f"outside ({commit.operation}, {commit.engine_info})", "outside")
    return (
        Cell(str(commit.version), "strong"),
        instant_text(committed_at(commit)) if commit.timestamp_ms else Cell("-", "quiet"),
        Cell("-", "quiet")
        if record is None or record.is_foreign
        else Cell(record.kind.value, _TONES[record.kind.value]),
        outside if record is None else record.run_id,
        _partitions_cell(node, commit),
        Cell("-", "quiet") if rows is None else f"{rows:,}",
        *((_left_out_cell(left_out_of(commit)),) if tells_left_out else ()),
        ", ".join((*_restored_texts(commit), *_input_texts(input_versions(commit)), *_moved_texts(commit)))
        or Cell("-", "quiet"),
    )


def _partitions_cell(node: Node, commit: Commit) -> str | Cell:
    defined, undefined = changed_partitions(node, commit)
    texts = [partitions_text(defined, node.partitions)] if defined else []
    if undefined:
        texts.append(f"{counted(undefined, 'partition')} beyond the definition")
    if None in commit.changed_keys and node.is_partitioned:
        texts.append("files whose partitions the log does not name")
    return ", ".join(texts) or Cell("-", "quiet")


def _left_out_cell(left_out: LeftOut | None) -> Cell:
    return Cell(left_out_text(left_out.dropped, left_out.quarantined), "stale") if left_out else Cell("-", "quiet")


def _metadata_cell(node: Node, commit: Commit) -> Cell:
    found = metadata_of(commit)
    texts: list[str] = [
        f"{name}: {_named_texts(found[name])}"
        if isinstance(value, Mapping) and node.is_partitioned
        else _named_texts({name: value})
        for name, value in islice(found.items(), _SHOWN_METADATA)
    ]
    more = len(found) - len(texts)
    return Cell("; ".join((*texts, *((f"{more:,} more",) if more else ()))) or "-", "quiet")


def _named_texts(values: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in values.items()
    )


def _restored_texts(commit: Commit) -> Iterator[str]:
    versions = restored_versions(commit)
    if versions:
        yield f"version {', '.join(map(str, versions))} of its own"


def _input_texts(inputs: Mapping[str, tuple[int, int]]) -> Iterator[str]:
    for asset, (least, most) in inputs.items():
        yield f"{asset} {least}" if least == most else f"{asset} {least} to {most}"


def _moved_texts(commit: Commit) -> Iterator[str]:
    """Say which rows moved from file to file, and what else maintenance did."""
    if commit.record is None or commit.record.kind != "maintain":
        return
    if commit.added:
        yield f"{counted(len(commit.removed), 'file')}, now {len(commit.added):,}"
    elif commit.metadata is not None:
        yield "the definition's description"


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "history", history)
