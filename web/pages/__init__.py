"""Pages: each handler asks, makes a view and renders its template."""

from __future__ import annotations

from fastapi import APIRouter

from deltaworks.web.pages import (
    api_docs,
    asset,
    assets,
    audit,
    automation,
    backfills,
    jobs,
    lineage,
    login,
    overview,
    runs,
    surroundings,
)


def routers() -> tuple[APIRouter, ...]:
    """Return the routes of all pages."""
    return (
        overview.router,
        assets.router,
        asset.router,
        lineage.router,
        runs.router,
        backfills.router,
        jobs.router,
        automation.router,
        surroundings.router,
        audit.router,
        login.router,
        api_docs.router,
    )
