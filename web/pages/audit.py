"""The audit: who had what changed."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from deltaworks.web.http.asked import TheSight
from deltaworks.web.http.templates import page
from deltaworks.web.views.audit import audit_view

router = APIRouter(include_in_schema=False)


@router.get("/audit")
def audit(request: Request, sight: TheSight, before: str | None = None) -> Response:
    """Show who had what changed, the newest first."""
    return page(request, "audit.html", audit_view(sight.project.store, before))
