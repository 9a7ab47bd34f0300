"""Jobs: which there are, and the form in which one is told what to do."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic.errors import PydanticInvalidForJsonSchema

from deltaworks.engine.definitions.definitions import AnyJob
from deltaworks.engine.definitions.ops.config import Config
from deltaworks.engine.definitions.ops.job import Job
from deltaworks.engine.workspace.jobs import partitions_of
from deltaworks.web.jobs import config_models
from deltaworks.web.views.run_row import RunRow, run_row
from deltaworks.web.workspace import Sight

SHOWN_RUNS = 10


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job in a line."""

    name: str
    made_of: str
    partitions: str
    description: str
    last: RunRow | None


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the form."""

    name: str
    """Of the input: the op, a dot and the field."""
    label: str
    kind: str
    """Its type, as Python writes it."""
    told: str
    is_needed: bool
    value: str
    choices: tuple[str, ...]
    """All that it may be; empty: that cannot be listed."""
    problem: str | None


@dataclass(frozen=True, slots=True)
class JobView:
    """The page of a job."""

    row: JobRow
    has_partitions: bool
    newest: str
    """The last partition that there is; empty: there is none."""
    fields: tuple[tuple[str, tuple[Field, ...]], ...]
    """By op."""
    given: Mapping[str, str]
    """What was filled in."""
    problem: str | None
    """Why it was not started."""
    runs: tuple[RunRow, ...]
    where: str


def jobs_view(sight: Sight) -> tuple[JobRow, ...]:
    """Return which jobs there are."""
    return tuple(_row(sight, job) for job in sight.project.definitions.jobs.values())


def job_view(sight: Sight, job: AnyJob, given: Mapping[str, str], problem: str | None = None) -> JobView:
    """Return a job with the form that starts it.

    Args:
        sight: the lake as it is.
        job: the job.
        given: what was filled in before; nothing for a new form.
        problem: why that was refused.
    """
    partitions = partitions_of(sight.project, job, sight.at)
    runs = [run for run in reversed(sight.observation.runs) if run.job == job.name]
    models = config_models(sight, job)
    return JobView(
        row=_row(sight, job),
        has_partitions=bool(partitions.dimensions),
        newest=partitions.key(partitions.size - 1) if partitions.dimensions and partitions.size else "",
        fields=tuple((op, tuple(_fields(op, model, base, given))) for op, (model, base) in models.items()),
        given=given,
        problem=problem,
        runs=tuple(run_row(sight, run) for run in runs[:SHOWN_RUNS]),
        where=sight.from_folder(job.where),
    )


def config_of(fields: Mapping[str, str]) -> dict[str, Any]:
    """Return the config that the fields of a form say; what is left empty is not given."""
    found: dict[str, Any] = {}
    for name, text in fields.items():
        if name.startswith("config.") and text:
            *path, last = name.removeprefix("config.").split(".")
            place = found
            for part in path:
                place = place.setdefault(part, {})
            place[last] = json.loads(text) if text.startswith(("[", "{")) and _is_json(text) else text
    return found


def _row(sight: Sight, job: AnyJob) -> JobRow:
    last = next((run for run in reversed(sight.observation.runs) if run.job == job.name), None)
    count = sight.project.op_counts.get(job.name, 0)
    made_of = f"{count} op{'' if count == 1 else 's'}" if isinstance(job, Job) else f"assets {' '.join(job.selection)}"
    return JobRow(
        job.name,
        made_of,
        str(job.partitions) if job.partitions.dimensions else "",
        job.description,
        None if last is None else run_row(sight, last),
    )


def _fields(op: str, model: type[Config], base: Config | None, given: Mapping[str, str]) -> Iterator[Field]:
    problems = _problems(op, model, base, given) if given else {}
    before = {} if base is None else base.model_dump(mode="json")
    choices = _choices(model)
    for name, info in model.model_fields.items():
        shown = before.get(name, None if info.is_required() else info.get_default(call_default_factory=True))
        key = f"config.{op}.{name}"
        yield Field(
            key,
            name,
            getattr(info.annotation, "__name__", str(info.annotation)),
            info.description or "",
            info.is_required() and name not in before,
            given.get(key, _text(shown)),
            choices.get(name, ()),
            problems.get(name),
        )


def _choices(model: type[Config]) -> dict[str, tuple[str, ...]]:
    """Return by field what it may be, where the model lists that."""
    try:
        schema = model.model_json_schema(by_alias=False)
    except PydanticInvalidForJsonSchema:
        return {}  # a type of somebody's own, which says of itself what fits
    found: dict[str, tuple[str, ...]] = {}
    for name, told in schema.get("properties", {}).items():
        meant = schema["$defs"][told["$ref"].rpartition("/")[2]] if "$ref" in told else told
        listed = [True, False] if meant.get("type") == "boolean" else meant.get("enum", [])
        found[name] = tuple(map(_text, listed))
    return found


def _problems(op: str, model: type[Config], base: Config | None, given: Mapping[str, str]) -> dict[str, str]:
    """Return what is wrong with each field, as its type says."""
    values: Any = config_of({name: text for name, text in given.items() if name.startswith(f"config.{op}.")})
    for part in op.split("."):
        values = values.get(part, {})
    try:
        model.model_validate({**({} if base is None else base.model_dump()), **values})
    except ValidationError as error:
        return {str(each["loc"][0]): each["msg"] for each in error.errors(include_url=False) if each["loc"]}
    return {}


def _text(value: object) -> str:
    """Return a value as a field of a form shows it."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
