"""The catalog of assets."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from deltaworks.web.http.asked import TheSight
from deltaworks.web.http.templates import page
from deltaworks.web.views.catalog import Filter, catalog_view

router = APIRouter(include_in_schema=False)


@router.get("/assets")
def assets(
    request: Request,
    sight: TheSight,
    q: str = "",
    select: str = "",
    group: str = "",
    kind: str = "",
    status: str = "",
    owner: str = "",
    sort: str = "",
    number: Annotated[int, Query(alias="page", ge=1)] = 1,
) -> Response:
    """Show the catalog."""
    asked = Filter(q.strip(), select.strip(), group, kind, status, owner, sort, number)
    return page(request, "assets.html", catalog_view(sight, asked))
