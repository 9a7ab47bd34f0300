"""The pages of one asset."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse

from deltaworks.engine.planning.graph import Node
from deltaworks.web import urls
from deltaworks.web.http.asked import PathName, TheNode, ThePreviews, TheSight
from deltaworks.web.http.templates import page
from deltaworks.web.views.asset import asset_view, history_view, partitions_view
from deltaworks.web.views.checks import checks_view
from deltaworks.web.views.columns import columns_view
from deltaworks.web.views.metrics import metrics_view
from deltaworks.web.views.partition import partition_view
from deltaworks.web.views.rows import rows_view
from deltaworks.web.views.schema import schema_view
from deltaworks.web.workspace import Sight

router = APIRouter(include_in_schema=False)

_MOST_PARTS = 50
"""How many parts of a path may be those of a key."""


@router.get("/assets/{key}")
def asset(request: Request, sight: TheSight, node: TheNode) -> Response:
    """Show an asset at a glance."""
    return page(request, "asset.html", asset_view(sight, node))


@router.get("/assets/{key}/partitions")
def partitions(request: Request, sight: TheSight, node: TheNode, status: str = "") -> Response:
    """Show which partitions have which status, and why."""
    _refuse_view(sight, node)
    return page(request, "partitions.html", partitions_view(sight, node, status, request.query_params))


@router.get("/assets/{key}/partitions/{partition}")
def partition(request: Request, sight: TheSight, node: TheNode, partition: PathName) -> Response:
    """Show one partition, and why it is as it is."""
    _refuse_view(sight, node)
    return page(request, "partition.html", partition_view(sight, node, partition))


@router.get("/assets/{key}/partition")
def first_partition(sight: TheSight, node: TheNode, first: Annotated[str, Query(alias="from")]) -> Response:
    """Lead from the first key of a range, as the form below a map has it, to the page of that partition."""
    _refuse_view(sight, node)
    return RedirectResponse(urls.asset(node.key, "partitions", first), 303)


@router.get("/assets/{key}/why")
def why(request: Request, sight: TheSight, node: TheNode) -> Response:
    """Show why a table without partitions is as it is."""
    _refuse_view(sight, node)
    if node.is_partitioned:
        return RedirectResponse(urls.asset(node.key, "partitions"), 303)
    return page(request, "partition.html", partition_view(sight, node, ""))


@router.get("/assets/{key}/history")
def history(
    request: Request,
    sight: TheSight,
    node: TheNode,
    before: Annotated[int | None, Query(ge=0)] = None,
    everything: Annotated[bool, Query(alias="all")] = False,
) -> Response:
    """Show the commits of an asset's table."""
    _refuse_view(sight, node)
    return page(request, "history.html", history_view(sight, node, before, shows_all=everything))


@router.get("/assets/{key}/schema")
def schema(request: Request, sight: TheSight, node: TheNode) -> Response:
    """Show the columns of an asset, and how they changed."""
    return page(request, "schema.html", schema_view(sight, node))


@router.get("/assets/{key}/checks")
def checks(request: Request, sight: TheSight, node: TheNode) -> Response:
    """Show what is asked of an asset's rows, and what did not hold."""
    _refuse_view(sight, node)
    return page(request, "checks.html", checks_view(sight, node))


@router.get("/assets/{key}/lineage")
def lineage(request: Request, sight: TheSight, node: TheNode, column: str = "") -> Response:
    """Show what an asset and its columns are made of, and what is made of them."""
    return page(request, "columns.html", columns_view(sight, node, column))


@router.get("/assets/{key}/metrics")
def metrics(request: Request, sight: TheSight, node: TheNode) -> Response:
    """Show the numbers that commits tell."""
    _refuse_view(sight, node)
    return page(request, "metrics.html", metrics_view(sight, node))


@router.get("/assets/{key}/data")
def data(
    request: Request,
    sight: TheSight,
    node: TheNode,
    previews: ThePreviews,
    version: Annotated[int | None, Query(ge=0)] = None,
    partition: str = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Response:
    """Show rows of an asset, at any version that is still there."""
    return page(request, "data.html", rows_view(sight, node, previews, version, partition, limit))


@router.get("/assets/{path:path}")
def by_plain_key(sight: TheSight, path: str) -> Response:
    """Lead from a key that is written with plain slashes to its page."""
    parts, known = path.split("/"), set(map(str, sight.project.graph.every))
    for length in range(min(len(parts), _MOST_PARTS), 1, -1):  # a key of one part has pages of its own above
        key = "/".join(parts[:length])
        if key in known:
            return RedirectResponse(urls.asset(key, *parts[length:]), 308)
    raise HTTPException(404)


def _refuse_view(sight: Sight, node: Node) -> None:
    """Refuse what only tables have."""
    if node.key not in sight.project.graph.nodes:
        raise HTTPException(404)
