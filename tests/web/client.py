"""A client that calls the app in this process, without a socket, and a project to look at."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

from deltaworks.engine.workspace.project import Origin
from deltaworks.web.app import create_app
from deltaworks.web.http.roles import Auth
from deltaworks.web.workspace import Workspace

T = TypeVar("T")

TABLES = '''
from typing import Annotated

import pandera.polars as pa
import polars as pl
import deltaworks as dw
from deltaworks import LazyFrame

class Order(pa.DataFrameModel):
    day: pl.Date
    amount: float = pa.Field(ge=0)

days = dw.DailyPartitions(start="2024-01-01", end="2024-01-11")

@dw.asset(partitions=days, partition_by="day", group="raw", owners=["team:shop"])
def orders(partition: dw.Partition) -> LazyFrame[Order]:
    """One row per order."""
    return pl.LazyFrame({"day": [partition.start], "amount": [1.5]})

@dw.asset(partitions=days, partition_by="day", name="mart/daily")
def daily(orders: LazyFrame[Order]) -> pl.LazyFrame:
    return orders.group_by("day").agg(pl.col("amount").sum())

@dw.asset
def total(daily: Annotated[pl.LazyFrame, dw.Input(asset="mart/daily")]) -> pl.LazyFrame:
    return daily.select(pl.col("amount").sum())
'''


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Client:
    """Calls an app as a browser on this machine does, unless a test says otherwise."""

    app: Any
    headers: dict[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def of(cls, folder: Path, auth: Auth | None = None, module: str = "tables.py") -> Client:
        """A client of the project in a folder, of a single module."""
        origin = Origin(file=folder / module, lake=str(folder / "lake"))
        return cls(create_app(Workspace(origin, os.environ, lambda: dt.datetime.now(dt.UTC)), auth or Auth()))

    def get(self, path: str, **headers: str) -> Answer:
        return self.send("GET", path, b"", headers)

    def post(self, path: str, document: Any, **headers: str) -> Answer:
        return self.send("POST", path, json.dumps(document).encode(), {"content-type": "application/json", **headers})

    def submit(self, path: str, values: dict[str, str], **headers: str) -> Answer:
        kind = {"content-type": "application/x-www-form-urlencoded"}
        return self.send("POST", path, urlencode(values).encode(), {**kind, **headers})

    def send(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        """Send a request; `_` in names of headers stands for `-`."""
        given = {"host": "localhost:3000", "accept-encoding": "identity", **self.headers, **headers}
        if body:
            given.setdefault("content-length", str(len(body)))
        named = {name.replace("_", "-"): value for name, value in given.items()}
        return awaited(_call(self.app, method, path, body, named))


def awaited(what: Coroutine[Any, Any, T]) -> T:
    """Run it on a thread without a loop: that of a test has one as long as there is a browser."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, what).result()


async def _call(app: Any, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
    plain, _, query = path.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": plain,
        "raw_path": plain.encode(),
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "server": ("localhost", 3000),
        "client": ("127.0.0.1", 50000),
    }
    sent = [{"type": "http.request", "body": body, "more_body": False}]
    start: dict[str, Any] = {}
    pieces: list[bytes] = []

    async def receive() -> dict[str, Any]:
        if sent:
            return sent.pop()
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        else:
            pieces.append(message.get("body", b""))

    try:
        await app(scope, receive, send)
    except Exception:
        if not start:  # the app answers what breaks in it, and then raises it for the server's log
            raise
    return Answer(start["status"], {k.decode(): v.decode() for k, v in start["headers"]}, b"".join(pieces))
