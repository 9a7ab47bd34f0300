"""Doors: what every request has to pass before anything else sees it, and what every response says to the browser.

A name that is not the server's own is refused, as a page of somebody else may give its own name our address. What
changes anything is refused if another site's page sends it. With tokens, who has none is let in nowhere.
"""

from __future__ import annotations

import re
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deltaworks.web.http.problems import refusal, wants_page
from deltaworks.web.http.roles import Actor, Auth, Role

MOST_BODY_BYTES: Final = 1_000_000
"""Of a request."""

SESSION_COOKIE: Final = "deltaworks_session"

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
"""The names of the loopback interface."""

SAFE: Final = frozenset({"GET", "HEAD"})
"""Methods that change nothing."""
_KNOWN = SAFE | {"POST", "PATCH"}
_OPEN = ("/health/live", "/login", "/static/")
"""What is answered to anybody who knows the server's name."""

HARMLESS: Final = frozenset({"/login", "/logout", "/api/v1/plans"})
"""What is posted and changes nothing in the lake."""

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:/@]+)(?::[0-9]+)?")

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_SAID = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Doors:
    """The outermost layer of the app."""

    def __init__(self, app: ASGIApp, auth: Auth) -> None:
        self._app, self._auth = app, auth
        self._names = LOOPBACK | {_as_in_headers(name) for name in auth.hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or answer why not."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        # As the client wrote it: a key may have a slash, which must not look like one that divides the path.
        scope = {**scope, "path": (scope.get("raw_path") or quote(scope["path"]).encode()).decode("ascii", "replace")}
        headers = Headers(scope=scope)
        scope["state"] = {**scope.get("state", {}), "actor": self._actor(headers)}
        answer = self._refused(scope, headers)
        if answer is None:
            await self._app(scope, receive, _saying(send))
        else:
            await answer(scope, receive, _saying(send))

    def _refused(self, scope: Scope, headers: Headers) -> Response | None:
        """Return the answer to what is not let in."""
        request, method, path = Request(scope), scope["method"], scope["path"]
        if _name(headers.get("host", "")) not in self._names:
            title = "This server is not known by that name"
            hint = f"The Host header is {headers.get('host')!r}; --allowed-host adds a name."
            return refusal(request, 400, title, hint)
        if method not in _KNOWN:
            allowed = {"Allow": ", ".join(sorted(_KNOWN))}
            return refusal(request, 405, "Nothing here takes this method", f"{method} is not supported.", allowed)
        if method not in SAFE:
            problem = _foreign(headers) or _unfit(path, headers)
            if problem is not None:
                return refusal(request, *problem)
        if path.startswith(_OPEN):
            return None
        actor: Actor | None = scope["state"]["actor"]
        if actor is None:
            if wants_page(request):
                return RedirectResponse(f"/login?next={quote(path, safe='')}", 303)
            hint = "Send the token as Authorization: Bearer."
            return refusal(request, 401, "A token is needed", hint, {"WWW-Authenticate": "Bearer"})
        if method not in SAFE and actor.role is not Role.OPERATOR and path not in HARMLESS:
            return refusal(request, 403, "A viewer cannot do this", "It takes the token of an operator.")
        return None

    def _actor(self, headers: Headers) -> Actor | None:
        if not self._auth.tokens:
            return Actor("local", Role.OPERATOR)
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self._auth.by_token(token.strip())
        session = _cookie(headers.get("cookie", ""))
        return None if session is None else self._auth.by_session(session)


def _as_in_headers(name: str) -> str:
    """Return a name or an address as a Host header has it."""
    return f"[{name}]".lower() if ":" in name and not name.startswith("[") else name.lower()


def _name(host: str) -> str:
    """Return the name in a Host header, without its port; empty: it is none."""
    found = _HOST.fullmatch(host)
    return "" if found is None else found[1].lower()


def _foreign(headers: Headers) -> tuple[int, str, str] | None:
    """Say why a request that changes something is taken for another site's."""
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return 403, "Another site sent this", "Only pages of this server may change anything here."
    origin = headers.get("origin")
    if origin is not None and origin.partition("://")[2].lower() != headers.get("host", "").lower():
        return 403, "Another site sent this", f"Its origin is {origin!r}; only this server's pages may change anything."
    return None


def _unfit(path: str, headers: Headers) -> tuple[int, str, str] | None:
    """Say what is wrong with the body of a request, as far as its headers tell."""
    if "transfer-encoding" in headers:
        return 411, "The length is missing", "Send the body with a Content-Length."
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > MOST_BODY_BYTES:
        return 413, "This is too large", f"A body may have {MOST_BODY_BYTES:,} bytes."
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    # Forms of other sites cannot have this type.
    if path.startswith("/api/") and kind != "application/json":
        return 415, "The API takes JSON", f"Content-Type is {kind!r}; send application/json."
    return None


def _cookie(header: str) -> str | None:
    try:
        found = SimpleCookie(header).get(SESSION_COOKIE)
    except CookieError:
        return None
    return None if found is None else found.value


def _saying(send: Send) -> Send:
    """Add to every response what browsers must know."""

    async def send_more(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _SAID.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return send_more
