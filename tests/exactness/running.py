"""One run of a project on any store, as a backfill, with a clock of its own."""

from __future__ import annotations

import datetime as dt
from itertools import count
from threading import Event as Flag

from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.execution.launch import launch
from deltaworks.engine.execution.observe import observe
from deltaworks.engine.execution.report import RunReport
from deltaworks.engine.planning.graph import build_graph
from deltaworks.engine.planning.plan import DEFAULT_ONLY, Only, plan
from deltaworks.engine.planning.request import request
from deltaworks.io.store import Store

NOW = dt.datetime(2024, 6, 1, tzinfo=dt.UTC)


def run(
    defined: Definitions, store: Store, named: tuple[str, ...] = (), only: frozenset[Only] = DEFAULT_ONLY
) -> RunReport:
    """Make what is not up to date of every asset, or what else is asked for."""
    seconds = count()
    graph = build_graph(defined, NOW)
    seen = observe(graph, store)
    return launch(
        defined,
        graph,
        store,
        seen.tables,
        plan(graph, seen.status, request(graph, tuple(graph.nodes), named), only),
        workers=1,
        command="a test",
        environ={},
        now=lambda: NOW + dt.timedelta(seconds=next(seconds)),
        tell=lambda _: None,
        stop=Flag(),
    )
