"""Locations: the code locations of a project as commands show them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from deltaworks.cli.output import Cell, Table, View
from deltaworks.errors import LocationFailed

if TYPE_CHECKING:
    from deltaworks.engine.workspace.locations.workspace import CodeLocation
    from deltaworks.engine.workspace.project import Project


def locations_view(project: Project) -> View:
    """Return which code locations there are, what runs in them, and why some are not loaded."""
    if project.workspace is None:
        told = "There are no code locations: the project's modules are loaded where they are needed."
        return View({"locations": [], "problems": []}, (Cell(told, "quiet"),))
    counts = Counter(
        node.asset.foreign.location for node in project.graph.every.values() if node.asset.foreign is not None
    )
    documents = [_json(each, counts[name]) for name, each in project.workspace.locations.items()]
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
    others = [str(each) for each in project.problems if not isinstance(each, LocationFailed)]
    faults = [Cell(each["fault"], "bad") for each in documents if each["fault"]]
    problems = [Cell(each, "bad") for each in others if each not in {document["fault"] for document in documents}]
    return View({"locations": documents, "problems": others}, (Table(headings, rows), *faults, *problems))


def _json(location: CodeLocation, assets: int) -> dict[str, Any]:
    found, fault = location.description, location.fault
    return {
        "location": location.spec.name,
        "python": location.spec.python,
        "modules": list(location.spec.modules),
        "working_directory": str(location.spec.folder),
        "assets": assets,
        "repositories": [] if found is None else [each.name for each in found.repositories],
        "deltaworks": None if found is None else found.versions.deltaworks,
        "polars": None if found is None else found.versions.polars,
        "python_version": None if found is None else found.versions.python,
        "is_cached": location.is_cached,
        "fault": None if fault is None else str(fault),
    }


def _state(document: dict[str, Any]) -> Cell:
    if not document["fault"]:
        return Cell("loaded", "good")
    return Cell("as it was last" if document["deltaworks"] else "not loaded", "bad")
