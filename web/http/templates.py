"""Templates: from a view to HTML, whole or only the part that a page asks for again."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from collections.abc import Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from deltaworks.web import urls, words
from deltaworks.web.http.static import address

_PART = "part_"
"""What the blocks of templates begin with that a page may ask for alone."""


@cache
def _environment() -> Environment:
    # Everything is escaped; a placeholder that a view lacks is an error and not an empty text.
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=PackageLoader("deltaworks.web", "templates"),
    )
    filters: dict[str, Any] = environment.filters
    filters.update(
        number=words.number,
        size=words.size,
        duration=words.duration,
        instant=words.instant,
        clock=words.clock,
        plural=words.plural,
    )
    names: dict[str, Any] = environment.globals
    names.update(urls=urls, static=address, ago=words.ago, new_key=_new_key)
    return environment


def render(template: str, request: Request, values: Mapping[str, Any]) -> str:
    """Return a page as HTML."""
    return _environment().get_template(template).render(_all_values(request, values))


def page(request: Request, template: str, view: object, *, status: int = 200, **values: Any) -> Response:
    """Answer with a page, or with one part of it if `?part=` names it; with 304 if the browser has just that.

    Args:
        request: the request.
        template: its name.
        view: what the template shows, as `view`.
        status: of the answer.
        values: more names for the template.
    """
    named = _all_values(request, {"view": view, **values})
    part, found = request.query_params.get("part"), _environment().get_template(template)
    if part is None:
        return with_tag(request, found.render(named).encode(), "text/html; charset=utf-8", status)
    block = found.blocks.get(_PART + part)
    if block is None:
        raise HTTPException(404)
    text = "".join(block(found.new_context(named)))
    return with_tag(request, text.encode(), "text/html; charset=utf-8", status)


def with_tag(request: Request, content: bytes, media_type: str, status: int = 200) -> Response:
    """Answer with a content that browsers and clients may keep, as long as they ask whether it is still the same."""
    tag = f'W/"{hashlib.sha256(content).hexdigest()[:20]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Cookie, Authorization"}
    known = [each.strip() for each in request.headers.get("if-none-match", "").split(",")]
    if status == 200 and tag in known:
        return Response(None, 304, headers)
    return Response(content, status, headers, media_type)


def _new_key() -> str:
    """Return by what a form is known that is sent twice."""
    return secrets.token_urlsafe(12)


def _all_values(request: Request, values: Mapping[str, Any]) -> dict[str, Any]:
    shell = getattr(request.state, "shell", None)
    actor = getattr(request.state, "actor", None)
    now = dt.datetime.now(dt.UTC)
    return {"shell": shell, "actor": actor, "path": request.url.path, "query": request.query_params, "now": now} | {
        **values
    }
