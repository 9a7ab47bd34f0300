"""Assets: what is defined of each, as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deltaworks.engine.planning.graph import Node


def asset_json(node: Node) -> dict[str, Any]:
    """Return what an asset is defined to be."""
    asset = node.asset
    return {
        "asset": str(node.key),
        "kind": asset.kind.value,
        "group": asset.group,
        "partitions": {"total": node.partitions.size, "partition_by": _partition_by(node)},
        "upstream": [str(edge.upstream) for edge in node.reads],
        "model": None if asset.model is None else asset.model.__name__,
        "owners": list(asset.owners),
        "tags": dict(asset.tags),
        "description": asset.description,
        "code_version": node.code,
        "location": asset.location,
        "checks": [
            {
                "check": each.check.name,
                "blocking": each.check.blocking,
                "when": each.check.when.value,
                "description": each.check.description,
                "file": each.check.where.file,
                "line": each.check.where.line,
            }
            for each in node.checks
        ],
        "file": asset.where.file,
        "line": asset.where.line,
    }


def _partition_by(node: Node) -> str | list[str] | None:
    columns = list(node.partition_columns)
    return columns if len(columns) > 1 else next(iter(columns), None)
