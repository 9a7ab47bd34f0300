"""`deltaworks automation`: what conditions would have had made."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deltaworks.cli.command import ExitCode, Session, add
from deltaworks.cli.instants import instant_json, instant_text
from deltaworks.cli.output import Cell, Table, View
from deltaworks.cli.wording import counted, partitions_json
from deltaworks.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deltaworks.engine.automation.conditions.simulate import SimulatedTick

SHOWN = 200
"""How many requests stand in the table for people; --json has them all."""


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
    if all(node.asset.automation is None for node in project.graph.nodes.values()):
        raise RequestError("No asset has a condition; @asset(automation=AutomationCondition.eager()) gives it one.")
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
        help="Try automation conditions on what has happened.", no_args_is_help=True, rich_markup_mode=None
    )
    add(group, "simulate", simulate)
    app.add_typer(group, name="automation")
