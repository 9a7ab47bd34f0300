"""Streams: what is new is sent as it comes, to everybody who listens, from where they were."""

import asyncio
import json

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from deltaworks.web.http import live
from deltaworks.web.http.live import Event, Streams
from tests.web.client import awaited


def asked(**headers: str) -> Request:
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": named})


class Log:
    """Lines that are written one after the other; the third is the last."""

    def __init__(self) -> None:
        self.polls: list[str | None] = []

    def poll(self, after: str | None) -> list[Event]:
        self.polls.append(after)
        number = int(after or 0) + 1
        return [Event(str(number), {"line": number}, "line", is_last=number == 3)] if number <= 3 else []


def heard(streams: Streams, log: Log, request: Request) -> list[dict[str, str]]:
    """What a client hears until the stream ends."""

    async def listen() -> str:
        response = streams.respond(request, "log", log.poll)
        assert response.headers["cache-control"] == "no-store"
        return "".join([piece async for piece in response.body_iterator])

    blocks = awaited(listen()).split("\n\n")
    return [dict(line.split(": ", 1) for line in block.splitlines()) for block in blocks if block.startswith("id:")]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(live, "POLL_S", 0.01)


def test_events_come_in_order_until_the_last_one():
    found = heard(Streams(), Log(), asked())

    assert [each["id"] for each in found] == ["1", "2", "3"]
    assert found[0]["event"] == "line"
    assert json.loads(found[2]["data"]) == {"line": 3}


def test_who_comes_back_goes_on_where_it_was():
    found = heard(Streams(), Log(), asked(last_event_id="2"))

    assert [each["id"] for each in found] == ["3"]


def test_a_server_that_ends_ends_its_streams():
    streams, log = Streams(), Log()
    streams.close()

    assert heard(streams, log, asked()) == []
    assert log.polls == []


def test_everybody_hears_all_of_it(monkeypatch):
    monkeypatch.setattr(live, "POLL_S", 0.2)
    streams, log = Streams(), Log()

    async def listen() -> list[str]:
        response = streams.respond(asked(), "log", log.poll)
        return [piece async for piece in response.body_iterator]

    async def both() -> list[list[str]]:
        return await asyncio.gather(listen(), listen())

    one, other = awaited(both())

    assert one == other
    assert len([piece for piece in one if piece.startswith("id:")]) == 3


def test_no_more_than_so_many_listen(monkeypatch):
    monkeypatch.setattr(live, "MOST_STREAMS", 0)

    with pytest.raises(HTTPException, match="Too many listen already"):
        Streams().respond(asked(), "log", Log().poll)
