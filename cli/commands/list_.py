"""`deltaworks list`: what a project defines."""

from __future__ import annotations

import os
import shlex
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deltaworks.cli.command import SELECT, ExitCode, Session, add
from deltaworks.cli.commands.job import jobs_view
from deltaworks.cli.commands.schedule import schedules_view
from deltaworks.cli.commands.sensor import sensors_view
from deltaworks.cli.locations import locations_view
from deltaworks.cli.output import Cell, Table, View
from deltaworks.engine.documents.assets import asset_json
from deltaworks.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deltaworks.engine.definitions.resources import ShownValue
    from deltaworks.engine.planning.graph import Node
    from deltaworks.engine.workspace.environments import Environment
    from deltaworks.engine.workspace.project import Project


class Listed(StrEnum):
    """What can be listed."""

    ASSETS = "assets"
    JOBS = "jobs"
    SCHEDULES = "schedules"
    SENSORS = "sensors"
    RESOURCES = "resources"
    LOCATIONS = "locations"


def list_(
    session: Session,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="assets|jobs|schedules|sensors|resources|locations|SELECT", help=SELECT),
    ] = None,
) -> ExitCode:
    """List what is defined: assets, jobs and everything else."""
    what, select = Listed.ASSETS, list(words or ())
    if select and select[0] in list(Listed):
        what = Listed(select.pop(0))
    if select and what is not Listed.ASSETS:
        raise RequestError(f"SELECT chooses assets: `deltaworks list assets {shlex.join(select)}`.")
    project = session.load_quietly() if what is Listed.LOCATIONS else session.load()
    match what:
        case Listed.ASSETS:
            session.output.show(_assets(project, select))
        case Listed.JOBS:
            session.output.show(jobs_view(project))
        case Listed.SCHEDULES:
            session.output.show(schedules_view(session, project))
        case Listed.SENSORS:
            session.output.show(sensors_view(project))
        case Listed.RESOURCES:
            session.output.show(_resources(project))
        case Listed.LOCATIONS:
            session.output.show(locations_view(project))
    return ExitCode.DONE


def _assets(project: Project, select: Sequence[str]) -> View:
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.execution.observe import observe
    from deltaworks.engine.planning import selection

    chosen = selection.select_every(project.graph, select, lambda: observe(project.graph, project.store).status)
    nodes = [project.graph.every[key] for key in chosen]
    kinds = {node.asset.kind for node in project.graph.every.values()}
    has_checks = any(node.checks for node in nodes)
    rows = [
        (
            Cell(str(node.key), "strong"),
            *((node.asset.kind.value,) if len(kinds) > 1 else ()),
            node.asset.group,
            str(node.partitions),
            ", ".join(str(edge.upstream) for edge in node.reads) or Cell("-", "quiet"),
            *((f"{len(node.checks):,}" if node.checks else Cell("-", "quiet"),) if has_checks else ()),
            Cell(_first_line(node), "quiet"),
        )
        for node in nodes
    ]
    kind = ("kind",) if len(kinds) > 1 else ()
    checks = ("checks#",) if has_checks else ()
    table = Table(("asset", *kind, "group", "partitions", "made from", *checks, "description"), rows)
    return View({"assets": [asset_json(node) for node in nodes]}, (table,))


def _first_line(node: Node) -> str:
    return node.asset.description.partition("\n")[0]


def _resources(project: Project) -> View:
    resources, environment = project.definitions.resources, project.recipe.environment
    document: list[dict[str, Any]] = []
    rows: list[tuple[Cell | str, ...]] = []
    for name, resource in resources.items():
        by_file = set[str]() if environment is None else set(environment.resources.get(name, ()))
        values = [
            {
                "field": each.name,
                "value": each.shown,
                "from": _giver(each, environment if each.name in by_file else None),
            }
            for each in resource.shown()
        ]
        document.append({"resource": name, "type": type(resource).__name__, "values": values})
        rows += [
            (Cell(name, "strong"), type(resource).__name__, each["field"], each["value"], Cell(each["from"], "quiet"))
            for each in values or [{"field": "", "value": "", "from": ""}]
        ]
    told = Cell("There are no resources; an instance of a dw.Resource that a module names is one.", "quiet")
    table = Table(("resource", "type", "field", "value", "from"), rows)
    return View({"resources": document}, (table if rows else told,))


def _giver(value: ShownValue, environment: Environment | None) -> str:
    """Return where a value of a resource comes from."""
    if value.variable is not None:
        is_set = "" if value.variable in os.environ else ", which is not set"
        return f"variable {value.variable}{is_set}"
    if environment is not None:
        return f"environment {environment.name}"
    return "code" if value.is_given else "default"


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "list", list_)
