"""JobFit: whether the jobs of a project fit its assets, found out without data and without a lake."""

from __future__ import annotations

from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.definitions.ops.asset_job import AssetJob
from deltaworks.engine.definitions.ops.job import Job, ops_in
from deltaworks.engine.definitions.ops.op import Op
from deltaworks.engine.planning.asset_config import refuse_unknown
from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.engine.planning.job_config import ConfigLayer
from deltaworks.engine.planning.selection import select
from deltaworks.engine.planning.selection_syntax import Attribute
from deltaworks.errors import InvalidDefinition, RequestError, did_you_mean
from deltaworks.validation import declare, model_difference


def refuse_unfit_jobs(definitions: Definitions, graph: AssetGraph) -> None:
    """Make sure that what jobs select and what their ops read is defined, and has the columns that they ask for.

    Raises:
        InvalidDefinition: it is not; the message has file and line.
    """
    for job in definitions.jobs.values():
        if isinstance(job, AssetJob):
            _refuse_selection(job, graph)
        else:
            _refuse_reads(job, graph)


def _refuse_selection(job: AssetJob, graph: AssetGraph) -> None:
    if any(f"{Attribute.STATUS}:" in text for text in job.selection):
        raise InvalidDefinition(
            f"job {job.name!r} selects by status, but jobs make their assets whatever the status; for a status use "
            "`deltaworks backfill`",
            where=job.where,
        )
    try:
        select(graph, job.selection)
    except RequestError as error:
        raise InvalidDefinition(f"job {job.name!r}: {error}", where=job.where) from error
    try:
        refuse_unknown(graph, ConfigLayer("its config", job.config))
    except RequestError as error:
        raise InvalidDefinition(f"job {job.name!r}: {error}", where=job.where) from error


def _refuse_reads(job: Job, graph: AssetGraph) -> None:
    for _, op in ops_in(job.graph):
        for port in op.signature.inputs:
            if port.asset is not None:
                _refuse_read(op, port.name, graph)


def _refuse_read(op: Op, argument: str, graph: AssetGraph) -> None:
    port = op.inputs[argument]
    keys = {str(key): node for key, node in graph.every.items()}
    found = keys.get(str(port.asset))
    if found is None:
        hint = did_you_mean(str(port.asset), keys)
        raise InvalidDefinition(
            f"op {op.name!r} reads asset {str(port.asset)!r} as {argument!r}, but there is none of that name.{hint}",
            where=op.where,
        )
    wanted, offered = None if port.frame is None else port.frame.model, found.asset.model
    if wanted is None or offered is None or wanted is offered:
        return
    difference = model_difference(declare(wanted), declare(offered))
    if difference is not None:
        raise InvalidDefinition(
            f"op {op.name!r} reads {difference[0]} of {found.key}, but model {offered.__name__} "
            f"({declare(offered).place or found.asset.where}) {difference[1]}",
            where=op.where,
        )
