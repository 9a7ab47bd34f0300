"""Locations: the code locations of a project as commands show them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deltaworks.cli.output import Cell, Table, View

if TYPE_CHECKING:
    from deltaworks.engine.workspace.project import Project


def locations_view(project: Project) -> View:
    """Return which code locations there are, what runs in them, and why some are not loaded."""
    # Imported here: --help must not load the engine.
    from deltaworks.engine.documents.locations import locations_json

    if project.workspace is None:
        told = "There are no code locations: the project's modules are loaded where they are needed."
        return View(locations_json(project), (Cell(told, "quiet"),))
    found = locations_json(project)
    documents = found["locations"]
    rows = [
        (
            Cell(each["location"], "strong"),
            _state(each),
            f"{each['assets']:,}",
            each["deltaworks"] or "-",
            each["polars"] or "-",
            each["python_version"] or "-",
            ", ".join(each["modules"]),
            Cell(each["python"], "quiet"),
        )
        for each in documents
    ]
    headings = ("location", "is", "assets#", "deltaworks", "polars", "python", "modules", "interpreter")
    faults = [Cell(each["fault"], "bad") for each in documents if each["fault"]]
    known = {document["fault"] for document in documents}
    problems = [Cell(each, "bad") for each in found["problems"] if each not in known]
    return View(found, (Table(headings, rows), *faults, *problems))


def _state(document: dict[str, Any]) -> Cell:
    if not document["fault"]:
        return Cell("loaded", "good")
    return Cell("as it was last" if document["deltaworks"] else "not loaded", "bad")
