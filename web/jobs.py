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
from deltaworks.engine.execution.entry import new_run_id
from deltaworks.engine.planning.job_config import ConfigLayer, resolve_config
from deltaworks.engine.planning.job_partition import job_partition
from deltaworks.engine.planning.step_graph import resolve_steps
from deltaworks.engine.workspace.jobs import partitions_of
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
        """Return the options that say the same."""
        for_ = [] if self.partition is None else [f"--partition={self.partition}"]
        return [*for_, *(f"--config={name}={value}" for name, value in _flat(self.config))]


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


def launch_job(sight: Sight, launcher: Launcher, by: str, job: AnyJob, asked: JobRequest) -> dict[str, Any]:
    """Start a job, and return its run.

    Raises:
        RequestError: it has no such partition, or the config does not fit.
    """
    job_partition(job.name, partitions_of(sight.project, job, sight.at), asked.partition)
    arguments = asked.arguments()
    if isinstance(job, Job) and sight.project.workspace is None:
        resolve_config(job, resolve_steps(job.graph, job.inputs), [ConfigLayer("The config", asked.config)])
    run_id = new_run_id(sight.at)
    launcher.start(run_id, ["job", "run", f"--run-id={run_id}", f"--tag=by={by}", *arguments, "--", job.name])
    typed = shlex.join(["deltaworks", "job", "run", *arguments, job.name])
    return {"run_id": run_id, "status": "starting", "command": typed}


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the dotted way to each field, and its value as the command line takes it."""
    for name, value in values.items():
        way = f"{prefix}{name}"
        if isinstance(value, Mapping):
            yield from _flat(cast("Mapping[str, Any]", value), f"{way}.")
        elif value is None:
            raise RequestError(f"The config says nothing of {way}: give it a value, or leave it out.")
        else:
            yield way, value if isinstance(value, str) else json.dumps(value, default=str)


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
