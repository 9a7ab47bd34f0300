"""Proof: what can be said of definitions without data and without a lake."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.planning.code_version import unseen_values
from deltaworks.engine.planning.contracts import Findings, check_contracts
from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.engine.planning.job_fit import job_misfits
from deltaworks.errors import Place


@dataclass(frozen=True, slots=True)
class UnseenValue:
    """A value that an asset reads and whose changes its code version cannot see."""

    asset: str
    name: str
    where: Place


@dataclass(frozen=True, slots=True)
class UnfitJob:
    """Why a job cannot be run as it is defined."""

    job: str
    reason: str
    where: Place | None


@dataclass(frozen=True, slots=True)
class Proof:
    """What was found."""

    findings: Findings
    unseen: tuple[UnseenValue, ...]
    unfit: tuple[UnfitJob, ...]


def prove(definitions: Definitions, graph: AssetGraph, known: Mapping[AssetKey, pl.Schema] | None = None) -> Proof:
    """Find what would go wrong; see `check_contracts` for what that costs.

    Args:
        definitions: the jobs.
        graph: the assets; those whose code is elsewhere are taken as they say of themselves.
        known: the columns of those of them that declare none, as far as they were found out.
    """
    unseen = (
        UnseenValue(str(node.key), value.name, value.where)
        for node in graph.every.values()
        if node.asset.foreign is None
        for value in unseen_values(node.asset)
    )
    return Proof(check_contracts(graph, known), tuple(unseen), tuple(unfit_jobs(definitions, graph)))


def unfit_jobs(definitions: Definitions, graph: AssetGraph) -> Iterable[UnfitJob]:
    """Yield why jobs cannot be run as they are defined."""
    for job in definitions.jobs.values():
        for misfit in job_misfits(job, graph):
            yield UnfitJob(job.name, misfit.reason, misfit.where)


def joined_proof(proofs: Iterable[Proof], more: Iterable[UnfitJob]) -> Proof:
    """Return several proofs of parts of a graph as one, and what was found of jobs beside."""
    known = list(proofs)
    findings = [each.findings for each in known]
    return Proof(
        Findings(
            tuple(problem for each in findings for problem in each.problems),
            {key: schema for each in findings for key, schema in each.results.items()},
            {key: reason for each in findings for key, reason in each.left.items()},
            tuple(key for each in findings for key in each.checked),
        ),
        tuple(value for each in known for value in each.unseen),
        tuple(dict.fromkeys((*(job for each in known for job in each.unfit), *more))),
    )
