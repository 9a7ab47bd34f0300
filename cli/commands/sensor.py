"""`deltaworks sensor`: which sensors there are, what they would ask for, and what they have asked for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

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
from deltaworks.cli.wording import counted
from deltaworks.engine.documents.ticks import requests_json

if TYPE_CHECKING:
    from deltaworks.engine.automation.evaluation import Evaluation
    from deltaworks.engine.automation.sensing import Scene
    from deltaworks.engine.workspace.project import Project

SensorArgument = Annotated[str, typer.Argument(metavar="NAME", help="The sensor.")]
SensorsArgument = Annotated[list[str], typer.Argument(metavar="NAME...", help="Sensors.")]


def list_sensors(session: Session) -> ExitCode:
    """List sensors, and whether they are on."""
    session.output.show(sensors_view(session.load()))
    return ExitCode.DONE


def sensors_view(project: Project) -> View:
    """Return which sensors there are."""
    # Imported here: --help must not load the engine.
    from deltaworks.engine.documents.automations import sensors_json
    from deltaworks.io.switches import read_switches

    documents = sensors_json(project.definitions.sensors.values(), read_switches(project.store))
    document = {"sensors": documents}
    if not documents:
        return View(document, (Cell("There are no sensors; @sensor, @asset_sensor and the like make some.", "quiet"),))
    rows = [
        (
            Cell(each["sensor"], "strong"),
            Cell("on", "good") if each["is_on"] else Cell("off", "quiet"),
            each["kind"],
            ", ".join(each["watches"]) or Cell("-", "quiet"),
            each["job"] or Cell("-", "quiet"),
            Cell(each["description"].partition("\n")[0], "quiet"),
        )
        for each in documents
    ]
    return View(document, (Table(("sensor", "is", "kind", "watches", "job", "description"), rows),))


def start_sensors(session: Session, names: SensorsArgument) -> ExitCode:
    """Start sensors; one that was never asked begins with what happens from now on."""
    return _switch(session, names, is_on=True)


def stop_sensors(session: Session, names: SensorsArgument) -> ExitCode:
    """Stop sensors; started again, they go on from where they were."""
    return _switch(session, names, is_on=False)


def _switch(session: Session, names: list[str], *, is_on: bool) -> ExitCode:
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.automation.switching import switch_sensor

    project = session.load(reads_lake=is_on)
    sensors, by = project.definitions.sensors, somebody()
    refuse_unknown("sensor", names, sensors)
    for name in names:
        switch_sensor(_scene(session, project), sensors[name], is_on=is_on, by=by)
    show_switched(session, "sensor", names, is_on=is_on)
    return ExitCode.DONE


def preview_sensor(session: Session, name: SensorArgument) -> ExitCode:
    """Ask a sensor now, and show what it answers; nothing is run or recorded."""
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.automation.asking import Surroundings, ask
    from deltaworks.engine.automation.sensor_cursor import read_cursor
    from deltaworks.engine.definitions.automation.tick import Tick

    project = session.load()
    refuse_unknown("sensor", [name], project.definitions.sensors)
    if project.workspace is not None:
        return delegated(session, project, project.workspace.owner_of_tick(name))
    cursor = read_cursor(project.store, project.definitions.sensors[name])
    around = Surroundings(project.definitions, project.store, os.environ, session.now())
    session.output.show(_evaluation_view(name, cursor, ask(around, Tick(name, session.now(), cursor))))
    return ExitCode.DONE


def sensor_cursor(
    session: Session,
    name: SensorArgument,
    wanted: Annotated[
        str | None,
        typer.Option(
            "--set", metavar="CURSOR", help="now; a version, or ASSET=VERSION,...; or what the function reads."
        ),
    ] = None,
) -> ExitCode:
    """Show from where on a sensor is told, or set it."""
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.automation.sensor_cursor import read_cursor, set_cursor

    project = session.load()
    refuse_unknown("sensor", [name], project.definitions.sensors)
    sensor = project.definitions.sensors[name]
    before = read_cursor(project.store, sensor)
    if wanted is None:
        session.output.show(View({"sensor": name, "cursor": before}, (before or Cell("It has none yet.", "quiet"),)))
        return ExitCode.DONE
    after = set_cursor(sensor, _scene(session, project), wanted, somebody(), session.now())
    lines = (f"was: {before or '-'}", Cell(f"now: {after or '-'}", "good"))
    session.output.show(View({"sensor": name, "cursor": after, "before": before}, lines))
    return ExitCode.DONE


def sensor_ticks(
    session: Session, name: SensorArgument, most: MostTicksOption = 20, retry: RetryOption = None
) -> ExitCode:
    """Show when a sensor was asked, and what it asked for; the latest first."""
    refuse_unknown("sensor", [name], session.load(reads_lake=False).definitions.sensors)
    show_ticks(session, "sensor", name, most, retry)
    return ExitCode.DONE


def _scene(session: Session, project: Project) -> Scene:
    from deltaworks.engine.automation.sensing import Scene

    return Scene(project.definitions, project.store, session.now())


def _evaluation_view(name: str, cursor: str | None, evaluation: Evaluation) -> View:
    document = {
        "sensor": name,
        "requests": requests_json(evaluation.requests),
        "skip_reason": evaluation.skip_reason,
        "cursor": cursor,
        "next_cursor": evaluation.cursor or cursor,
        "add_partitions": {key: list(keys) for key, keys in evaluation.new_keys.items()},
        "remove_partitions": {key: list(keys) for key, keys in evaluation.gone_keys.items()},
    }
    if not evaluation.requests:
        return View(document, (f"It asks for nothing: {evaluation.skip_reason}.",))
    count = Cell(f"{counted(len(evaluation.requests), 'run')}; nothing was started", "quiet")
    return View(document, (requests_table(evaluation.requests), count))


def add_to(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(help="List, start, stop and look into sensors.", no_args_is_help=True, rich_markup_mode=None)
    add(group, "list", list_sensors)
    add(group, "start", start_sensors)
    add(group, "stop", stop_sensors)
    add(group, "preview", preview_sensor)
    add(group, "cursor", sensor_cursor)
    add(group, "ticks", sensor_ticks)
    app.add_typer(group, name="sensor")
