"""HttpClient: a service that is spoken to by HTTP, with timeouts, retries and idempotency keys."""

from __future__ import annotations

import http.client
import json
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from pydantic import Field, SecretStr, field_validator

from deltaworks.engine.definitions.policies import RetryPolicy
from deltaworks.engine.definitions.resources import Resource
from deltaworks.errors import RunError

IDEMPOTENCY_HEADER = "Idempotency-Key"

_SAFE_TO_REPEAT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""Source: RFC 9110, 9.2.2."""

_OF_ANYBODY = frozenset({"accept", "accept-encoding", "accept-language", "content-type", "user-agent"})
"""Headers that another host may know: they say nothing about who asks."""

_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""What a service may answer that answers otherwise a moment later."""

_SHOWN = 200
"""How many characters of an answer a message shows."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """What a service answered."""

    status: int
    headers: Mapping[str, str]
    """By names in small letters."""
    content: bytes

    @property
    def text(self) -> str:
        """The content as UTF-8."""
        return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        """Return the content as JSON.

        Raises:
            ValueError: it is none.
        """
        return json.loads(self.content)


class HttpClient(Resource):
    """A service below a URL. Each request has a connection of its own, so threads may share the resource.

    What is safe to repeat is tried again when the service cannot be reached or says that it is not well: GET, HEAD,
    OPTIONS, PUT and DELETE, and whatever has an idempotency key.
    """

    base_url: str
    token: SecretStr | None = None
    """Sent as `Authorization: Bearer ...`."""
    headers: dict[str, str] = Field(default_factory=dict[str, str])
    timeout_s: float = Field(default=30.0, gt=0)
    """How long the service may be silent."""
    retry: RetryPolicy = RetryPolicy(max_retries=3, delay_s=0.5, max_delay_s=30.0)
    """How often and when a request is tried again."""

    @field_validator("base_url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
            raise ValueError("it must begin with http:// or https:// and name a host")
        return url

    def get(self, path: str = "", *, params: Mapping[str, object] | None = None) -> HttpResponse:
        """Send a GET; see `request`."""
        return self.request("GET", path, params=params)

    def post(
        self, path: str = "", *, data: object = None, content: bytes | None = None, idempotency_key: str | None = None
    ) -> HttpResponse:
        """Send a POST; see `request`."""
        return self.request("POST", path, data=data, content=content, idempotency_key=idempotency_key)

    def request(
        self,
        method: str,
        path: str = "",
        *,
        params: Mapping[str, object] | None = None,
        data: object = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> HttpResponse:
        """Send a request, and return what a service answers that is well (2xx).

        Args:
            method: `GET`, `POST` and so on.
            path: below the base URL.
            params: of the query.
            data: what is sent as JSON.
            content: bytes that are sent as they are.
            headers: more of them.
            idempotency_key: what the service is to do once for, such as `f"{attempt.run_id}/{attempt.step}"`; sent as
                `Idempotency-Key`, so that the request may be tried again.

        Raises:
            RunError: the service cannot be reached, or answers something else, after all tries.
        """
        sent = {**self.headers, **(headers or {})}
        if self.token is not None:
            sent["Authorization"] = f"Bearer {self.token.get_secret_value()}"
        if idempotency_key is not None:
            sent[IDEMPOTENCY_HEADER] = idempotency_key
        if data is not None:
            content = json.dumps(data).encode()
            sent.setdefault("Content-Type", "application/json")
        url = f"{self.base_url.rstrip('/')}/{path.lstrip('/')}" if path else self.base_url
        query = f"{'&' if '?' in url else '?'}{urlencode(params, doseq=True)}" if params else ""
        request = Request(url + query, content, sent, method=method.upper())  # noqa: S310 - its scheme was looked at
        may_repeat = request.get_method() in _SAFE_TO_REPEAT or idempotency_key is not None
        return self._sent(request, f"{request.get_method()} {url}", self.retry.max_retries if may_repeat else 0)

    def _sent(self, request: Request, what: str, retries: int) -> HttpResponse:
        for number in range(1, retries + 2):
            pause_s = 0.0
            try:
                with build_opener(_Redirects).open(request, timeout=self.timeout_s) as answer:
                    return HttpResponse(answer.status, _lower(answer.headers), answer.read())
            except HTTPError as error:
                with error:
                    problem = f"{error.code} {error.reason}: {error.read().decode('utf-8', 'replace')[:_SHOWN]}"
                if error.code not in _PASSING:
                    raise RunError(f"{what}: {problem.rstrip(': ')}") from error
                pause_s = _asked_pause_s(error.headers.get("Retry-After"))
                cause: Exception = error
            except (URLError, OSError, http.client.HTTPException) as error:
                reason = error.reason if isinstance(error, URLError) else error
                problem, cause = f"{type(reason).__name__}: {reason}", error
            if number > retries:
                tries = f" (tried {number} times)" if number > 1 else ""
                raise RunError(f"{what}: {problem.rstrip(': ')}{tries}") from cause
            drawn_s = self.retry.delay_before_s(number, random.random())  # noqa: S311 - spreads load, guards nothing
            time.sleep(min(max(drawn_s, pause_s), self.retry.max_delay_s))
        raise AssertionError("the last try returns or raises")


class _Redirects(HTTPRedirectHandler):
    """Follows redirects, and takes to other hosts only what says how bytes are to be read."""

    def redirect_request(self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Request | None:
        new = super().redirect_request(req, fp, code, msg, headers, newurl)
        if new is not None and urlsplit(new.full_url)[:2] != urlsplit(req.full_url)[:2]:
            new.headers = {name: value for name, value in new.headers.items() if name.lower() in _OF_ANYBODY}
        return new


def _lower(headers: Any) -> dict[str, str]:
    return {str(name).lower(): str(value) for name, value in headers.items()}


def _asked_pause_s(header: str | None) -> float:
    """Return how long a service asks to wait; a date, which it may write too, counts as nothing."""
    return float(header) if header is not None and header.strip().isdigit() else 0.0
