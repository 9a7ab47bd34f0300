"""AlertSettings: who is told of what goes wrong, and how they are reached. What may be secret is never shown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from deltaworks.engine.definitions.resources import MASK
from deltaworks.errors import InvalidSettings

_REFERENCE = "env:"
_NAME = re.compile("[A-Za-z0-9_-]{1,100}")


class AlertKind(StrEnum):
    """How somebody is reached."""

    WEBHOOK = "webhook"
    """JSON is posted to an address."""
    SLACK = "slack"
    """The same in the form that Slack takes, and others that are compatible with it."""
    EMAIL = "email"
    """A message goes by SMTP."""


class AlertOn(StrEnum):
    """What somebody is told of."""

    RUN_FAILURE = "run_failure"
    """A run ended with a failure, or was lost."""
    CHECK_FAILURE = "check_failure"
    """A check after a commit found that it does not hold."""
    LATE_FRESHNESS = "late_freshness"
    """An asset lags more than its policy allows."""
    AUTOMATION_ERROR = "automation_error"
    """A schedule, a sensor or a condition fails, or the project cannot be loaded."""


class Tls(StrEnum):
    """How a connection to a mail server is secured."""

    STARTTLS = "starttls"
    """It begins in the clear and goes on secured, or not at all."""
    TLS = "tls"
    """It is secured from its beginning."""
    NONE = "none"
    """It is not: for a server on the same machine."""


class AlertSettings(BaseModel):
    """One way to tell somebody."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    kind: AlertKind
    on: tuple[AlertOn, ...] = tuple(AlertOn)
    assets: tuple[str, ...] = ()
    """Patterns of asset keys, with `*` and `?`; none: all."""
    jobs: tuple[str, ...] = ()
    """Patterns of the names of jobs; none: all."""
    repeat_s: float = Field(default=14_400.0, ge=60, allow_inf_nan=False)
    """How long the same problem is not told again while it goes on."""
    resolved: bool = True
    """Whether it is told, too, that a problem is over."""
    timeout_s: float = Field(default=10.0, gt=0, le=60)
    """How long one step of sending may take."""
    url: str | None = None
    headers: dict[str, str] = {}
    ca_file: str | None = None
    """Certificates to trust in place of the system's."""
    host: str | None = None
    port: Annotated[int, Field(ge=1, le=65_535)] | None = None
    tls: Tls = Tls.STARTTLS
    user: str | None = None
    password: str | None = None
    sender: str | None = None
    to: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _is_whole(self) -> AlertSettings:
        """Refuse one by which nobody could be reached."""
        if not _NAME.fullmatch(self.name):
            raise ValueError("name must be letters, digits, dashes and underscores")
        is_mail = self.kind is AlertKind.EMAIL
        needed = ("host", "sender", "to") if is_mail else ("url",)
        lacking = next((each for each in needed if not getattr(self, each)), None)
        if lacking is not None:
            raise ValueError(f"an alert of kind {self.kind} needs {lacking}")
        others = ("url", "headers") if is_mail else ("host", "port", "tls", "user", "password", "sender", "to")
        needless = next((each for each in others if each in self.model_fields_set), None)
        if needless is not None:
            raise ValueError(f"an alert of kind {self.kind} has no {needless}")
        if self.url is not None and not self.url.startswith((_REFERENCE, "http://", "https://")):
            raise ValueError("url must begin with http:// or https://, or be env:NAME")
        if not self.on:
            raise ValueError("on is empty; leave it out to be told of everything")
        return self

    def is_about(self, assets: frozenset[str], job: str | None) -> bool:
        """Return whether something that concerns some assets and a job is to be told; nothing chosen means all."""
        if not self.assets and not self.jobs:
            return True
        of_asset = any(fnmatchcase(asset, pattern) for asset in assets for pattern in self.assets)
        return of_asset or (job is not None and any(fnmatchcase(job, pattern) for pattern in self.jobs))

    def below(self, folder: Path) -> AlertSettings:
        """Return it with its file of certificates named from the project's folder."""
        path = None if self.ca_file is None else str(folder / Path(self.ca_file).expanduser())
        return self if path is None else self.model_copy(update={"ca_file": path})

    def shown(self) -> Iterator[tuple[str, object]]:
        """Yield what it says as it may be shown: names of variables, and no value that may be secret."""
        for name, value in self:
            if name == "name" or name not in self.model_fields_set | {"on"}:
                continue
            if name in ("url", "user", "password"):
                yield name, _masked(value)
            elif name == "headers":
                yield from ((f"headers.{each}", _masked(text)) for each, text in self.headers.items())
            else:
                yield name, tuple(map(str, value)) if isinstance(value, tuple) else value  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


def read_secret(name: str, text: str, environ: Mapping[str, str]) -> str:
    """Return a value that may stand in a variable of the environment.

    Args:
        name: of the setting, for messages.
        text: the value, or `env:NAME`.
        environ: the variables.

    Raises:
        InvalidSettings: there is no such variable.
    """
    if not text.startswith(_REFERENCE):
        return text
    variable = text.removeprefix(_REFERENCE)
    if not environ.get(variable):
        raise InvalidSettings(f"{name} is env:{variable}, but the environment has no {variable}, or it is empty")
    return environ[variable]


def _masked(value: object) -> object:
    is_name = isinstance(value, str) and value.startswith(_REFERENCE)
    return f"${str(value).removeprefix(_REFERENCE)}" if is_name else None if value is None else MASK
