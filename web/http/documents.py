"""Documents: answers to programs, with a tag by which they ask whether anything has changed."""

from __future__ import annotations

import json
from typing import Any

from fastapi import Request
from starlette.responses import Response

from deltaworks.errors import RequestError
from deltaworks.web.http.templates import with_tag


def document(request: Request, content: Any) -> Response:
    """Answer with a JSON document; with 304 if the client has just that."""
    return with_tag(request, json.dumps(content, default=str).encode(), "application/json")


def paged(rows: list[Any], name: str, after: str | None, limit: int, key: str) -> dict[str, Any]:
    """Return one page of rows, and where the next one begins.

    Args:
        rows: all of them, in their order.
        name: what they stand under.
        after: the `next` of the page before; none: the first page.
        limit: how many rows.
        key: the field by which a row is known.

    Raises:
        RequestError: `after` names no row.
    """
    first = 0
    if after is not None:
        places = [place for place, row in enumerate(rows) if row[key] == after]
        if not places:
            raise RequestError(f"There is nothing after {after!r}: no {key} is that.")
        first = places[0] + 1
    shown = rows[first : first + limit]
    has_more = first + limit < len(rows)
    return {name: shown, "next": shown[-1][key] if has_more else None, "total": len(rows)}
