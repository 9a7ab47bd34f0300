"""Config: what a run may be told, as typed fields that are validated before anything starts."""

from __future__ import annotations

import json
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Secret
from pydantic.errors import PydanticUserError
from pydantic.json_schema import GenerateJsonSchema


class Config(BaseModel):
    """Base of an author's config: annotated fields, which an op or a whole job takes from the config of the run."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AnySchema(GenerateJsonSchema):
    """Describes also what is no JSON."""

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012 - as the base has it

    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> dict[str, Any]:  # noqa: ARG002 - pydantic's
        """Say that anything may stand there."""
        return {}


def secret_problem(model: type[Config]) -> str | None:
    """Say why a config cannot be kept in the ledger; none: none of its fields is a secret."""
    try:
        schema = json.dumps(model.model_json_schema(schema_generator=AnySchema))
    except PydanticUserError:
        return None  # a type that it names is not defined yet
    if '"writeOnly": true' in schema or _has_secret(model, frozenset()):
        return f"{model.__name__} has a secret, but config is kept in the ledger; give it to a Resource as an EnvVar"
    return None


def _has_secret(annotation: Any, outer: frozenset[Any]) -> bool:
    """Return whether a type is pydantic's `Secret`, which no schema tells of, or has one."""
    if get_origin(annotation) is Secret:
        return True
    if isinstance(annotation, type) and issubclass(annotation, BaseModel) and annotation not in outer:
        inner = [field.annotation for field in annotation.model_fields.values()]
        return any(_has_secret(each, outer | {annotation}) for each in inner)
    return any(_has_secret(each, outer) for each in get_args(annotation))
