"""Config: what a run may be told, as typed fields that are validated before anything starts."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Config(BaseModel):
    """Base of an author's config: annotated fields, which an op or a whole job takes from the config of the run."""

    model_config = ConfigDict(extra="forbid", frozen=True)
