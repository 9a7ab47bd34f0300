"""Proving: what can be said of each code location without data, found out where its code is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import polars as pl

from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.ops.job import Job
from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.engine.planning.lineage import Lineage, column_lineage
from deltaworks.engine.planning.strata import strata
from deltaworks.engine.workspace.locations.around import Surroundings
from deltaworks.engine.workspace.locations.handing import surroundings
from deltaworks.engine.workspace.locations.inside import Inside
from deltaworks.engine.workspace.locations.joining import keys_of
from deltaworks.engine.workspace.locations.workspace import Workspace
from deltaworks.engine.workspace.proof import Proof, joined_proof, prove, unfit_jobs
from deltaworks.errors import DefinitionError


def prove_own(inside: Inside, told: Mapping[str, Any], _tell: object) -> Proof:
    """Prove what can be proved of a location's own assets and jobs of ops.

    Raises:
        DefinitionError: they do not fit to what they read.
    """
    around: Surroundings = told["around"]
    definitions, graph = around.related(inside.definitions)
    ops = [job for job in inside.definitions.jobs.values() if isinstance(job, Job)]
    with_jobs = Definitions(definitions.assets, definitions.resources, definitions.checks, ops)
    return prove(with_jobs, graph, told["known"])


def prove_across(
    workspace: Workspace, definitions: Definitions, graph: AssetGraph, now: dt.datetime
) -> tuple[Proof, list[DefinitionError]]:
    """Prove what can be proved of all locations; return also why some of them could not be asked.

    What one finds out about the columns of its assets, those know that read them.
    """
    proofs: list[Proof] = []
    problems: list[DefinitionError] = []
    known: dict[AssetKey, pl.Schema] = {}
    for name in _upstream_first(workspace, graph):
        if name in workspace.faults:
            continue
        told = {
            "around": surroundings(graph, name, keys_of(graph, name), now, None, _read(workspace, name, graph)),
            "known": known,
        }
        try:
            proof: Proof = workspace.location(name).process().ask("check", told)
        except DefinitionError as error:
            problems.append(error)
            continue
        proofs.append(proof)
        known |= proof.findings.results
    return joined_proof(proofs, unfit_jobs(definitions, graph)), problems


def trace_own(inside: Inside, told: Mapping[str, Any], _tell: object) -> Lineage:
    """Find what the columns of a location's own assets are made of.

    Raises:
        DefinitionError: they do not fit to what they read.
    """
    around: Surroundings = told["around"]
    _, graph = around.related(inside.definitions)
    return column_lineage(graph)


def trace_across(workspace: Workspace, graph: AssetGraph, now: dt.datetime) -> Lineage:
    """Find what the columns of all assets are made of; those of a location that cannot be asked are opaque."""
    found = column_lineage(graph)
    assets = dict(found.assets)
    for name in workspace.locations:
        own = keys_of(graph, name)
        if own and name not in workspace.faults:
            told = {"around": surroundings(graph, name, own, now, None)}
            traced: Lineage = workspace.location(name).process().ask("trace", told)
            assets |= {key: columns for key, columns in traced.assets.items() if key in own}
    return replace(found, assets=assets)


def _read(workspace: Workspace, name: str, graph: AssetGraph) -> Iterator[AssetKey]:
    description = workspace.location(name).description
    if description is not None:
        yield from (key for key in description.reads if key in graph.every)


def _upstream_first(workspace: Workspace, graph: AssetGraph) -> Iterator[str]:
    """Yield locations, those first whose assets others read, as far as they do not read each other."""
    known = dict.fromkeys(stratum.location for stratum in strata(graph, graph.nodes))
    yield from known
    yield from (name for name in workspace.locations if name not in known)
