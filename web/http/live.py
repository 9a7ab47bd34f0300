"""Live: streams of events. One poller for each subject feeds everybody who listens to it.

A subject is anything that can be asked what is new after an event: a log, the runs of a lake. Who comes back names the
last event that was seen, and gets what came after it.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import anyio
import anyio.to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import StreamingResponse

MOST_STREAMS = 100
"""How many clients may listen at a time."""

POLL_S = 0.5
QUIET_S = 15.0
"""After how long without an event a comment is sent, so that nobody takes the line for dead."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that clients are told."""

    id: str
    """What a client names that comes back."""
    data: Any
    name: str = "message"
    is_last: bool = False
    """Whether nothing comes after it, so that the stream ends."""


LINES_EVENT = "lines"
"""The name of events whose data are many rows."""

Poll = Callable[[str | None], Sequence[Event]]
"""Returns the events after one, all if it is none; it may read files, and is called on a thread."""


@dataclass(frozen=True, slots=True)
class Form:
    """How events are written."""

    media_type: str
    begin: str
    write: Callable[[Event], str]
    quiet: str
    """What is sent after a while without an event."""


def _as_sent_event(event: Event) -> str:
    return f"id: {event.id}\nevent: {event.name}\ndata: {json.dumps(event.data, default=str)}\n\n"


def _as_lines(event: Event) -> str:
    rows = cast("list[object]", event.data) if event.name == LINES_EVENT else []
    return "".join(f"{json.dumps(row, default=str)}\n" for row in rows)


SENT_EVENTS = Form("text/event-stream", "retry: 2000\n\n", _as_sent_event, ": still here\n\n")
"""As browsers listen to them."""

LINES = Form("application/x-ndjson", "", _as_lines, "\n")
"""Each row of the events that have many as a line of JSON, and nothing else."""


class Streams:
    """Everybody who listens."""

    def __init__(self) -> None:
        self._listening = 0
        self._is_closing = False
        self._shared: dict[Hashable, tuple[float, str | None, Sequence[Event]]] = {}

    def close(self) -> None:
        """End all streams: the server ends."""
        self._is_closing = True

    def respond(self, request: Request, subject: Hashable, poll: Poll, form: Form = SENT_EVENTS) -> StreamingResponse:
        """Answer with a stream of events.

        Args:
            request: may name the last event seen, as `Last-Event-ID` or `?after=`.
            subject: those who listen to the same share what is polled.
            poll: what is new.
            form: how it is written.
        """
        if self._listening >= MOST_STREAMS:
            raise HTTPException(503, "Too many listen already", {"Retry-After": "10"})
        after = request.headers.get("last-event-id") or request.query_params.get("after")
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        events = self._events(subject, poll, after, form)
        return StreamingResponse(events, media_type=form.media_type, headers=headers)

    async def _events(self, subject: Hashable, poll: Poll, after: str | None, form: Form) -> AsyncGenerator[str]:
        self._listening += 1
        quiet_s = 0.0
        try:
            yield form.begin
            while not self._is_closing:
                events = await self._polled(subject, poll, after)
                for event in events:
                    after = event.id
                    yield form.write(event)
                    if event.is_last:
                        return
                if events:
                    quiet_s = 0.0  # there may be more already
                    continue
                quiet_s += POLL_S
                if quiet_s >= QUIET_S:
                    quiet_s = 0.0
                    yield form.quiet
                await anyio.sleep(POLL_S)
        finally:
            self._listening -= 1

    async def _polled(self, subject: Hashable, poll: Poll, after: str | None) -> Sequence[Event]:
        """Ask what is new, unless somebody has just asked for the same."""
        known, now_s = self._shared.get((subject, after)), anyio.current_time()
        if known is not None and now_s - known[0] < POLL_S:
            return known[2]
        events = await anyio.to_thread.run_sync(poll, after)
        self._shared = {key: each for key, each in self._shared.items() if now_s - each[0] < POLL_S}
        self._shared[subject, after] = anyio.current_time(), after, events
        return events
