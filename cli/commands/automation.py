"""`deltaworks automation`: have made what conditions ask for, and what they would have had made."""

from __future__ import annotations

import datetime as dt
import shlex
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deltaworks.cli.command import ExitCode, Session, add
from deltaworks.cli.observing import observe_needed, observed_lines
from deltaworks.cli.output import Cell, Table, View
from deltaworks.cli.running import ExecutorOption, WorkersOption, read_executor, run_plan
from deltaworks.cli.wording import counted
from deltaworks.engine.documents.instants import instant_json, instant_text
from deltaworks.engine.documents.partitions import partitions_json
from deltaworks.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deltaworks.engine.automation.conditions.evaluate import ConditionTick
    from deltaworks.engine.automation.conditions.simulate import SimulatedTick
    from deltaworks.engine.workspace.project import Project

SHOWN_DECISIONS = 50
"""How many decisions stand beside each other for people; --json has them all."""

SHOWN = 200
"""How many requests stand in the table for people; --json has them all."""


def tick(
    session: Session,
    executor: ExecutorOption = None,
    workers: WorkersOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what is asked for and why; nothing runs.")] = False,
) -> ExitCode:
    """Evaluate all automation conditions once, and make what they ask for in one run."""
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.automation.conditions.rounds import Rounds
    from deltaworks.engine.execution.decide import Question, decide_on
    from deltaworks.engine.execution.observe import observe
    from deltaworks.engine.execution.sources import Observations
    from deltaworks.engine.planning.plan import Only
    from deltaworks.engine.planning.request import Request

    kind, project = read_executor(executor), session.load()
    automated = _automated(project)
    command = shlex.join(["automation", *sys.argv[2:]])
    seen = Observations() if dry_run else observe_needed(session, project, automated, command=command)
    rounds = Rounds(project.graph, project.store)
    found = rounds.tick(session.now())
    if dry_run:
        session.output.show(View(_tick_json(found), tuple(_tick_lines(found))))
        return ExitCode.DONE
    if not found.requests:
        rounds.keep()
        session.output.show(View(_tick_json(found), (*observed_lines(seen, project.graph), *_tick_lines(found))))
        return ExitCode.FAILED if seen.faults else ExitCode.DONE
    asked = Question(Request(found.requests), observe(project.graph, project.store))
    decision = decide_on(project.graph, asked, only=frozenset({Only.ALL}), unseen=seen.faults)
    if not decision.plan.planned:
        rounds.keep()
    # Not before the run has begun: if this process ends earlier, the next tick asks for the same.
    return run_plan(session, project, seen, decision, workers, command, executor=kind, begun=rounds.keep)


def simulate(
    session: Session,
    since: Annotated[
        str, typer.Option("--since", metavar="TIME", help="Where to begin: an ISO date or time; UTC without an offset.")
    ],
    every: Annotated[
        float, typer.Option("--every", min=0.001, metavar="SECONDS", help="How far ticks are apart.")
    ] = 30,
) -> ExitCode:
    """List what automation conditions would have had made since some time, by replaying the commits; nothing runs."""
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.automation.conditions.simulate import simulate as replay

    project = session.load()
    _automated(project)
    begin, step, keys = _instant(since), dt.timedelta(seconds=every), project.recipe.keys
    found = list(replay(project.definitions, project.store, begin, session.now(), step, keys))
    rows = [row for tick in found for row in _rows(tick)]
    partitions = sum(len(chosen) for tick in found for chosen in tick.requests.values())
    document: dict[str, Any] = {
        "since": instant_json(begin),
        "ticks": [_json(tick) for tick in found],
        "totals": {"ticks": len(found), "partitions": partitions},
    }
    summary = Cell(
        f"{counted(partitions, 'partition')} would have been made at {counted(len(found), 'tick')}", "strong"
    )
    more = [Cell(f"and {len(rows) - SHOWN:,} more rows; --json lists them all", "quiet")] if len(rows) > SHOWN else []
    table = [Table(("at (UTC)", "asset", "partitions", "#"), rows[:SHOWN])] if rows else []
    session.output.show(View(document, (*table, *more, summary)))
    return ExitCode.DONE


def _automated(project: Project) -> list[str]:
    found = [str(key) for key, node in project.graph.nodes.items() if node.asset.automation is not None]
    if not found:
        raise RequestError("No asset has a condition; @asset(automation=AutomationCondition.eager()) gives it one.")
    return found


def _tick_lines(tick: ConditionTick) -> Iterator[Cell]:
    graph, decisions = tick.conditions.graph, list(tick.decisions)
    for each in decisions[:SHOWN_DECISIONS]:
        named = graph.nodes[each.asset].spelled(each.partitions.ranges())
        yield Cell(f"{named} {each.sentence}", "good" if each.verdict == "requested" else "quiet")
    if len(decisions) > SHOWN_DECISIONS:
        yield Cell(f"and {len(decisions) - SHOWN_DECISIONS:,} more decisions; --json lists them all", "quiet")
    partitions = sum(map(len, tick.requests.values()))
    of = f"{counted(len(tick.conditions.of), 'condition')}"
    yield Cell(f"{of}: {counted(partitions, 'partition')} asked for", "strong")


def _tick_json(tick: ConditionTick) -> dict[str, Any]:
    nodes = tick.conditions.graph.nodes
    return {
        "requests": [
            {"asset": str(key), "partitions": partitions_json(chosen, nodes[key].partitions)}
            for key, chosen in tick.requests.items()
        ],
        "decisions": [
            {
                "asset": str(each.asset),
                "partitions": partitions_json(each.partitions, nodes[each.asset].partitions),
                "sentence": each.sentence,
            }
            for each in tick.decisions
        ],
    }


def _rows(tick: SimulatedTick) -> Iterator[tuple[str, str, str, str]]:
    for key, chosen in tick.requests.items():
        named = tick.graph.nodes[key].spelled(chosen.ranges()).removeprefix(f"{key}").strip()
        yield instant_text(tick.at), str(key), named or "-", f"{len(chosen):,}"


def _json(tick: SimulatedTick) -> dict[str, Any]:
    requests = [
        {"asset": str(key), "partitions": partitions_json(chosen, tick.graph.nodes[key].partitions)}
        for key, chosen in tick.requests.items()
    ]
    return {"at": instant_json(tick.at), "requests": requests}


def _instant(text: str) -> dt.datetime:
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise RequestError(
            f"--since {text!r} is no time; write an ISO date or time such as 2013-01-01 or 2013-01-01T06:00+01:00."
        ) from error
    return found.replace(tzinfo=dt.UTC) if found.tzinfo is None else found.astimezone(dt.UTC)


def add_to(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(
        help="Make what automation conditions ask for; try them on what has happened.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    add(group, "tick", tick)
    add(group, "simulate", simulate)
    app.add_typer(group, name="automation")
