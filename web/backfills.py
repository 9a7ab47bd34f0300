"""Backfills: planning one on what is seen of the lake, and starting just that plan."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from deltaworks.engine.documents.plans import plan_json
from deltaworks.engine.execution.decide import Decision, Question, decide_on
from deltaworks.engine.execution.entry import new_run_id
from deltaworks.engine.execution.forecast import forecast
from deltaworks.engine.planning.plan import DEFAULT_ONLY, Only
from deltaworks.engine.planning.request import request
from deltaworks.engine.planning.selection import select
from deltaworks.errors import PlanChanged
from deltaworks.web.launching import Launcher
from deltaworks.web.workspace import Sight


@dataclass(frozen=True, slots=True)
class BackfillRequest:
    """What is to be made."""

    select: tuple[str, ...] = ()
    partitions: tuple[str, ...] = ()
    from_key: str | None = None
    to_key: str | None = None
    only: frozenset[Only] = DEFAULT_ONLY

    def arguments(self) -> list[str]:
        """Return the command that asks for the same."""
        words = ["backfill", *key_options(self.partitions, self.from_key, self.to_key)]
        words += [] if self.only == DEFAULT_ONLY else [f"--only={','.join(sorted(self.only))}"]
        return [*words, *(["--", *self.select] if self.select else [])]

    def typed(self) -> str:
        """Return that command as a person types it."""
        return shlex.join(["deltaworks", *self.arguments()])


def decided(sight: Sight, asked: BackfillRequest) -> Decision:
    """Plan a backfill on the lake as it was seen.

    Raises:
        RequestError: the selection or the partitions are wrong, or nothing of it can be made.
    """
    graph, observation = sight.project.graph, sight.observation
    assets = select(graph, asked.select, lambda: observation.status)
    wanted = request(graph, assets, asked.partitions, asked.from_key, asked.to_key)
    return decide_on(graph, Question(wanted, observation), only=asked.only)


def plan_of(sight: Sight, asked: BackfillRequest) -> dict[str, Any]:
    """Return a plan as a document.

    Raises:
        RequestError: as `decided`.
    """
    decision = decided(sight, asked)
    estimates = forecast(decision, sight.project.executor.workers)
    return plan_json(decision, sight.project.graph, estimates, sight.problems)


def launch_backfill(
    sight: Sight, launcher: Launcher, by: str, asked: BackfillRequest, plan_hash: str | None
) -> dict[str, Any]:
    """Start a backfill, and return its run.

    Args:
        sight: the lake as it is.
        launcher: starts the command.
        by: who asks for it.
        asked: what is to be made.
        plan_hash: of the plan that was looked at; none: nobody looked.

    Raises:
        RequestError: as `decided`.
        PlanChanged: it would not be the plan that was looked at.
    """
    plan = plan_of(sight, asked)
    if plan_hash is not None and plan["plan_hash"] != plan_hash:
        raise PlanChanged(plan_hash, plan["plan_hash"])
    run_id = new_run_id(sight.at)
    launcher.start(run_id, with_run(asked.arguments(), run_id, by))
    return {"run_id": run_id, "status": "starting", "command": asked.typed(), "plan": plan}


def key_options(partitions: Sequence[str], from_key: str | None, to_key: str | None) -> list[str]:
    """Return the options that name partitions."""
    from_ = [] if from_key is None else [f"--from={from_key}"]
    to = [] if to_key is None else [f"--to={to_key}"]
    return [*(f"--partition={key}" for key in partitions), *from_, *to]


def with_run(arguments: Sequence[str], run_id: str, by: str) -> list[str]:
    """Return a command that is this run, and says who has asked for it."""
    return [arguments[0], f"--run-id={run_id}", f"--tag=by={by}", *arguments[1:]]
