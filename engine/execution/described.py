"""Described: what an asset's definition says about its table, for other readers of it."""

from __future__ import annotations

from deltaworks.engine.planning.graph import Node
from deltaworks.io.description import Description
from deltaworks.validation import declare

_NO_GROUP = "default"


def description_of(node: Node) -> Description:
    """Return the docstring, the columns' descriptions, and by whom and for what the asset is."""
    asset = node.asset
    columns = () if asset.model is None else declare(asset.model).columns
    return Description(
        text=asset.description,
        columns={column.name: column.comment for column in columns if column.comment},
        owners=asset.owners,
        group=None if asset.group == _NO_GROUP else asset.group,
        tags=asset.tags,
    )
