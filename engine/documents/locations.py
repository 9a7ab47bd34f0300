"""Locations as JSON: the code locations of a project, what runs in them, and why some are not loaded."""

from __future__ import annotations

from collections import Counter
from typing import Any

from deltaworks.engine.workspace.locations.workspace import CodeLocation
from deltaworks.engine.workspace.project import Project
from deltaworks.errors import LocationFailed


def locations_json(project: Project) -> dict[str, Any]:
    """Return the code locations of a project as JSON; none, if it has no workspace."""
    if project.workspace is None:
        return {"locations": [], "problems": []}
    counts = Counter(
        node.asset.foreign.location for node in project.graph.every.values() if node.asset.foreign is not None
    )
    documents = [_json(each, counts[name]) for name, each in project.workspace.locations.items()]
    problems = [str(each) for each in project.problems if not isinstance(each, LocationFailed)]
    return {"locations": documents, "problems": problems}


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
