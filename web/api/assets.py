"""Assets: what is defined, what is fresh, and why what is not is not."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.documents.assets import asset_json
from deltaworks.engine.documents.history import commit_json
from deltaworks.engine.documents.statuses import status_json
from deltaworks.engine.execution.opening import open_history
from deltaworks.engine.planning.causes import status_ranges
from deltaworks.engine.planning.graph import Node
from deltaworks.engine.planning.selection import select_every
from deltaworks.errors import RequestError
from deltaworks.io.history import changes_data
from deltaworks.web.draw.heat import cell_bytes
from deltaworks.web.http.asked import After, Limit, Select, TheNode, TheSight
from deltaworks.web.http.documents import document, paged
from deltaworks.web.http.templates import with_tag
from deltaworks.web.views.partition import why_document
from deltaworks.web.views.partitions import cell_keys, lay_out, shades
from deltaworks.web.workspace import Sight

router = APIRouter(prefix="/api/v1", tags=["assets"])


@router.get("/assets")
def assets(
    request: Request,
    sight: TheSight,
    select: Select = None,
    after: After = None,
    limit: Limit = 100,
) -> Response:
    """List assets with their status, as `list --json` and `status --json` together."""
    chosen = select_every(sight.project.graph, select or (), lambda: sight.observation.status)

    def tell(keys: Sequence[AssetKey]) -> list[dict[str, Any]]:
        return [_asset_json(sight, sight.project.graph.every[key]) for key in keys]

    return document(request, paged(chosen, "assets", after, limit, str, tell))


@router.get("/assets/{key}")
def asset(request: Request, sight: TheSight, node: TheNode) -> Response:
    """Return an asset with its status."""
    return document(request, _asset_json(sight, node))


@router.get("/assets/{key}/status", response_model=None)
def status(
    request: Request,
    sight: TheSight,
    node: TheNode,
    accept: Annotated[str, Header(description="application/octet-stream: one byte a cell of the map.")] = "*/*",
) -> Response:
    """Return ranges of partitions with their status and its causes, as `status --partitions --json`.

    As `application/octet-stream` it is the map that pages paint: one byte a cell, row by row, with its rows and columns
    in `X-Shape`; 0 no partition, 1 fresh, 2 external, 3 running, 4 missing, 5 stale, 6 failed. With several dimensions
    `x` and `y` name those of the map.
    """
    found = _status_of(sight, node)
    if "application/octet-stream" in accept:
        shade = shades(found, sight.running.get(node.key))
        grid, ordinals, _, _ = lay_out(node.partitions, request.query_params)
        content = cell_bytes(grid, shade if ordinals is None else shade.gather(ordinals))
        answer = with_tag(request, content, "application/octet-stream")
        answer.headers["X-Shape"] = f"{len(grid.rows)} {grid.columns}"
        return answer
    ranges = status_ranges(found, sight.observation.status)
    whole = PartitionSet.all(node.partitions.size)
    return document(request, status_json(found, whole, sight.problems, ranges))


@router.get("/assets/{key}/cells")
def cells(request: Request, sight: TheSight, node: TheNode) -> Response:
    """Return the first and last partition key of each cell of the map, row by row; null where there is none."""
    _status_of(sight, node)
    grid, ordinals, _, _ = lay_out(node.partitions, request.query_params)
    keys = cell_keys(node.partitions, grid, ordinals)
    return document(request, {"rows": len(grid.rows), "columns": grid.columns, "keys": keys})


@router.get("/assets/{key}/why")
def why(
    request: Request,
    sight: TheSight,
    node: TheNode,
    partition: Annotated[list[str] | None, Query(description="Keys, one by one; none: all.")] = None,
) -> Response:
    """Return why partitions are as they are, down to commits and code, as `why --json`."""
    _status_of(sight, node)
    return document(request, why_document(sight, node, partition or ()))


@router.get("/assets/{key}/history")
def history(
    request: Request,
    sight: TheSight,
    node: TheNode,
    before: Annotated[int | None, Query(ge=0, description="Only commits before this version.")] = None,
    everything: Annotated[bool, Query(alias="all", description="Also commits that change no data.")] = False,
    limit: Limit = 20,
) -> Response:
    """Return the commits of an asset's table, newest first, as `history --json`."""
    _status_of(sight, node)
    found = open_history(sight.project.store, node.asset, before=before)
    kept = (commit for commit in found if everything or changes_data(commit))
    return document(request, [commit_json(node, commit) for commit in islice(kept, limit)])


def _asset_json(sight: Sight, node: Node) -> dict[str, Any]:
    defined = asset_json(node)
    if node.key not in sight.project.graph.nodes:
        return defined
    found = status_json(sight.status(node.key), PartitionSet.all(node.partitions.size), sight.problems)
    return {**defined, **found, "partitions": {**defined["partitions"], **found["partitions"]}}


def _status_of(sight: Sight, node: Node) -> Any:
    if node.key not in sight.project.graph.nodes:
        raise RequestError(f"{node.key} is a view: nothing of it is stored, so it has no status and no history.")
    return sight.status(node.key)
