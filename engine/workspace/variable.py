"""Variable: a value of the settings file that stands in the environment: `{ env = "NAME" }`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Variable(BaseModel):
    """A variable that is read from those of whoever starts a process."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    env: str = Field(min_length=1)
