"""Connection: requests to one server, and their answers, or the error that they tell."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from deltaworks.client.values import Document
from deltaworks.errors import PlanChanged, RequestError, ServerError, UnknownRun

PAGE = 500
"""How many rows a request asks for; the most that the server gives."""

Query = Sequence[tuple[str, str]]


class Connection:
    """To one server; nothing is kept open between requests."""

    def __init__(self, address: str, token: str | None, timeout_s: float) -> None:
        """Know where the server is; nothing is sent yet.

        Raises:
            RequestError: the address is none of a server.
        """
        if urlsplit(address).scheme not in ("http", "https") or not urlsplit(address).hostname:
            raise RequestError(f"{address!r} is no address of a server; give one as http://127.0.0.1:3000.")
        self._address, self._token, self._timeout_s = address.rstrip("/"), token, timeout_s
        # Nothing of the API redirects; a token must not follow anybody elsewhere.
        self._opener = build_opener(_Stay)

    def request(
        self,
        method: str,
        path: str,
        query: Query = (),
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Send a request, and return the document that answers it.

        Raises:
            RequestError: the server refuses it.
            ServerError: the server cannot be reached, or it broke.
        """
        address = f"{self._address}{path}{f'?{urlencode(query)}' if query else ''}"
        sent = {"Accept": "application/json", **(headers or {})}
        if self._token is not None:
            sent["Authorization"] = f"Bearer {self._token}"
        if body is not None:
            sent["Content-Type"] = "application/json"
        content = None if body is None else json.dumps(body).encode()
        asked = Request(address, content, sent, method=method)  # noqa: S310 - http or https; `__init__` has looked
        try:
            with self._opener.open(asked, timeout=self._timeout_s) as answer:
                return json.loads(answer.read())
        except HTTPError as error:
            with error:
                raise _refusal(self._address, error) from error
        except (OSError, HTTPException) as error:
            raise ServerError(self._address, f"it cannot be reached: {error}") from error
        except ValueError as error:
            raise ServerError(self._address, f"what it answers is no JSON: {error}") from error

    def rows(self, path: str, name: str, query: Query = (), *, by: str = "after") -> Iterator[Document]:
        """Yield the rows of a list, page by page; `by` is the field that the `next` of a page goes to.

        Raises:
            RequestError: as `request`.
            ServerError: as `request`.
        """
        onward: list[tuple[str, str]] = []
        while True:
            found = self.request("GET", path, [*query, ("limit", str(PAGE)), *onward])
            yield from found[name]
            if found["next"] is None:
                return
            onward = [(by, found["next"])]


class _Stay(HTTPRedirectHandler):
    """Follows no redirect; it is an error like any other answer that is not wanted."""

    def redirect_request(self, *_: object, **__: object) -> None:
        return None


def path_of(kind: str, name: str, *below: str) -> str:
    """Return where something is found in the API."""
    return "/".join((f"/api/v1/{kind}", quote(name, safe=""), *below))


def _refusal(address: str, error: HTTPError) -> RequestError | ServerError:
    """Return the error that an answer tells."""
    try:
        problem: Mapping[str, Any] = json.loads(error.read())
        told = str(problem["detail"])
    except (ValueError, KeyError, TypeError, OSError, HTTPException):
        return ServerError(address, f"it answers {error.code} {error.reason}, and no problem of deltaworks")
    if "plan_was" in problem:
        return PlanChanged(problem["plan_was"], problem["plan_is"])
    if str(problem.get("type")).endswith(":UnknownRun"):
        return UnknownRun(told)
    return ServerError(address, told) if error.code >= 500 else RequestError(told)
