"""`deltaworks history`: materializations, rollbacks, wipes and outside writes of a table, from its commit log.

Maintenance changes no data, so it is shown only with `--all`.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deltaworks.cli.command import ExitCode, Session, add
from deltaworks.cli.instants import instant_json, instant_text
from deltaworks.cli.output import Cell, Table, View
from deltaworks.cli.wording import counted, left_out_text, partitions_json, partitions_text, split_defined

if TYPE_CHECKING:
    from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
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
    document = [_commit_json(node, commit) for commit in commits]
    if not commits:
        return View(document, (Cell(f"{node.key} has no history yet.", "quiet"),))
    # Most tables have no rules that leave rows out, and need no column for it.
    telling = ("left out",) if any(_left_out(commit) for commit in commits) else ()
    headings = ("version#", "when (UTC)", "kind", "who", "partitions", "rows#", *telling, "made from")
    rows = [_commit_row(node, commit, tells_left_out=bool(telling)) for commit in commits]
    if any(_metadata(commit) for commit in commits):
        headings = (*headings, "metadata")
        rows = [(*row, _metadata_cell(node, commit)) for row, commit in zip(rows, commits, strict=True)]
    return View(document, (Table(headings, rows),))


def _commit_json(node: Node, commit: Commit) -> dict[str, Any]:
    record = commit.record
    inputs, left_out = _inputs(commit), _left_out(commit)
    defined, undefined = _partitions(node, commit)
    return {
        "version": commit.version,
        "at": None if not commit.timestamp_ms else instant_json(_at(commit)),
        "run_id": None if record is None else record.run_id,
        "partitions": partitions_json(defined, node.partitions) | ({"undefined": undefined} if undefined else {}),
        "rows": _rows(commit),
        "dropped": None if left_out is None else left_out.dropped,
        "quarantined": None if left_out is None else left_out.quarantined,
        "inputs": {asset: most for asset, (_, most) in inputs.items()},
        "oldest_inputs": {asset: least for asset, (least, most) in inputs.items() if least < most},
        "kind": None if record is None or record.is_foreign else record.kind.value,
        "restored_from": _restored(commit),
        "metadata": _metadata(commit),
        "operation": commit.operation,
        "engine": commit.engine_info,
    }


def _commit_row(node: Node, commit: Commit, *, tells_left_out: bool) -> tuple[str | Cell, ...]:
    rows = _rows(commit)
    record = commit.record
    outside = Cell(f"outside ({commit.operation}, {commit.engine_info})", "outside")
    return (
        Cell(str(commit.version), "strong"),
        instant_text(_at(commit)) if commit.timestamp_ms else Cell("-", "quiet"),
        Cell("-", "quiet")
        if record is None or record.is_foreign
        else Cell(record.kind.value, _TONES[record.kind.value]),
        outside if record is None else record.run_id,
        _partitions_cell(node, commit),
        Cell("-", "quiet") if rows is None else f"{rows:,}",
        *((_left_out_cell(_left_out(commit)),) if tells_left_out else ()),
        ", ".join((*_restored_texts(commit), *_input_texts(_inputs(commit)), *_moved_texts(commit)))
        or Cell("-", "quiet"),
    )


def _partitions_cell(node: Node, commit: Commit) -> str | Cell:
    defined, undefined = _partitions(node, commit)
    texts = [partitions_text(defined, node.partitions)] if defined else []
    if undefined:
        texts.append(f"{counted(undefined, 'partition')} beyond the definition")
    if None in commit.changed_keys and node.is_partitioned:
        texts.append("files whose partitions the log does not name")
    return ", ".join(texts) or Cell("-", "quiet")


def _partitions(node: Node, commit: Commit) -> tuple[PartitionSet, int]:
    """Return the partitions that a commit changed, and how many more are none of the definition."""
    keys = _recorded_keys(commit) | {key for key in commit.changed_keys if key is not None}
    if not node.is_partitioned and commit.changed_keys:
        keys |= {node.partitions.key(0)}
    if node.asset.kind == "source" and node.is_partitioned:
        keys -= {""}  # the file that holds all of them
    return split_defined(sorted(keys), node.partitions)


def _recorded_keys(commit: Commit) -> set[str]:
    groups = () if commit.record is None else commit.record.groups
    return {key for group in groups for key in (("",) if group.keys is None else group.keys)}


def _rows(commit: Commit) -> int | None:
    """Return how many rows the changed partitions have now; what others or other lakes wrote is not counted."""
    if commit.record is None or commit.record.is_foreign or not commit.record.groups:
        return None
    counts = [rows for group in commit.record.groups for rows in group.rows]
    return None if None in counts else sum(rows or 0 for rows in counts)


def _left_out(commit: Commit) -> LeftOut | None:
    """Return how many rows rules left out of a commit; none: its record does not tell, or it has none of this lake."""
    # Imported here: --help must not load Polars.
    from deltaworks.io.rejects import left_out_by

    return None if commit.record is None or commit.record.is_foreign else left_out_by(commit.record)


def _left_out_cell(left_out: LeftOut | None) -> Cell:
    return Cell(left_out_text(left_out.dropped, left_out.quarantined), "stale") if left_out else Cell("-", "quiet")


def _metadata(commit: Commit) -> Mapping[str, Any]:
    """Return what functions wanted to be remembered of a commit; of a partitioned asset by partition."""
    record = commit.record
    is_made = record is not None and not record.is_foreign and record.kind == "materialize"
    return record.metadata if record is not None and is_made else {}


def _metadata_cell(node: Node, commit: Commit) -> Cell:
    found = _metadata(commit)
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


def _restored(commit: Commit) -> list[int]:
    """Return the versions whose content a rollback gave back."""
    groups = () if commit.record is None else commit.record.groups
    return sorted({group.restored_from.version for group in groups if group.restored_from is not None})


def _restored_texts(commit: Commit) -> Iterator[str]:
    versions = _restored(commit)
    if versions:
        yield f"version {', '.join(map(str, versions))} of its own"


def _inputs(commit: Commit) -> Mapping[str, tuple[int, int]]:
    """Return the oldest and the newest version that was read of each upstream."""
    found: dict[str, tuple[int, int]] = {}
    for group in () if commit.record is None else commit.record.groups:
        for pin in group.inputs.values():
            least, most = found.get(pin.asset, (pin.version, pin.version))
            found[pin.asset] = min(least, pin.version), max(most, pin.version)
    return found


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


def _at(commit: Commit) -> dt.datetime:
    return dt.datetime.fromtimestamp(commit.timestamp_ms / 1000, dt.UTC)


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "history", history)
