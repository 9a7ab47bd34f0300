"""A lake, some assets, and what a test asks of them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from threading import Event as Flag
from typing import Any

import deltaworks as dw
from deltaworks.engine.execution.launch import launch
from deltaworks.engine.execution.observe import observe
from deltaworks.engine.execution.report import RunReport
from deltaworks.engine.planning.causes import status_groups
from deltaworks.engine.planning.graph import build_graph
from deltaworks.engine.planning.plan import DEFAULT_ONLY, Plan, plan
from deltaworks.engine.planning.request import request
from deltaworks.engine.planning.selection import select
from deltaworks.engine.planning.status import Status
from deltaworks.io.store import Store

NOW = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)


class Lake:
    """A lake and some assets."""

    def __init__(self, folder: Path, *assets: dw.Asset[..., Any]) -> None:
        self.folder, self.definitions, self.store = folder, dw.Definitions(assets), Store(folder, durable=False)
        self.graph = build_graph(self.definitions, NOW)

    def plan(self, *selected: str, named: tuple[str, ...] = (), ends: tuple[str, str] | None = None) -> Plan:
        asked = request(self.graph, select(self.graph, selected), named, *(ends or (None, None)))
        return plan(self.graph, observe(self.graph, self.store).status, asked, DEFAULT_ONLY)

    def run(self, decided: Plan | None = None) -> RunReport:
        return launch(
            self.definitions,
            self.graph,
            self.store,
            observe(self.graph, self.store).tables,
            decided or self.plan(),
            workers=1,
            command="a test",
            environ={},
            now=lambda: NOW,
            tell=lambda _: None,
            stop=Flag(),
        )

    def status(self, name: str) -> tuple[str, int]:
        """One letter a partition, and how many places are none."""
        found = observe(self.graph, self.store).status[self.graph.node(name).key]
        return "".join(Status(value).word[0] for value in found.status), found.state.undefined

    def causes(self, name: str) -> set[str]:
        """Why partitions are not fresh."""
        found = observe(self.graph, self.store).status
        return {cause for group in status_groups(found[self.graph.node(name).key], found) for cause in group.causes}
