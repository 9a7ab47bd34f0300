"""Materializations: making partitions now, whatever their status, as the command does."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any

from deltaworks.engine.execution.entry import new_run_id
from deltaworks.engine.planning.request import request
from deltaworks.engine.planning.selection import select
from deltaworks.web.backfills import key_options, with_run
from deltaworks.web.launching import Launcher
from deltaworks.web.workspace import Sight


@dataclass(frozen=True, slots=True)
class MaterializeRequest:
    """What is to be made."""

    select: tuple[str, ...]
    partitions: tuple[str, ...] = ()
    from_key: str | None = None
    to_key: str | None = None

    def arguments(self) -> list[str]:
        """Return the command that asks for the same."""
        keys = key_options(self.partitions, self.from_key, self.to_key)
        return ["materialize", *keys, "--", *self.select]

    def typed(self) -> str:
        """Return that command as a person types it."""
        return shlex.join(["deltaworks", *self.arguments()])


def launch_materialization(sight: Sight, launcher: Launcher, by: str, asked: MaterializeRequest) -> dict[str, Any]:
    """Start it, and return its run.

    Raises:
        RequestError: the selection or the partitions are wrong.
    """
    graph, observation = sight.project.graph, sight.observation
    assets = select(graph, asked.select, lambda: observation.status)
    request(graph, assets, asked.partitions, asked.from_key, asked.to_key)
    run_id = new_run_id(sight.at)
    launcher.start(run_id, with_run(asked.arguments(), run_id, by))
    return {"run_id": run_id, "status": "starting", "command": asked.typed()}
