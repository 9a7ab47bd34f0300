"""LocationLoad: how the process of a code location loads its project."""

from __future__ import annotations

import datetime as dt
import os
from functools import partial

from deltaworks.engine.automation.asking import Surroundings
from deltaworks.engine.automation.conditions.asking import AskedConditions
from deltaworks.engine.automation.elsewhere import ask_elsewhere
from deltaworks.engine.automation.freshness import AskedFreshness
from deltaworks.engine.automation.source_watch import AskedSources
from deltaworks.engine.workspace.project import Origin, load_project
from deltaworks.io.freed_memory import give_back


def load_surroundings(origin: Origin) -> Surroundings:
    """Load a project.

    Raises:
        DefinitionError: its settings or its code are wrong.
        StorageError: the lake's keys are damaged.
    """
    now = dt.datetime.now(dt.UTC)
    project = load_project(origin, os.environ, now)
    give_back()
    conditions = AskedConditions(project.definitions, project.store)
    elsewhere = None if project.workspace is None else partial(ask_elsewhere, project)
    problems = tuple(map(str, project.problems))
    freshness = AskedFreshness(project.definitions, project.store)
    return Surroundings(
        project.definitions,
        project.store,
        os.environ,
        now,
        conditions,
        elsewhere,
        problems,
        freshness,
        AskedSources(project),
        project.close,
    )
