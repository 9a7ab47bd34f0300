"""The audit: who had what changed through the UI or the API."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter, Request, Response

from deltaworks.web.http.asked import After, Limit, TheSight
from deltaworks.web.http.documents import document
from deltaworks.web.views.audit import audit_view

router = APIRouter(prefix="/api/v1", tags=["audit"])


@router.get("/audit")
def audit(
    request: Request,
    sight: TheSight,
    after: After = None,
    limit: Limit = 100,
) -> Response:
    """Return who had what changed, the newest first."""
    view = audit_view(sight.project.store, after, limit)
    return document(request, {"entries": [asdict(row.entry) for row in view.rows], "next": view.before})
