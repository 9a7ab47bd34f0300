"""`deltaworks automation`: have made what conditions ask for, and what they would have had made."""

from __future__ import annotations

import datetime as dt
import shlex
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deltaworks.cli.automations import somebody
from deltaworks.cli.command import ExitCode, Session, add
from deltaworks.cli.commands import automation_switches
from deltaworks.cli.observing import observe_needed, observed_lines
from deltaworks.cli.output import Cell, Table, View
from deltaworks.cli.running import ExecutorOption, WorkersOption, read_executor, run_plan
from deltaworks.cli.wording import counted
from deltaworks.engine.documents.instants import instant_json, instant_text
from deltaworks.engine.documents.partitions import partitions_json
from deltaworks.errors import DeltaworksError, RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deltaworks.engine.automation.conditions.evaluate import ConditionTick
    from deltaworks.engine.automation.conditions.simulate import SimulatedTick
    from deltaworks.engine.execution.sources import Observations
    from deltaworks.engine.execution.workers.executor_kind import ExecutorKind
    from deltaworks.engine.workspace.project import Project
    from deltaworks.io.ticks import AskedRun

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
    """Evaluate all conditions once; make what they ask for in one run."""
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.automation.conditions.asking import AskedConditions
    from deltaworks.engine.automation.conditions.tick_here import carry_out_here, decide_here, put_away
    from deltaworks.io.condition_notes import NAME, memory_cursor

    kind, project = read_executor(executor), session.load()
    automated = automated_assets(project)
    conditions = AskedConditions(project.definitions, project.store)
    if dry_run:
        found = conditions.look(memory_cursor(project.store), session.now())
        session.output.show(View(_tick_json(found), tuple(_tick_lines(found))))
        return ExitCode.DONE
    command = shlex.join(["automation", *sys.argv[2:]])
    seen = observe_needed(session, project, automated, command=command)
    put_away(project.store, command, session.now())
    entry = decide_here(conditions, project.store, session.now, f"automation tick by {somebody()}")
    if not entry.requests:
        found = conditions.last
        session.output.show(View(_tick_json(found), (*observed_lines(seen, project.graph), *_tick_lines(found))))
        return ExitCode.FAILED if seen.faults else ExitCode.DONE
    codes: list[ExitCode] = []

    def carry(asked: AskedRun) -> None:
        codes.append(carry_out(session, project, asked, f"{NAME}/{entry.tick_id}", seen, command, kind, workers))

    carry_out_here(project.store, entry, carry, session.now())
    if not codes:
        raise RequestError(f"A daemon has taken tick {entry.tick_id} over; `deltaworks automation ticks` shows it.")
    return codes[0]


def run(
    session: Session,
    run_id: Annotated[str, typer.Option("--run-id", metavar="ID", help="Which run of the tick.")],
    tick: Annotated[str, typer.Option("--tick", metavar="NAME/TICK", help="What asks for the run.")],
    executor: ExecutorOption = None,
    workers: WorkersOption = None,
) -> ExitCode:
    """Make what a tick of automation conditions asked a run for; daemons say this, and nobody else."""
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.automation.conditions.asked_run import end_unbegun, find_asked
    from deltaworks.engine.automation.conditions.switches import are_on, stopped
    from deltaworks.engine.execution.entry import begin_entry

    kind, project = read_executor(executor), session.load()
    asked, command = find_asked(project.store, tick, run_id), shlex.join(["automation", *sys.argv[2:]])
    off = set(map(str, stopped(project.store, project.graph)))
    asked = replace(asked, assets={asset: ends for asset, ends in asked.assets.items() if asset not in off})
    if not asked.assets or not are_on(project.store):
        entry = replace(begin_entry(command, session.now()), run_id=run_id, tick=tick)
        end_unbegun(project.store, entry, "somebody has stopped automation", session.now(), is_canceled=True)
        raise RequestError("Automation was stopped meanwhile; `deltaworks automation start` lets it go on.")
    seen = observe_needed(session, project, list(asked.assets), command=command)
    return carry_out(session, project, asked, tick, seen, command, kind, workers)


def carry_out(
    session: Session,
    project: Project,
    asked: AskedRun,
    tick: str,
    seen: Observations,
    command: str,
    kind: ExecutorKind | None,
    workers: int | None,
) -> ExitCode:
    """Carry out a run that conditions asked for, and show how it ended."""
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.automation.conditions.asked_run import decide_asked, end_unbegun
    from deltaworks.engine.execution.attempt import begin_attempt

    begun = begin_attempt(project.store, asked.run_id, command, session.now())
    entry = replace(begun, tick=begun.tick or tick)
    try:
        decision = decide_asked(project.graph, project.store, asked, entry, seen.faults)
        return run_plan(session, project, seen, decision, workers, command, entry, executor=kind)
    except DeltaworksError as error:
        end_unbegun(project.store, entry, str(error), session.now())
        raise


def simulate(
    session: Session,
    since: Annotated[
        str, typer.Option("--since", metavar="TIME", help="Where to begin: an ISO date or time; UTC without an offset.")
    ],
    every: Annotated[
        float, typer.Option("--every", min=0.001, metavar="SECONDS", help="How far ticks are apart.")
    ] = 30,
) -> ExitCode:
    """List what conditions would have had made; replays the commits since some time, and runs nothing."""
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.automation.conditions.simulate import simulate as replay

    project = session.load()
    automated_assets(project)
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


def automated_assets(project: Project) -> list[str]:
    """Return the assets that have conditions.

    Raises:
        RequestError: there are none.
    """
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
        help="List, switch, evaluate and try automation conditions.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    automation_switches.add_to(group)
    add(group, "tick", tick)
    add(group, "run", run)
    add(group, "simulate", simulate)
    app.add_typer(group, name="automation")
