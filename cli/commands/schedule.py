"""`deltaworks schedule`: which schedules there are, when they tick next, and what they have asked for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deltaworks.cli.automations import (
    MostTicksOption,
    RetryOption,
    refuse_unknown,
    requests_table,
    show_switched,
    show_ticks,
    somebody,
)
from deltaworks.cli.command import ExitCode, Session, add
from deltaworks.cli.delegating import delegated
from deltaworks.cli.output import Cell, Table, View
from deltaworks.engine.documents.instants import instant_json, instant_text
from deltaworks.engine.documents.ticks import requests_json

if TYPE_CHECKING:
    from deltaworks.engine.workspace.project import Project

ScheduleArgument = Annotated[str, typer.Argument(metavar="NAME", help="The schedule.")]
SchedulesArgument = Annotated[list[str], typer.Argument(metavar="NAME...", help="Schedules.")]


def list_schedules(session: Session) -> ExitCode:
    """List schedules, whether they are on, and when they tick next."""
    session.output.show(schedules_view(session, session.load()))
    return ExitCode.DONE


def schedules_view(session: Session, project: Project) -> View:
    """Return which schedules there are."""
    # Imported here: --help must not load the engine.
    from deltaworks.engine.documents.automations import schedules_json
    from deltaworks.io.switches import read_switches

    schedules, switches = project.definitions.schedules.values(), read_switches(project.store)
    documents = schedules_json(schedules, switches, session.now())
    if not documents:
        return View(
            {"schedules": []}, (Cell("There are no schedules; @schedule and define_schedule make some.", "quiet"),)
        )
    quiet = Cell("-", "quiet")
    rows = [
        (
            Cell(each["schedule"], "strong"),
            Cell("on", "good") if each["is_on"] else Cell("off", "quiet"),
            each["job"],
            ", ".join(each["crons"]),
            each["timezone"],
            instant_text(each["next_at"]) if each["is_on"] and each["next_at"] else quiet,
            Cell(each["description"].partition("\n")[0], "quiet"),
        )
        for each in documents
    ]
    table = Table(("schedule", "is", "job", "cron", "time zone", "next tick (UTC)", "description"), rows)
    return View({"schedules": documents}, (table,))


def start_schedules(session: Session, names: SchedulesArgument) -> ExitCode:
    """Start schedules; what was due while they were stopped is not caught up with."""
    return _switch(session, names, is_on=True)


def stop_schedules(session: Session, names: SchedulesArgument) -> ExitCode:
    """Stop schedules until they are started again; runs that go on are not touched."""
    return _switch(session, names, is_on=False)


def _switch(session: Session, names: list[str], *, is_on: bool) -> ExitCode:
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.automation.switching import switch_schedule

    project = session.load(reads_lake=False)
    schedules, by = project.definitions.schedules, somebody()
    refuse_unknown("schedule", names, schedules)
    for name in names:
        switch_schedule(project.store, schedules[name], is_on=is_on, by=by, at=session.now())
    show_switched(session, "schedule", names, is_on=is_on)
    return ExitCode.DONE


def preview_schedule(
    session: Session,
    name: ScheduleArgument,
    count: Annotated[int, typer.Option("-n", metavar="N", min=1, max=10_000, help="How many ticks.")] = 5,
    asks: Annotated[
        bool, typer.Option("--ask", help="Ask its function about the next tick too, and show what it answers.")
    ] = False,
) -> ExitCode:
    """Show the next ticks of a schedule; nothing is run or recorded."""
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.automation.asking import Surroundings, ask
    from deltaworks.engine.automation.schedule_watch import WatchedSchedule
    from deltaworks.engine.definitions.automation.tick import Tick

    project = session.load(reads_lake=asks)
    refuse_unknown("schedule", [name], project.definitions.schedules)
    if asks and project.workspace is not None:
        return delegated(session, project, project.workspace.owner_of_tick(name))
    rhythm = WatchedSchedule.of(project.definitions.schedules[name]).rhythm
    ticks = rhythm.next(session.now(), count)
    local = [rhythm.local(tick) for tick in ticks]
    document: dict[str, Any] = {
        "schedule": name,
        "timezone": rhythm.timezone,
        "ticks": [
            {"scheduled_at": instant_json(tick), "local": shown.isoformat()}
            for tick, shown in zip(ticks, local, strict=True)
        ],
    }
    rows = [(instant_text(tick), f"{shown:%a %Y-%m-%d %H:%M %z}") for tick, shown in zip(ticks, local, strict=True)]
    lines: list[Table | Cell] = [Table(("tick (UTC)", f"in {rhythm.timezone}"), rows)]
    if asks and ticks:
        around = Surroundings(project.definitions, project.store, os.environ, ticks[0])
        evaluation = ask(around, Tick(name, ticks[0]))
        document |= {"requests": requests_json(evaluation.requests), "skip_reason": evaluation.skip_reason}
        asked = [requests_table(evaluation.requests)] if evaluation.requests else []
        lines += [Cell(f"At {instant_text(ticks[0])} it asks for:", "strong"), *asked]
        lines += [] if asked else [Cell(f"nothing: {evaluation.skip_reason}", "quiet")]
    session.output.show(View(document, tuple(lines)))
    return ExitCode.DONE


def schedule_ticks(
    session: Session, name: ScheduleArgument, most: MostTicksOption = 20, retry: RetryOption = None
) -> ExitCode:
    """Show what each tick of a schedule asked for; the latest first."""
    refuse_unknown("schedule", [name], session.load(reads_lake=False).definitions.schedules)
    show_ticks(session, "schedule", name, most, retry)
    return ExitCode.DONE


def add_to(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(help="List, start, stop and look into schedules.", no_args_is_help=True, rich_markup_mode=None)
    add(group, "list", list_schedules)
    add(group, "start", start_schedules)
    add(group, "stop", stop_schedules)
    add(group, "preview", preview_schedule)
    add(group, "ticks", schedule_ticks)
    app.add_typer(group, name="schedule")
