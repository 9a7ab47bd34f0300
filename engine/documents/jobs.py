"""Jobs as JSON: how one is defined, what it is made of, and which config it may be given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deltaworks.engine.definitions.definitions import AnyJob
    from deltaworks.engine.definitions.ops.asset_job import AssetJob
    from deltaworks.engine.definitions.ops.job import Job
    from deltaworks.engine.planning.graph import AssetGraph
    from deltaworks.engine.planning.step_graph import StepGraph, StepNode


def job_json(job: AnyJob) -> dict[str, Any]:
    """Return how a job is defined."""
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.definitions.ops.job import Job

    return {
        "job": job.name,
        "kind": "ops" if isinstance(job, Job) else "assets",
        "selection": None if isinstance(job, Job) else list(job.selection),
        "partitions": str(job.partitions) if job.partitions.dimensions else None,
        "tags": dict(job.tags),
        "hooks": [hook.name for hook in job.hooks],
        "description": job.description,
        "file": job.where.file,
        "line": job.where.line,
    }


def op_job_json(job: Job, steps: StepGraph) -> dict[str, Any]:
    """Return all of a job of ops: also its ops, and the JSON Schema of its config."""
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.planning.config_schema import job_config_schema

    ops = [_op_json(node) for node in steps.nodes.values()]
    return job_json(job) | {"ops": ops, "config_schema": job_config_schema(job, steps)}


def asset_job_json(job: AssetJob, graph: AssetGraph) -> dict[str, Any]:
    """Return all of a job of assets: also which these are, and the JSON Schema of its config."""
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.planning.config_schema import asset_config_schema
    from deltaworks.engine.planning.selection import select

    assets = select(graph, job.selection)
    schema = asset_config_schema(job, graph, assets)
    return job_json(job) | {"assets": list(map(str, assets)), "config_schema": schema}


def upstream_of(node: StepNode) -> Iterator[str]:
    """Yield the ops that an op reads or waits for, and the tables."""
    yield from dict.fromkeys(".".join(need.path) for need in node.needs)
    yield from (f"table {port.asset}" for port in node.op.signature.inputs if port.asset is not None)


def _op_json(node: StepNode) -> dict[str, Any]:
    signature = node.op.signature
    return {
        "op": ".".join(node.path),
        "is_mapped": bool(node.fans),
        "reads": list(upstream_of(node)),
        "run_when": node.op.run_when.value,
        "config": None if signature.config_model is None else list(signature.config_model.model_fields),
        "resources": {argument: wanted.__name__ for argument, wanted in signature.resources.items()},
        "pool": node.op.pool,
        "timeout_s": node.op.limits.timeout_s,
        "memory_mb": node.op.limits.memory_mb,
        "isolate": node.op.limits.isolate,
        "tags": dict(node.op.tags),
        "description": node.op.description,
        "file": node.op.where.file,
        "line": node.op.where.line,
    }
