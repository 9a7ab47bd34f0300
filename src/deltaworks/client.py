"""Client: the REST API of a `deltaworks ui`, for programs; only the standard library is needed.

    client = Client("http://127.0.0.1:3000")
    plan = client.plan(["daily_carrier+"], only=["stale"])
    launched = client.backfill(["daily_carrier+"], only=["stale"], plan_hash=plan.plan_hash)

What the server refuses is a `RequestError` with its reason, a plan that has changed meanwhile a `PlanChanged`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from deltaworks.errors import PlanChanged, RequestError, ServerError

_PAGE = 500
"""How many rows a request asks for; the most that the server gives."""

KeyRange = tuple[str, str]
"""The first and last key of partitions that follow each other."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many partitions an asset has of each status."""

    total: int
    fresh: int
    stale: int
    missing: int
    external: int
    failed: int
    """Lies over the others: what failed is also stale or missing."""


@dataclass(frozen=True, slots=True)
class Asset:
    """An asset with its status."""

    name: str
    kind: str
    group: str | None
    version: int | None
    """Of its table; none: there is none yet."""
    counts: Counts | None
    """None: nothing of it is stored, as of a view."""
    document: Mapping[str, Any]
    """All that the server tells of it."""


@dataclass(frozen=True, slots=True)
class StatusRange:
    """Partitions that are as they are for the same causes."""

    status: str
    count: int
    ranges: tuple[KeyRange, ...]
    causes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """What a plan makes of one asset."""

    asset: str
    count: int
    ranges: tuple[KeyRange, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a backfill would make."""

    plan_hash: str
    """The same for plans that make the same; `Client.backfill` takes it."""
    steps: tuple[Step, ...]
    partitions: int
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Launched:
    """A backfill that was started."""

    run_id: str
    command: str
    """What does the same on the command line."""


class Client:
    """Calls one server. Every method raises as `request` does."""

    def __init__(self, address: str, *, token: str | None = None, timeout_s: float = 60.0) -> None:
        """Know where the server is; nothing is sent yet.

        Args:
            address: as `deltaworks ui` tells it.
            token: of an operator, or of a viewer, who starts nothing; none: the server is on this machine.
            timeout_s: how long an answer may keep one waiting.

        Raises:
            RequestError: the address is none of a server.
        """
        if urlsplit(address).scheme not in ("http", "https") or not urlsplit(address).hostname:
            raise RequestError(f"{address!r} is no address of a server; give one as http://127.0.0.1:3000.")
        self._address, self._token, self._timeout_s = address.rstrip("/"), token, timeout_s
        # Nothing of the API redirects; a token must not follow anybody elsewhere.
        self._opener = build_opener(_Stay)

    def assets(self, select: Sequence[str] = ()) -> Iterator[Asset]:
        """Yield assets with their status; `select` as on the command line, none: every asset."""
        for row in self._rows("/api/v1/assets", "assets", [("select", each) for each in select]):
            yield _asset(row)

    def asset(self, name: str) -> Asset:
        """Return one asset with its status."""
        return _asset(self.request("GET", _of_asset(name)))

    def status(self, name: str) -> tuple[StatusRange, ...]:
        """Return which partitions of an asset have which status, and why."""
        found = self.request("GET", _of_asset(name, "status"))["ranges"]
        return tuple(StatusRange(each["status"], *_ranges(each["partitions"]), tuple(each["causes"])) for each in found)

    def history(self, name: str, *, limit: int = 20) -> Sequence[Mapping[str, Any]]:
        """Return the latest commits of an asset's table, newest first, as `deltaworks history --json`."""
        found: Sequence[Mapping[str, Any]] = self.request("GET", _of_asset(name, "history"), [("limit", str(limit))])
        return found

    def audit(self) -> Iterator[Mapping[str, Any]]:
        """Yield who had what changed, newest first."""
        return self._rows("/api/v1/audit", "entries", [])

    def plan(
        self,
        select: Sequence[str] = (),
        *,
        partitions: Sequence[str] = (),
        start: str | None = None,
        end: str | None = None,
        only: Sequence[str] | None = None,
    ) -> Plan:
        """Return what a backfill would make; nothing runs.

        Args:
            select: as on the command line; none: every asset.
            partitions: keys, one by one.
            start: the first key of a range.
            end: the last key of the range, included.
            only: missing, stale, failed, external, all; none: what `deltaworks backfill` makes.
        """
        found = self.request("POST", "/api/v1/plans", body=_asked(select, partitions, start, end, only))
        steps = tuple(
            Step(each["asset"], *_ranges(each["partitions"]), tuple(each["reasons"])) for each in found["steps"]
        )
        return Plan(found["plan_hash"], steps, found["totals"]["partitions"], found)

    def backfill(
        self,
        select: Sequence[str] = (),
        *,
        partitions: Sequence[str] = (),
        start: str | None = None,
        end: str | None = None,
        only: Sequence[str] | None = None,
        plan_hash: str | None = None,
        idempotency_key: str | None = None,
    ) -> Launched:
        """Start a backfill; it goes on when the client, or the server, ends.

        Args:
            select: as for `plan`, like all that are not told here.
            partitions: as for `plan`.
            start: as for `plan`.
            end: as for `plan`.
            only: as for `plan`.
            plan_hash: of the plan that was looked at; none: whatever is due.
            idempotency_key: a call with a key that was used before returns what that one returned, and starts nothing.

        Raises:
            PlanChanged: it would not be the plan that was looked at.
        """
        body = _asked(select, partitions, start, end, only)
        if plan_hash is not None:
            body["plan_hash"] = plan_hash
        headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
        found = self.request("POST", "/api/v1/backfills", body=body, headers=headers)
        return Launched(found["run_id"], found["command"])

    def request(
        self,
        method: str,
        path: str,
        query: Sequence[tuple[str, str]] = (),
        *,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Call any endpoint, and return its document.

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

    def _rows(self, path: str, name: str, query: list[tuple[str, str]]) -> Iterator[Mapping[str, Any]]:
        """Yield the rows of a list, page by page."""
        after: list[tuple[str, str]] = []
        while True:
            found = self.request("GET", path, [*query, ("limit", str(_PAGE)), *after])
            yield from found[name]
            if found["next"] is None:
                return
            after = [("after", found["next"])]


class _Stay(HTTPRedirectHandler):
    """Follows no redirect; it is an error like any other answer that is not wanted."""

    def redirect_request(self, *_: object, **__: object) -> None:
        return None


def _refusal(address: str, error: HTTPError) -> PlanChanged | RequestError | ServerError:
    """Return the error that an answer tells."""
    try:
        problem: Mapping[str, Any] = json.loads(error.read())
        told = str(problem["detail"])
    except (ValueError, KeyError, TypeError, OSError, HTTPException):
        return ServerError(address, f"it answers {error.code} {error.reason}, and no problem of deltaworks")
    if "plan_was" in problem:
        return PlanChanged(problem["plan_was"], problem["plan_is"])
    return ServerError(address, told) if error.code >= 500 else RequestError(told)


def _of_asset(name: str, *below: str) -> str:
    return "/".join(("/api/v1/assets", quote(name, safe=""), *below))


def _asked(
    select: Sequence[str], partitions: Sequence[str], start: str | None, end: str | None, only: Sequence[str] | None
) -> dict[str, Any]:
    asked = {"select": list(select), "partitions": list(partitions), "from": start, "to": end, "only": only}
    return {name: value for name, value in asked.items() if value is not None}


def _asset(row: Mapping[str, Any]) -> Asset:
    numbers = row["partitions"]
    names = ("total", "fresh", "stale", "missing", "external", "failed")
    counts = Counts(*(numbers[name] for name in names)) if "fresh" in numbers else None
    return Asset(row["asset"], row["kind"], row["group"], row.get("version"), counts, row)


def _ranges(partitions: Mapping[str, Any]) -> tuple[int, tuple[KeyRange, ...]]:
    return partitions["count"], tuple((first, last) for first, last in partitions["ranges"])
