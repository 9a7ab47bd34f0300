"""History: the commits of a table as JSON: who changed which partitions, when, and from what."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from deltaworks.engine.documents.instants import instant_json
from deltaworks.engine.documents.partitions import partitions_json, split_defined

if TYPE_CHECKING:
    from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
    from deltaworks.engine.planning.graph import Node
    from deltaworks.io.log import Commit
    from deltaworks.io.rejects import LeftOut


def commit_json(node: Node, commit: Commit) -> dict[str, Any]:
    """Return a commit; what it does not tell is null."""
    record = commit.record
    inputs, left_out = input_versions(commit), left_out_of(commit)
    defined, undefined = changed_partitions(node, commit)
    return {
        "version": commit.version,
        "at": None if not commit.timestamp_ms else instant_json(committed_at(commit)),
        "run_id": None if record is None else record.run_id,
        "partitions": partitions_json(defined, node.partitions) | ({"undefined": undefined} if undefined else {}),
        "rows": rows_of(commit),
        "dropped": None if left_out is None else left_out.dropped,
        "quarantined": None if left_out is None else left_out.quarantined,
        "inputs": {asset: most for asset, (_, most) in inputs.items()},
        "oldest_inputs": {asset: least for asset, (least, most) in inputs.items() if least < most},
        "kind": None if record is None or record.is_foreign else record.kind.value,
        "restored_from": restored_versions(commit),
        "metadata": metadata_of(commit),
        "operation": commit.operation,
        "engine": commit.engine_info,
    }


def changed_partitions(node: Node, commit: Commit) -> tuple[PartitionSet, int]:
    """Return the partitions that a commit changed, and how many more are none of the definition."""
    keys = _recorded_keys(commit) | {key for key in commit.changed_keys if key is not None}
    if not node.is_partitioned and commit.changed_keys:
        keys |= {node.partitions.key(0)}
    if node.asset.kind == "source" and node.is_partitioned:
        keys -= {""}  # the file that holds all of them
    return split_defined(sorted(keys), node.partitions)


def rows_of(commit: Commit) -> int | None:
    """Return how many rows the changed partitions have now; what others or other lakes wrote is not counted."""
    if commit.record is None or commit.record.is_foreign or not commit.record.groups:
        return None
    counts = [rows for group in commit.record.groups for rows in group.rows]
    return None if None in counts else sum(rows or 0 for rows in counts)


def left_out_of(commit: Commit) -> LeftOut | None:
    """Return how many rows rules left out of a commit; none: its record does not tell, or it has none of this lake."""
    # Imported here: --help must not load Polars.
    from deltaworks.io.rejects import left_out_by

    return None if commit.record is None or commit.record.is_foreign else left_out_by(commit.record)


def metadata_of(commit: Commit) -> Mapping[str, Any]:
    """Return what functions wanted to be remembered of a commit; of a partitioned asset by partition."""
    record = commit.record
    is_made = record is not None and not record.is_foreign and record.kind == "materialize"
    return record.metadata if record is not None and is_made else {}


def restored_versions(commit: Commit) -> list[int]:
    """Return the versions whose content a rollback gave back."""
    groups = () if commit.record is None else commit.record.groups
    return sorted({group.restored_from.version for group in groups if group.restored_from is not None})


def input_versions(commit: Commit) -> Mapping[str, tuple[int, int]]:
    """Return the oldest and the newest version that was read of each upstream."""
    found: dict[str, tuple[int, int]] = {}
    for group in () if commit.record is None else commit.record.groups:
        for pin in group.inputs.values():
            least, most = found.get(pin.asset, (pin.version, pin.version))
            found[pin.asset] = min(least, pin.version), max(most, pin.version)
    return found


def _recorded_keys(commit: Commit) -> set[str]:
    groups = () if commit.record is None else commit.record.groups
    return {key for group in groups for key in (("",) if group.keys is None else group.keys)}


def committed_at(commit: Commit) -> dt.datetime:
    """Return when a commit was made, by its writer's clock."""
    return dt.datetime.fromtimestamp(commit.timestamp_ms / 1000, dt.UTC)
