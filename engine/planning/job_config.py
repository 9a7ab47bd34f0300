"""JobConfig: what a run's config says to each op of a job, validated before anything starts."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Any, Union, cast, get_args, get_origin

from pydantic import BaseModel, ValidationError

from deltaworks.engine.definitions.ops.config import Config
from deltaworks.engine.definitions.ops.job import Job
from deltaworks.engine.definitions.ops.sources import Path
from deltaworks.engine.planning.step_graph import StepGraph, StepNode
from deltaworks.errors import RequestError, did_you_mean

Values = Mapping[str, Any]

SHARED = "job"
"""What stands below this name goes to the config that a job gives to all of its ops."""


@dataclass(frozen=True, slots=True)
class ConfigLayer:
    """Config as somebody gave it."""

    origin: str
    """The file or the option, for messages."""
    values: Values


def resolve_config(job: Job, steps: StepGraph, given: Sequence[ConfigLayer]) -> dict[Path, Config]:
    """Return the config of every op that takes one; later layers override earlier ones, and all what the job says.

    Raises:
        RequestError: a layer names no op or no field, a value does not fit, or one is missing.
    """
    layers = (ConfigLayer(f"job {job.name!r} ({job.where})", job.config), *given)
    taking = {path: node for path, node in steps.nodes.items() if node.op.signature.config_model is not None}
    shared = _shared(job, layers)
    for layer in layers:
        _refuse_unknown(job, layer, taking)
    return {path: _of_op(job, node, shared, layers) for path, node in taking.items()}


def merged(job: Job, steps: StepGraph, layers: Sequence[ConfigLayer]) -> dict[str, Any]:
    """Return in one what layers say to the ops of a job; later ones override earlier ones, field by field."""
    models: dict[Path, type[BaseModel]] = {
        path: node.op.signature.config_model
        for path, node in steps.nodes.items()
        if node.op.signature.config_model is not None
    }
    if job.shared_config is not None:
        models[SHARED,] = type(job.shared_config)
    return _merged([layer.values for layer in layers], models, ())


def merged_fields(model: type[BaseModel], layers: Sequence[Values]) -> dict[str, Any]:
    """Return the fields of a model: the last layer that says a field counts.

    A field that is a model itself is put together likewise, from its own fields; any other counts as a whole.
    """
    found: dict[str, Any] = {}
    for layer in layers:
        for name, value in layer.items():
            before, inner = found.get(name), _inner_model(model, name)
            if inner is not None and isinstance(before, Mapping) and isinstance(value, Mapping):
                found[name] = merged_fields(inner, [cast("Values", before), cast("Values", value)])
            else:
                found[name] = value
    return found


def _merged(layers: Sequence[Values], models: Mapping[Path, type[BaseModel]], path: Path) -> dict[str, Any]:
    """Return what layers say below some names, on the way to the fields of models."""
    if path in models:
        return merged_fields(models[path], layers)
    said: dict[str, list[Values]] = {}
    for layer in layers:
        for name, value in layer.items():
            said.setdefault(name, []).append(value)
    return {name: _merged(values, models, (*path, name)) for name, values in said.items()}


def _inner_model(model: type[BaseModel], field: str) -> type[BaseModel] | None:
    """Return the model that a field is, or may be instead of nothing."""
    annotation: Any = model.model_fields[field].annotation if field in model.model_fields else None
    choices: tuple[Any, ...] = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    found = [each for each in choices if each is not type(None)]
    if len(found) != 1 or not inspect.isclass(found[0]) or not issubclass(found[0], BaseModel):
        return None
    return found[0]


def _shared(job: Job, layers: Sequence[ConfigLayer]) -> Config | None:
    if job.shared_config is None:
        return None
    found = [fields_at(layer, (SHARED,)) for layer in layers]
    if not any(found):
        return job.shared_config
    values = merged_fields(type(job.shared_config), [job.shared_config.model_dump(), *found])
    return validated(type(job.shared_config), values, f"job {job.name!r}", (SHARED,), layers)


def _of_op(job: Job, node: StepNode, shared: Config | None, layers: Sequence[ConfigLayer]) -> Config:
    model = node.op.signature.config_model
    assert model is not None, "only ops that take a config have one"
    base = shared if isinstance(shared, model) else node.op.config
    found = [fields_at(layer, node.path) for layer in layers]
    if base is not None and not any(found):
        return base
    values = merged_fields(model, [{} if base is None else base.model_dump(), *found])
    return validated(model, values, f"op {'.'.join(node.path)!r} of job {job.name!r}", node.path, layers)


def fields_at(layer: ConfigLayer, path: Path) -> Values:
    """Return what a layer says below some names.

    Raises:
        RequestError: there is something else than fields.
    """
    found: Any = layer.values
    for place, name in enumerate(path):
        found = cast("Values", found).get(name, {})
        if not isinstance(found, Mapping):
            raise RequestError(f"{layer.origin}: {'.'.join(path[: place + 1])} must have fields, not be {found!r}.")
    return cast("Values", found)


def _refuse_unknown(job: Job, layer: ConfigLayer, taking: Mapping[Path, StepNode]) -> None:
    """Refuse config for what takes none: it would be lost in silence."""
    for path in _paths(layer.values, (), taking):
        known = [".".join(each) for each in taking]
        name, takes = (
            ".".join(path),
            f" Ops that take config are {', '.join(known)}." if known else " None takes config.",
        )
        if path == (SHARED,) and job.shared_config is not None:
            continue
        hint = did_you_mean(name, known, otherwise=takes)
        raise RequestError(f"{layer.origin}: job {job.name!r} has no op {name!r} that takes config.{hint}")


def _paths(values: Values, prefix: Path, taking: Mapping[Path, StepNode]) -> Iterator[Path]:
    """Yield the names that lead to no op that takes config."""
    for name, value in values.items():
        path = (*prefix, name)
        if path in taking:
            continue
        if isinstance(value, Mapping) and any(each[: len(path)] == path for each in taking):
            yield from _paths(cast("Values", value), path, taking)
        else:
            yield path


def validated(model: type[Config], values: Values, whose: str, path: Path, layers: Sequence[ConfigLayer]) -> Config:
    """Return the config that is made of some values; `path` leads to them in each of the layers.

    Raises:
        RequestError: a field is missing or unknown, or a value does not fit; it names the field and who gave it.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(map(str, first["loc"]))
        name = ".".join((*path, *map(str, first["loc"])))
        if first["type"] == "missing":
            raise RequestError(
                f"{whose}: config field {field!r} is missing; give it by --config {name}=..., or in a file."
            ) from error
        origin = next((layer.origin for layer in reversed(layers) if _says(layer, path, first["loc"])), whose)
        if first["type"] == "extra_forbidden":
            hint = did_you_mean(field, model.model_fields, otherwise=f" It has {', '.join(model.model_fields)}.")
            raise RequestError(f"{origin}: {whose} has no config field {field!r}.{hint}") from error
        raise RequestError(f"{origin}: config field {name}: {first['msg']}.") from error


def _says(layer: ConfigLayer, path: Path, loc: Sequence[int | str]) -> bool:
    """Return whether a layer gives the field that an error is about."""
    return not loc or loc[0] in fields_at(layer, path)
