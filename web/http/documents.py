"""Documents: answers to programs, with a tag by which they ask whether anything has changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from fastapi import Request
from starlette.responses import Response

from deltaworks.errors import RequestError
from deltaworks.web import urls
from deltaworks.web.http.templates import with_tag

T = TypeVar("T")


def document(request: Request, content: Any) -> Response:
    """Answer with a JSON document; with 304 if the client has just that."""
    return with_tag(request, json.dumps(content, default=str).encode(), "application/json")


def paged(
    items: Sequence[T],
    name: str,
    after: str | None,
    limit: int,
    key: Callable[[T], str],
    tell: Callable[[Sequence[T]], list[dict[str, Any]]],
) -> dict[str, Any]:
    """Return one page of a list, and where the next one begins.

    Args:
        items: all that there are, in their order.
        name: what they stand under.
        after: the `next` of the page before; none: the first page.
        limit: how many.
        key: by what an item is known.
        tell: what is said of those that are on the page.

    Raises:
        RequestError: `after` names no item.
    """
    first = 0
    if after is not None:
        place = next((place for place, item in enumerate(items) if key(item) == after), None)
        if place is None:
            raise RequestError(f"There is nothing after {after!r}: none of the {name} is that.")
        first = place + 1
    shown = items[first : first + limit]
    has_more = first + limit < len(items)
    return {name: tell(shown), "next": key(shown[-1]) if has_more else None, "total": len(items)}


def started(response: Response, answer: dict[str, Any]) -> dict[str, Any]:
    """Say where the run is that was started."""
    response.headers["Location"] = urls.run(answer["run_id"])
    return answer
