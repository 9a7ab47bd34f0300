"""Details of one asset: its columns, rows, rules, numbers and lineage; and the graph of all."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from deltaworks.engine.documents.lineage import column_json, lineage_json
from deltaworks.engine.documents.rows import rows_json
from deltaworks.engine.planning.selection import select_every
from deltaworks.web.http.asked import Limit, Select, TheNode, ThePreviews, TheSight
from deltaworks.web.http.documents import document
from deltaworks.web.views.catalog import asset_row
from deltaworks.web.views.checks import checks_view
from deltaworks.web.views.lineage import edges_among
from deltaworks.web.views.metrics import metrics_view
from deltaworks.web.views.schema import schema_view

router = APIRouter(prefix="/api/v1", tags=["assets"])


@router.get("/assets/{key}/schema")
def schema(request: Request, sight: TheSight, node: TheNode) -> Response:
    """Return the columns of an asset, what its model asks of them, and the versions that changed them.

    Of a long log only the last commits are looked at: those from version `changes_since` on.
    """
    view = schema_view(sight, node)
    found = {
        "asset": str(node.key),
        "model": view.model,
        "columns": list(map(asdict, view.columns)),
        "changes": list(map(asdict, view.changes)),
        "changes_since": view.changes_since,
    }
    return document(request, found)


@router.get("/assets/{key}/checks")
def checks(request: Request, sight: TheSight, node: TheNode) -> Response:
    """Return what is asked of an asset's rows, whether it held in the last commits, and what failed."""
    view = checks_view(sight, node)
    rules, failed = map(asdict, view.rules), map(asdict, view.failed)
    return document(request, {"asset": str(node.key), "rules": list(rules), "failed": list(failed)})


@router.get("/assets/{key}/metrics")
def metrics(request: Request, sight: TheSight, node: TheNode) -> Response:
    """Return the numbers that commits tell, the latest first."""
    found = [
        {"name": each.name, "values": list(map(asdict, each.values))} for each in metrics_view(sight, node).metrics
    ]
    return document(request, {"asset": str(node.key), "metrics": found})


@router.get("/assets/{key}/preview")
def preview(
    request: Request,
    sight: TheSight,
    node: TheNode,
    previews: ThePreviews,
    version: Annotated[int | None, Query(ge=0, description="Of the table; none: the latest.")] = None,
    partition: Annotated[str, Query(description="Only this partition.")] = "",
    limit: Limit = 100,
) -> Response:
    """Return the first rows of an asset, as `show --json`; of a large table `total_rows` may be null, as not known."""
    found = previews.read(sight, node, version, partition, limit)
    return document(request, rows_json(str(node.key), version, found.df, found.total))


@router.get("/assets/{key}/lineage")
def lineage(request: Request, sight: TheSight, node: TheNode) -> Response:
    """Return the assets above and below one, and its columns one step away, as `lineage ASSET --json`."""
    return document(request, lineage_json(node.key, sight.findings.lineage, sight.project.graph))


@router.get("/assets/{key}/column-lineage")
def column_lineage(request: Request, sight: TheSight, node: TheNode, column: str) -> Response:
    """Return every column that one is made of and that is made of it, as `lineage ASSET.COLUMN --json`."""
    found = sight.findings.lineage
    found.named(f"{node.key}.{column}")
    return document(request, column_json((node.key, column), found))


@router.get("/graph")
def graph(
    request: Request,
    sight: TheSight,
    select: Select = None,
) -> Response:
    """Return which asset is made from which, each with its worst status."""
    every = sight.project.graph.every
    chosen = select_every(sight.project.graph, select or (), lambda: sight.observation.status)
    nodes = [{"asset": str(key), "status": asset_row(sight, every[key]).status} for key in chosen]
    edges = [[str(start), str(end)] for start, end in edges_among(sight.project.graph, chosen)]
    return document(request, {"nodes": nodes, "edges": edges})
