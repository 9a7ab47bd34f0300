"""Config: what a run may be told, as typed fields that are validated before anything starts."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict
from pydantic.json_schema import GenerateJsonSchema


class Config(BaseModel):
    """Base of an author's config: annotated fields, which an op or a whole job takes from the config of the run."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _AnySchema(GenerateJsonSchema):
    """Describes also what is no JSON."""

    ignored_warning_kinds: ClassVar[Any] = {"skipped-choice", "non-serializable-default"}

    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> dict[str, Any]:  # noqa: ARG002 - pydantic's
        return {}


def secret_problem(model: type[Config]) -> str | None:
    """Say why a config cannot be kept in the ledger; none: none of its fields is a secret."""
    schema = json.dumps(model.model_json_schema(schema_generator=_AnySchema))
    if '"writeOnly": true' in schema:
        return f"{model.__name__} has a secret, but config is kept in the ledger; give it to a Resource as an EnvVar"
    return None
