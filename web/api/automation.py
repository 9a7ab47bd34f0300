"""Automation: schedules, sensors and conditions, whether they are on, their ticks, and what they would ask for."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from deltaworks.engine.documents.automations import conditions_json
from deltaworks.engine.documents.ticks import tick_json
from deltaworks.io.condition_notes import NAME, read_decisions
from deltaworks.io.switches import read_switches
from deltaworks.io.ticks import read_ticks
from deltaworks.web.automations import SCHEDULES, SENSORS, Kind, preview, turn_conditions
from deltaworks.web.http.asked import After, Limit, PathName, TheActor, TheLauncher, TheSight, TheWorkspace
from deltaworks.web.http.documents import document, paged
from deltaworks.web.workspace import Sight

router = APIRouter(prefix="/api/v1", tags=["automation"])

Before = Annotated[str | None, Query(max_length=40, description="Only ticks before this one: `next` of a page.")]


class SwitchBody(BaseModel):
    """Whether something is to be on."""

    model_config = ConfigDict(extra="forbid")

    enabled: bool = Field(
        validation_alias=AliasChoices("enabled", "is_on"),
        description="True starts it, false stops it; `is_on`, as documents tell it, says the same.",
    )


class ConditionsBody(SwitchBody):
    """Whether conditions are to be on."""

    asset: str = Field("", description="Only the condition of this asset; empty: all of them.")


def _add(kind: Kind) -> None:
    """Add the endpoints of schedules, or of sensors."""
    noun, every, one = kind.name, f"/{kind.name}s", f"/{kind.name}s/{{name}}"

    def listed(request: Request, sight: TheSight, after: After = None, limit: Limit = 100) -> Response:
        return document(request, paged(kind.names(sight), f"{noun}s", after, limit, str, partial(kind.tell, sight)))

    def told(request: Request, sight: TheSight, name: PathName) -> Response:
        return document(request, kind.tell(sight, [name])[0])

    def switched(
        workspace: TheWorkspace, sight: TheSight, actor: TheActor, name: PathName, body: SwitchBody
    ) -> dict[str, Any]:
        kind.turn(sight, name, actor.name, is_on=body.enabled)
        workspace.look_again()
        return kind.tell(sight, [name])[0]

    def ticks(request: Request, sight: TheSight, name: PathName, before: Before = None, limit: Limit = 20) -> Response:
        return _ticks(request, sight, kind.find(sight, name).name, before, limit)

    def evaluated(sight: TheSight, launcher: TheLauncher, name: PathName) -> dict[str, Any]:
        return preview(launcher, noun, kind.find(sight, name).name)

    router.add_api_route(every, listed, description=f"List {noun}s, as `{noun} list --json`.")
    router.add_api_route(one, told, description=f"Return a {noun}.")
    router.add_api_route(
        one, switched, methods=["PATCH"], description=f"Start or stop a {noun}, as `{noun} start` and `{noun} stop`."
    )
    router.add_api_route(
        f"{one}/ticks", ticks, description=f"Return the ticks of a {noun}, the latest first, as `{noun} ticks --json`."
    )
    router.add_api_route(
        f"{one}:evaluate",
        evaluated,
        methods=["POST"],
        description=f"Ask a {noun} what it would ask for, as `{noun} preview --json`; nothing is started or recorded.",
    )


_add(SCHEDULES)
_add(SENSORS)


@router.get("/conditions")
def conditions(request: Request, sight: TheSight) -> Response:
    """Return the conditions of assets, as `automation list --json`."""
    return document(request, _conditions(sight))


@router.patch("/conditions")
def switch_conditions(
    workspace: TheWorkspace, sight: TheSight, actor: TheActor, body: ConditionsBody
) -> dict[str, Any]:
    """Start or stop the condition of an asset, or all of them, as `automation start` and `automation stop`."""
    turn_conditions(sight, body.asset, actor.name, is_on=body.enabled)
    workspace.look_again()
    return _conditions(sight)


@router.get("/conditions/ticks")
def condition_ticks(request: Request, sight: TheSight, before: Before = None, limit: Limit = 20) -> Response:
    """Return the ticks of conditions, the latest first, as `automation ticks --json`."""
    return _ticks(request, sight, NAME, before, limit)


def _conditions(sight: Sight) -> dict[str, Any]:
    store = sight.project.store
    return conditions_json(sight.project.definitions, read_switches(store), read_decisions(store))


def _ticks(request: Request, sight: Sight, name: str, before: str | None, limit: int) -> Response:
    found = read_ticks(sight.project.store, name, limit + 1, before)
    shown = [tick_json(each) for each in found[:limit]]
    return document(request, {"ticks": shown, "next": shown[-1]["tick"] if len(found) > limit else None})
