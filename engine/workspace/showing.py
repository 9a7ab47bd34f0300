"""Showing: what can be said of a project without data, found out where its code is."""

from __future__ import annotations

from deltaworks.engine.planning.lineage import Lineage, column_lineage
from deltaworks.engine.workspace.locations.proving import prove_across, trace_across
from deltaworks.engine.workspace.project import Project
from deltaworks.engine.workspace.proof import Proof, prove
from deltaworks.errors import DefinitionError


def prove_project(project: Project) -> tuple[Proof, list[DefinitionError]]:
    """Find what would go wrong on any data; return also why some code locations could not be asked."""
    if project.workspace is not None:
        return prove_across(project.workspace, project.definitions, project.graph, project.recipe.now)
    return prove(project.definitions, project.graph), []


def lineage_of(project: Project) -> Lineage:
    """Find what the columns of all assets are made of."""
    if project.workspace is not None:
        return trace_across(project.workspace, project.graph, project.recipe.now)
    return column_lineage(project.graph)
