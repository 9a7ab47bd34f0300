"""ConfigSchema: which config a job may be given, as JSON Schema, against which forms and programs can hold theirs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic.json_schema import models_json_schema

from deltaworks.engine.definitions.asset_config import default_config
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.ops.asset_job import AssetJob
from deltaworks.engine.definitions.ops.config import AnySchema, Config
from deltaworks.engine.definitions.ops.job import Job
from deltaworks.engine.definitions.ops.sources import Path
from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.engine.planning.job_config import SHARED, ConfigLayer, fields_at
from deltaworks.engine.planning.step_graph import StepGraph


@dataclass(frozen=True, slots=True)
class _Taker:
    """What takes config."""

    model: type[Config]
    known: Collection[str]
    """The fields that have a value if nobody gives one."""


def job_config_schema(job: Job, steps: StepGraph) -> dict[str, Any]:
    """Return the schema of the config of a job of ops; an op of a graph stands below its name."""
    layer, takers = ConfigLayer(job.name, job.config), dict[Path, _Taker]()
    for path, node in steps.nodes.items():
        model = node.op.signature.config_model
        if model is not None:
            base = job.shared_config if isinstance(job.shared_config, model) else node.op.config
            takers[path] = _taker(model, base, fields_at(layer, path))
    if job.shared_config is not None:
        takers[SHARED,] = _taker(type(job.shared_config), job.shared_config, {})
    return _schema(takers)


def asset_config_schema(job: AssetJob, graph: AssetGraph, assets: Iterable[AssetKey]) -> dict[str, Any]:
    """Return the schema of the config of a job of assets."""
    layer, takers = ConfigLayer(job.name, job.config), dict[Path, _Taker]()
    for asset in (graph.nodes[key].asset for key in assets if key in graph.nodes):
        model, path = asset.signature.config_model, (asset.config_name,)
        if model is not None:
            takers[path] = _taker(model, default_config(asset), fields_at(layer, path))
    return _schema(takers)


def _taker(model: type[Config], base: Config | None, said: Mapping[str, Any]) -> _Taker:
    return _Taker(model, said if base is None else type(base).model_fields)


def _schema(takers: Mapping[Path, _Taker]) -> dict[str, Any]:
    models = dict.fromkeys(taker.model for taker in takers.values())
    named, whole = models_json_schema([(model, "validation") for model in models], schema_generator=AnySchema)
    shared: dict[str, Any] = whole.get("$defs", {})
    found = _fields()
    for path, taker in takers.items():
        schema = shared[named[taker.model, "validation"]["$ref"].rpartition("/")[2]]
        needed = [field for field in schema.get("required", ()) if field not in taker.known]
        _put(found, path, {**schema, "required": needed})
    return {**found, "$defs": shared} if shared else found


def _put(place: dict[str, Any], path: Path, schema: Mapping[str, Any]) -> None:
    """Put a schema where its path leads; what is above something that needs a field is needed itself."""
    name, below = path[0], path[1:]
    if below:
        inner = place["properties"].setdefault(name, _fields())
        _put(inner, below, schema)
        schema = inner
    place["properties"][name] = schema
    if schema["required"] and name not in place["required"]:
        place["required"].append(name)


def _fields() -> dict[str, Any]:
    return {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
