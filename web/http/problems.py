"""Problems: what went wrong, as RFC 9457 for programs and as a page for people."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from deltaworks.errors import (
    ClaimHeld,
    CommitConflict,
    DefinitionError,
    DeltaworksError,
    PlanChanged,
    RequestError,
    StorageError,
    UnknownAsset,
    UnknownAutomation,
    UnknownColumn,
    UnknownJob,
    UnknownPartition,
    UnknownRun,
    VersionGone,
)
from deltaworks.web.http.templates import render

_log = logging.getLogger("deltaworks")

PROBLEM = "application/problem+json"

_STATUS: tuple[tuple[type[DeltaworksError], int, str], ...] = (
    (UnknownAsset, 404, "There is no such asset"),
    (UnknownAutomation, 404, "There is no such schedule or sensor"),
    (UnknownPartition, 404, "There is no such partition"),
    (UnknownColumn, 404, "There is no such column"),
    (UnknownJob, 404, "There is no such job"),
    (UnknownRun, 404, "There is no such run"),
    (VersionGone, 404, "There is no such version"),
    (PlanChanged, 409, "The plan has changed"),
    (RequestError, 422, "This cannot be asked for"),
    (ClaimHeld, 409, "Somebody else is at it"),
    (CommitConflict, 409, "Somebody else changed it"),
    (DefinitionError, 503, "The project cannot be loaded"),
    (StorageError, 503, "The lake cannot be read"),
)
"""The first that fits tells the status and the title."""


def wants_page(request: Request) -> bool:
    """Return whether a person looks at the answer."""
    return not request.url.path.startswith(("/api/", "/health/", "/static/"))


def refusal(
    request: Request, status: int, title: str, detail: str, headers: Mapping[str, str] | None = None, **more: Any
) -> Response:
    """Return the answer to what cannot be done; `more` stands in the document of programs."""
    if wants_page(request):
        page = render("error.html", request, {"status": status, "title": title, "detail": detail, "more": more})
        return Response(page, status, headers, media_type="text/html")
    problem = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    return JSONResponse(problem, status, headers, media_type=PROBLEM)


def add_problems(app: FastAPI) -> None:
    """Answer every error of a handler with a problem."""
    app.add_exception_handler(DeltaworksError, _of_ours)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(RequestValidationError, _of_arguments)
    app.add_exception_handler(Exception, _of_nobody)


async def _of_ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, DeltaworksError), "it is registered for these"
    kind, status, title = next(
        (each for each in _STATUS if isinstance(error, each[0])), (DeltaworksError, 500, "This went wrong")
    )
    more: dict[str, Any] = {"plan_was": error.was, "plan_is": error.now} if isinstance(error, PlanChanged) else {}
    return refusal(request, status, title, str(error), type=f"urn:deltaworks:problem:{kind.__name__}", **more)


async def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException), "it is registered for these"
    found = {404: "There is nothing here", 405: "Nothing here takes this method"}
    title = found.get(error.status_code, error.detail)
    return refusal(request, error.status_code, title, f"{request.method} {request.url.path}", error.headers)


async def _of_arguments(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError), "it is registered for these"
    found = [{"where": "/".join(map(str, each["loc"])), "problem": each["msg"]} for each in error.errors()]
    told = "; ".join(f"{each['where']}: {each['problem']}" for each in found)
    return refusal(request, 422, "The request is not as expected", told, errors=found)


async def _of_nobody(request: Request, error: Exception) -> Response:
    number = secrets.token_hex(4)
    _log.error("error %s at %s %s", number, request.method, request.url.path, exc_info=error)
    detail = f"It is no fault of yours. The server's log has it as error {number}."
    return refusal(request, 500, "Something broke here", detail, error_id=number)
