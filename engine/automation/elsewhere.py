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

_ANSWERER = f"{__name__}:answer_tick"


def ask_elsewhere(project: Project, tick: Tick) -> Evaluation:
    """Return what a schedule or a sensor of a workspace asks for at a tick.

    Raises:
        LocationFailed: its location cannot be loaded, or its process ended.
        RequestError: there is none of that name, or its answer makes no sense.
        DeltaworksError: the function raised, or what it watches cannot be read.
    """
    assert project.workspace is not None, "only a workspace has locations"
    location = project.workspace.owner_of_tick(tick.name)
    others = tuple(
        node.asset
        for node in project.graph.every.values()
        if node.asset.foreign is not None and node.asset.foreign.location != location
    )
    told = {"tick": tick, "store": project.store, "others": others}
    evaluation: Evaluation = project.workspace.location(location).process().ask(_ANSWERER, told)
    return evaluation


def answer_tick(inside: Inside, told: Mapping[str, Any], _tell: object) -> Evaluation:
    """Answer a tick in the process that has the functions.

    Raises:
        DeltaworksError, Exception: see `asking.ask`.
    """
    own, store, tick = inside.definitions, told["store"], told["tick"]
    assert isinstance(store, Store), "the host says where the lake is"
    assert isinstance(tick, Tick), "the host asks about one"
    others = [without_asking(asset) for asset in told["others"]]
    taken = {asset.key for asset in others}  # of two assets of one key, the workspace has left out the one of here
    assets = [asset for asset in own.assets if asset.key not in taken]
    definitions = Definitions(
        [*assets, *others],
        own.resources,
        own.checks,
        own.jobs.values(),
        own.schedules.values(),
        own.sensors.values(),
    )
    return ask(Surroundings(definitions, store, os.environ, dt.datetime.now(dt.UTC)), tick)
