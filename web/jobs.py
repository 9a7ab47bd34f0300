"""Jobs: what somebody gives one before it is started, and starting it as the command does."""

from __future__ import annotations

import importlib
import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from deltaworks.engine.definitions.definitions import AnyJob
from deltaworks.engine.definitions.ops.config import Config
from deltaworks.engine.definitions.ops.job import Job
from deltaworks.engine.documents.jobs import asset_job_json, job_json, op_job_json
from deltaworks.engine.execution.entry import new_run_id
from deltaworks.engine.planning.asset_config import resolve_asset_config
from deltaworks.engine.planning.job_config import ConfigLayer, resolve_config
from deltaworks.engine.planning.job_partition import job_partition
from deltaworks.engine.planning.step_graph import resolve_steps
from deltaworks.engine.workspace.jobs import partitions_of
from deltaworks.engine.workspace.locations.handing import refuse_unknown_config
from deltaworks.engine.workspace.project import Project
from deltaworks.errors import RequestError
from deltaworks.web.launching import Launcher
from deltaworks.web.workspace import Sight


@dataclass(frozen=True, slots=True)
class JobRequest:
    """What a job is to be run for, and with."""

    partition: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """By op or asset."""

    def arguments(self) -> list[str]:
        """Return the options that say the same.

        Raises:
            RequestError: the config of an op or an asset has no fields.
        """
        for_ = [] if self.partition is None else [f"--partition={self.partition}"]
        return [*for_, *(f"--config={each}" for name, fields in self.config.items() for each in _said(name, fields))]

    def typed(self, job: AnyJob) -> str:
        """Return the command that asks for the same, as a person types it.

        Raises:
            RequestError: as `arguments`.
        """
        return shlex.join(["deltaworks", "job", "run", *self.arguments(), "--", job.name])


def config_models(sight: Sight, job: AnyJob) -> dict[str, tuple[type[Config], Config | None]]:
    """Return the ops of a job that take a config, with its type and what they have if nobody gives them any.

    Jobs of assets and of other code locations have none here; a text says what those are given.
    """
    if not isinstance(job, Job) or sight.project.workspace is not None:
        return {}
    steps = resolve_steps(job.graph, job.inputs)
    signatures = {".".join(path): node.op for path, node in steps.nodes.items()}
    return {
        name: (op.signature.config_model, op.config)
        for name, op in signatures.items()
        if op.signature.config_model is not None
    }


def read_config_text(text: str) -> dict[str, Any]:
    """Read a config that is written as YAML, or as JSON where no YAML is installed.

    Raises:
        RequestError: it is neither, or no mapping.
    """
    try:
        found = json.loads(text)
    except ValueError:
        found = _yaml(text)
    if not isinstance(found, dict):
        raise RequestError(f"The config must have fields by op or asset, not be a {type(found).__name__}.")
    return cast("dict[str, Any]", found)


def job_document(sight: Sight, job: AnyJob) -> dict[str, Any]:
    """Return all of a job, as `job print --json`.

    What only the code of another code location tells is null: its ops, and the schema of its config.
    """
    is_foreign = sight.project.workspace is not None
    if isinstance(job, Job):
        unknown: dict[str, Any] = {"ops": None, "config_schema": None}
        return job_json(job) | unknown if is_foreign else op_job_json(job, resolve_steps(job.graph, job.inputs))
    found = asset_job_json(job, sight.project.graph)
    return found | {"config_schema": None} if is_foreign else found


def launch_job(sight: Sight, launcher: Launcher, by: str, job: AnyJob, asked: JobRequest) -> dict[str, Any]:
    """Start a job, and return its run.

    Raises:
        RequestError: it has no such partition, or the config does not fit.
    """
    job_partition(job.name, partitions_of(sight.project, job, sight.at), asked.partition)
    arguments = asked.arguments()
    _refuse_unfit(sight.project, job, ConfigLayer("The config", asked.config))
    run_id = new_run_id(sight.at)
    launcher.start(run_id, ["job", "run", f"--run-id={run_id}", f"--tag=by={by}", *arguments, "--", job.name])
    return {"run_id": run_id, "status": "starting", "command": asked.typed(job)}


def _refuse_unfit(project: Project, job: AnyJob, given: ConfigLayer) -> None:
    """Refuse a config that does not fit, as far as that is known before the job's own code location sees it."""
    if isinstance(job, Job):
        if project.workspace is None:
            resolve_config(job, resolve_steps(job.graph, job.inputs), [given])
        return
    layers = [ConfigLayer(f"job {job.name!r} ({job.where})", job.config), given]
    if project.workspace is None:
        resolve_asset_config(project.graph, (), layers)
    else:
        refuse_unknown_config(project.graph, layers)


def _said(name: str, fields: object) -> Iterator[str]:
    """Yield what the command line says of an op or an asset: texts one by one, as people write them, else JSON."""
    if not isinstance(fields, Mapping):
        raise RequestError(f"The config of {name} must have fields, not be {fields!r}.")
    given = cast("Mapping[str, Any]", fields)
    if all(map(_is_plain, given.values())):
        yield from (f"{name}.{field}={value}" for field, value in given.items())
    else:
        yield f"{name}={json.dumps(given, default=str)}"


def _is_plain(value: object) -> bool:
    """Return whether the command line takes a value as it is."""
    return isinstance(value, str) and value.isprintable() and not value.startswith(("[", "{"))


def _yaml(text: str) -> object:
    try:
        # Looked up when it is needed: deltaworks itself does not depend on it.
        yaml: Any = importlib.import_module("yaml")
    except ImportError as error:
        raise RequestError("The config is not valid JSON; to read YAML, install PyYAML.") from error
    try:
        return yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise RequestError(f"The config is not valid: {' '.join(str(error).split())}.") from error
