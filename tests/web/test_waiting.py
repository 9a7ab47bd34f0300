"""Who waits for whom: a client that takes its time, or asks for much, keeps nobody else waiting."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from deltaworks.web.http.patience import Patient
from deltaworks.web.http.turns import Turns
from deltaworks.web.serve import listen
from tests.web.client import Client, awaited

PATIENCE_S = 60

SLOW = """
import pathlib, time
import polars as pl
import deltaworks as dw

while not pathlib.Path(__file__).with_name("go").exists():
    time.sleep(0.01)

@dw.asset
def orders() -> pl.LazyFrame:
    return pl.LazyFrame({"n": [1]})
"""


@contextmanager
def _listening(folder: Path) -> Iterator[tuple[str, int]]:
    """Serve the project of a folder, hastily; yields where."""
    server = uvicorn.Server(uvicorn.Config(Client.of(folder).app, log_level="error", ws="none", http=Hasty))
    with listen("127.0.0.1", 0) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield listening.getsockname()
        finally:
            server.should_exit = True
            thread.join(PATIENCE_S)


async def _status(app: Any, path: str) -> int:
    """Ask an app for a page; returns the status of its answer."""
    status = asyncio.get_running_loop().create_future()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: dict[str, Any]) -> None:
        if "status" in message:
            status.set_result(message["status"])

    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": [(b"host", b"localhost")]}
    await app(scope, receive, send)
    return await status


class Hasty(Patient):
    """As the server's own, for those who have no half minute."""

    request_s = 0.3


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /health/live HTTP/1.1\r\nHost: local",
        b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n\r\ntok",
    ],
    ids=["nothing", "half a head", "half a body"],
)
def test_who_never_ends_a_request_is_hung_up_on(shop: Path, sent: bytes):
    with _listening(shop) as (host, port), socket.create_connection((host, port), PATIENCE_S) as slow:
        slow.sendall(sent)

        assert slow.recv(1) == b""


def test_who_asks_at_leisure_is_answered_each_time(shop: Path):
    with _listening(shop) as (host, port), closing(HTTPConnection(host, port, timeout=PATIENCE_S)) as calm:
        for _ in range(2):
            calm.request("GET", "/health/live")
            assert calm.getresponse().read().startswith(b'{"status":"live"')
            time.sleep(2 * Hasty.request_s)


def test_the_server_lives_while_all_others_wait_for_the_project(tmp_path):
    (tmp_path / "tables.py").write_text(SLOW)
    app = Client.of(tmp_path).app

    async def ask_all() -> None:
        def get(path: str) -> asyncio.Task[int]:
            return asyncio.create_task(_status(app, path))

        waiting = [get("/") for _ in range(60)]
        await asyncio.sleep(0.2)
        try:
            assert await asyncio.wait_for(get("/health/live"), PATIENCE_S) == 200
            assert not any(each.done() for each in waiting)
        finally:
            (tmp_path / "go").touch()
        assert await asyncio.gather(*waiting) == [200] * 60

    awaited(ask_all())


def test_plans_of_one_client_are_made_one_after_the_other_and_of_others_meanwhile():
    turns, at_it, most = Turns(), dict[str, int](), dict[str, int]()

    async def plan(who: str) -> None:
        async with turns.of(who):
            at_it[who] = at_it.get(who, 0) + 1
            most[who] = max(most.get(who, 0), at_it[who])
            most["all"] = max(most.get("all", 0), sum(at_it.values()))
            await asyncio.sleep(0)
            at_it[who] -= 1

    async def plan_all() -> None:
        await asyncio.gather(*(plan(who) for who in ("ann", "bob") * 5))

    awaited(plan_all())
    assert most == {"ann": 1, "bob": 1, "all": 2}
