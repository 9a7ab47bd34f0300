"""REST endpoints: the same documents as the commands' `--json`, under `/api/v1`; changes only add to them."""

from __future__ import annotations

from fastapi import APIRouter

from deltaworks.web.api import assets, audit, automation, backfills, details, health, jobs, run_logs, runs, surroundings


def routers() -> tuple[APIRouter, ...]:
    """Return the routes of all endpoints."""
    return (
        health.router,
        assets.router,
        details.router,
        backfills.router,
        runs.router,
        run_logs.router,
        jobs.router,
        automation.router,
        surroundings.router,
        audit.router,
    )
