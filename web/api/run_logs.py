"""Run logs: what happened in a run and what its code printed, page by page, or as it comes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from deltaworks.engine.documents.run_logs import log_line
from deltaworks.io.run_entry import RunEntry
from deltaworks.io.run_logs import LogReader
from deltaworks.web.http.asked import Limit, TheRun, TheSight, TheStreams, TheWorkspace
from deltaworks.web.http.documents import document
from deltaworks.web.http.live import LINES, SENT_EVENTS, Form, Streams
from deltaworks.web.http.run_lines import RunLines, Tell, Wanted, as_shown, as_they_are, read_lines
from deltaworks.web.views.run import has_level
from deltaworks.web.workspace import Sight, Workspace

router = APIRouter(prefix="/api/v1", tags=["runs"])

Level = Annotated[Literal["", "warn", "error"], Query(description="Only lines as grave as that.")]

_STREAMED: tuple[tuple[Form, Tell], ...] = (SENT_EVENTS, as_shown), (LINES, as_they_are)
"""As what a log is sent while it grows, and how its lines are told there."""


@dataclass(frozen=True, slots=True)
class _Log:
    """The log that a request asks for, from where on, and in which form."""

    request: Request
    workspace: Workspace
    sight: Sight
    streams: Streams
    run: RunEntry
    accept: str
    after: str | None
    limit: int

    def answer(self, name: str, wants: Wanted) -> Response:
        """Return a page of its lines, or a stream of them; `name` tells streams of other lines from this one."""
        store = self.sight.project.store
        for form, tell in _STREAMED:
            if form.media_type in self.accept:
                lines = RunLines(store, self.run, wants, tell, self.workspace.now)
                subject = (name, self.run.run_id, form.media_type)
                return self.streams.respond(self.request, subject, lines.poll, form)
        reader = LogReader(store, self.run.run_id, self.after)
        shown = list(read_lines(reader, self.limit, wants))
        return document(self.request, {name.partition(" ")[0]: shown, "next": reader.position})


def _log(
    request: Request,
    workspace: TheWorkspace,
    sight: TheSight,
    streams: TheStreams,
    run: TheRun,
    accept: Annotated[
        str,
        Header(description="text/event-stream or application/x-ndjson: lines as they come, until the run is over."),
    ] = "*/*",
    after: Annotated[str | None, Query(max_length=100, description="The `next` of the page before.")] = None,
    limit: Limit = 500,
) -> _Log:
    return _Log(request, workspace, sight, streams, run, accept, after, limit)


TheLog = Annotated[_Log, Depends(_log)]


@router.get("/runs/{run}/log", response_model=None)
def log(log: TheLog, level: Level = "") -> Response:
    """Return lines of a run's log, the first of them first, as `runs logs --json`.

    There may be more as long as `next` is another one than `after`.
    """
    return log.answer(f"lines {level}", lambda line: has_level(log_line(line), level))


@router.get("/runs/{run}/events", response_model=None)
def events(log: TheLog) -> Response:
    """Return what happened in a run, without what its code printed; otherwise as its log."""
    return log.answer("events", _is_event)


def _is_event(line: Mapping[str, Any]) -> bool:
    return "event" in line
