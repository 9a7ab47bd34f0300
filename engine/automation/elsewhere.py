"""Elsewhere: ticks of a workspace are answered where the functions are, each by the process of its code location."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Mapping
from typing import Any

from deltaworks.engine.automation.asking import Surroundings, ask
from deltaworks.engine.automation.evaluation import Evaluation
from deltaworks.engine.definitions.automation.tick import Tick
from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.workspace.locations.inside import Inside
from deltaworks.engine.workspace.locations.stubs import without_asking
from deltaworks.engine.workspace.project import Project
from deltaworks.io.store import Store

_LISTENER, _ANSWERER = f"{__name__}:hear_of_others", f"{__name__}:answer_tick"


def ask_elsewhere(project: Project, tick: Tick) -> Evaluation:
    """Return what a schedule or a sensor of a workspace asks for at a tick.

    A process is told once what the other locations define: for a thousand assets that takes a second, and 5 MB.

    Raises:
        LocationFailed: its location cannot be loaded, or its process ended.
        RequestError: there is none of that name, or its answer makes no sense.
        DeltaworksError: the function raised, or what it watches cannot be read.
    """
    assert project.workspace is not None, "only a workspace has locations"
    location = project.workspace.owner_of_tick(tick.name)
    process = project.workspace.location(location).process()
    if not process.knows_others:
        assets = (node.asset for node in project.graph.every.values())
        others = tuple(each for each in assets if each.foreign is not None and each.foreign.location != location)
        process.ask(_LISTENER, {"others": others})
        process.knows_others = True
    evaluation: Evaluation = process.ask(_ANSWERER, {"tick": tick, "store": project.store})
    return evaluation


def hear_of_others(inside: Inside, told: Mapping[str, Any], _tell: object) -> None:
    """Take in what the other locations define, in the process that has the functions of one."""
    own = inside.definitions
    others = [without_asking(asset) for asset in told["others"]]
    taken = {asset.key for asset in others}  # of two assets of one key, the workspace has left out the one of here
    assets = [asset for asset in own.assets if asset.key not in taken]
    inside.among_others = Definitions(
        [*assets, *others],
        own.resources,
        own.checks,
        own.jobs.values(),
        own.schedules.values(),
        own.sensors.values(),
    )


def answer_tick(inside: Inside, told: Mapping[str, Any], _tell: object) -> Evaluation:
    """Answer a tick in the process that has the functions.

    Raises:
        DeltaworksError, Exception: see `asking.ask`.
    """
    store, tick = told["store"], told["tick"]
    assert isinstance(store, Store), "the host says where the lake is"
    assert isinstance(tick, Tick), "the host asks about one"
    assert inside.among_others is not None, "the host has told of the others before it asks"
    return ask(Surroundings(inside.among_others, store, os.environ, dt.datetime.now(dt.UTC)), tick)
