"""Asked: what handlers take of a request: the sight of the lake, who asks, and the fields of a form."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Annotated
from urllib.parse import parse_qs, unquote

from fastapi import Depends, Header, Path, Query, Request
from pydantic import AfterValidator

from deltaworks.engine.planning.graph import Node
from deltaworks.errors import RequestError
from deltaworks.io.ledger import find_run
from deltaworks.io.run_entry import RunEntry
from deltaworks.web.http.idempotency import Answered, Once, key_of_form
from deltaworks.web.http.live import Streams
from deltaworks.web.http.problems import wants_page
from deltaworks.web.http.roles import Actor
from deltaworks.web.http.turns import Turns
from deltaworks.web.launching import Launcher
from deltaworks.web.previews import Previews
from deltaworks.web.views.shell import shell_view
from deltaworks.web.workspace import Sight, Workspace

MOST_FIELDS = 1000

PathName = Annotated[str, Path(max_length=1000), AfterValidator(unquote)]
"""A name in a path, which may hold any character: the doors leave paths as clients wrote them, so that a slash of a
name, `%2F`, does not divide the path."""

Limit = Annotated[int, Query(ge=1, le=500, description="How many, at most.")]
After = Annotated[str | None, Query(max_length=1000, description="The `next` of the page before.")]
Select = Annotated[list[str] | None, Query(description="As on the command line; several mean their union.")]


def _workspace(request: Request) -> Workspace:
    found: Workspace = request.app.state.workspace
    return found


def _launcher(request: Request) -> Launcher:
    found: Launcher = request.app.state.launcher
    return found


def _answered(request: Request) -> Answered:
    found: Answered = request.app.state.answered
    return found


def _streams(request: Request) -> Streams:
    found: Streams = request.app.state.streams
    return found


def _previews(request: Request) -> Previews:
    found: Previews = request.app.state.previews
    return found


def _actor(request: Request) -> Actor:
    found: Actor = request.state.actor
    return found


def _sight(request: Request) -> Sight:
    workspace: Workspace = request.app.state.workspace
    # What is changed is decided on the lake as it is; a part of a page that asks for itself again can wait.
    sight = workspace.sight(anew=request.method not in ("GET", "HEAD"), patient="part" in request.query_params)
    if wants_page(request):
        request.state.shell = shell_view(sight, request.url.path, request.app.state.pages)
    return sight


def _node(sight: Annotated[Sight, Depends(_sight)], key: PathName) -> Node:
    graph = sight.project.graph
    return graph.view(key) or graph.node(key)


def _run(sight: Annotated[Sight, Depends(_sight)], run: PathName) -> RunEntry:
    return find_run(sight.observation.runs, run)


def _once(
    answered: Annotated[Answered, Depends(_answered)],
    workspace: Annotated[Workspace, Depends(_workspace)],
    actor: Annotated[Actor, Depends(_actor)],
    key: Annotated[
        str | None,
        Header(alias="Idempotency-Key", min_length=1, max_length=200, description="The same twice has one effect."),
    ] = None,
) -> Once:
    return Once(answered, workspace, actor.name, key)


async def _form(request: Request) -> Mapping[str, list[str]]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind != "application/x-www-form-urlencoded":
        raise RequestError(f"A form is sent as application/x-www-form-urlencoded, not as {kind!r}.")
    try:
        return parse_qs((await request.body()).decode(), max_num_fields=MOST_FIELDS)
    except ValueError as error:
        raise RequestError(f"The form cannot be read: {error}.") from error


def is_on(form: Mapping[str, Sequence[str]]) -> bool:
    """Return what a form says of a switch.

    Raises:
        RequestError: it says neither.
    """
    asked = "".join(form.get("on", []))
    if asked not in ("0", "1"):
        raise RequestError(f"The field `on` is {asked!r}; expected 1 to start or 0 to stop.")
    return asked == "1"


async def _turn(request: Request, actor: Annotated[Actor, Depends(_actor)]) -> AsyncGenerator[None]:
    turns: Turns = request.app.state.turns
    async with turns.of(f"{actor.name} {'' if request.client is None else request.client.host}"):
        yield


PLANNING = Depends(_turn)
"""Of routes that plan: one plan at a time is made for a client."""

TheWorkspace = Annotated[Workspace, Depends(_workspace)]
TheLauncher = Annotated[Launcher, Depends(_launcher)]
TheAnswered = Annotated[Answered, Depends(_answered)]
TheStreams = Annotated[Streams, Depends(_streams)]
ThePreviews = Annotated[Previews, Depends(_previews)]
TheActor = Annotated[Actor, Depends(_actor)]
"""Who asks; the doors have let them in."""
TheSight = Annotated[Sight, Depends(_sight)]
"""The project and the lake as they are. Pages that take it have the number of runs and the daemon in their rail."""
TheNode = Annotated[Node, Depends(_node)]
"""The asset that the path names as `{key}`."""
TheRun = Annotated[RunEntry, Depends(_run)]
"""The run that the path names as `{run}`: by its id, the beginning of one, or as the `latest`."""
TheOnce = Annotated[Once, Depends(_once)]
"""Does what the API is asked for, once for each `Idempotency-Key`."""
TheForm = Annotated[Mapping[str, list[str]], Depends(_form)]


def _once_of_form(
    answered: Annotated[Answered, Depends(_answered)],
    workspace: Annotated[Workspace, Depends(_workspace)],
    actor: Annotated[Actor, Depends(_actor)],
    form: TheForm,
) -> Once:
    return Once(answered, workspace, actor.name, key_of_form(form))


TheFormOnce = Annotated[Once, Depends(_once_of_form)]
"""Does what a form asks for, once however often its button is clicked."""
