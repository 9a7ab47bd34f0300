"""JobFit: whether the jobs of a project fit its assets, found out without data and without a lake."""

from __future__ import annotations

from collections.abc import Iterator

from deltaworks.engine.definitions.definitions import AnyJob
from deltaworks.engine.definitions.ops.asset_job import AssetJob
from deltaworks.engine.definitions.ops.job import ops_in
from deltaworks.engine.definitions.ops.op import Op
from deltaworks.engine.planning.asset_config import refuse_unknown
from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.engine.planning.job_config import ConfigLayer
from deltaworks.engine.planning.selection import select
from deltaworks.engine.planning.selection_syntax import Attribute
from deltaworks.errors import InvalidDefinition, RequestError, did_you_mean
from deltaworks.validation import declare, model_difference


def refuse_unfit(job: AnyJob, graph: AssetGraph) -> None:
    """Make sure that what a job selects and what its ops read is defined, and has the columns that they ask for.

    Raises:
        InvalidDefinition: it is not; the message has file and line.
    """
    for misfit in job_misfits(job, graph):
        raise misfit


def job_misfits(job: AnyJob, graph: AssetGraph) -> Iterator[InvalidDefinition]:
    """Yield what a job selects, or its ops read, that is not defined, or not with the columns that they ask for."""
    if isinstance(job, AssetJob):
        yield from _selection_misfits(job, graph)
        return
    for op in dict.fromkeys(op for _, op in ops_in(job.graph)):
        for port in op.signature.inputs:
            if port.asset is not None:
                yield from _read_misfits(op, port.name, graph)


def _selection_misfits(job: AssetJob, graph: AssetGraph) -> Iterator[InvalidDefinition]:
    if any(f"{Attribute.STATUS}:" in text for text in job.selection):
        yield InvalidDefinition(
            f"job {job.name!r} selects by status, but jobs make their assets whatever the status; for a status use "
            "`deltaworks backfill`",
            where=job.where,
        )
        return
    try:
        select(graph, job.selection)
    except RequestError as error:
        yield InvalidDefinition(f"job {job.name!r}: {error}", where=job.where)
    try:
        refuse_unknown(graph, ConfigLayer("its config", job.config))
    except RequestError as error:
        yield InvalidDefinition(f"job {job.name!r}: {error}", where=job.where)


def _read_misfits(op: Op, argument: str, graph: AssetGraph) -> Iterator[InvalidDefinition]:
    port = op.inputs[argument]
    keys = {str(key): node for key, node in graph.every.items()}
    found = keys.get(str(port.asset))
    if found is None:
        hint = did_you_mean(str(port.asset), keys)
        yield InvalidDefinition(
            f"op {op.name!r} reads asset {str(port.asset)!r} as {argument!r}, but there is none of that name.{hint}",
            where=op.where,
        )
        return
    wanted, offered = None if port.frame is None else port.frame.model, found.asset.model
    if wanted is None or offered is None or wanted is offered:
        return
    difference = model_difference(declare(wanted), declare(offered))
    if difference is not None:
        yield InvalidDefinition(
            f"op {op.name!r} reads {difference[0]} of {found.key}, but model {offered.__name__} "
            f"({declare(offered).place or found.asset.where}) {difference[1]}",
            where=op.where,
        )
