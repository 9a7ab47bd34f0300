"""StorageSettings: how an object store is reached, as a profile of the settings file says it."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict, Field, field_validator

from deltaworks.engine.workspace.variable import Variable
from deltaworks.io.stores.storage import SECRET, FromVariable, Patience, Storage


class StorageSettings(BaseModel):
    """One profile. What it does not say comes from the environment, as the cloud's own tools take it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    endpoint: str | Variable | None = None
    """Where the store is, if it is not the cloud's own: `http://127.0.0.1:9000`."""
    skip_signature: bool = False
    """Whether requests are sent without credentials, as to a public bucket."""
    region: str | Variable | None = None
    access_key_id: str | Variable | None = None
    secret_access_key: Variable | None = None
    session_token: Variable | None = None
    virtual_hosted_style: bool = False
    """Whether the bucket is part of the host's name."""
    service_account: str | Variable | None = None
    """The path of a key file of Google's."""
    service_account_key: Variable | None = None
    """What stands in such a file."""
    application_credentials: str | Variable | None = None
    """The path of a file that `gcloud` has written."""
    account_name: str | Variable | None = None
    account_key: Variable | None = None
    sas_token: Variable | None = None
    tenant_id: str | Variable | None = None
    client_id: str | Variable | None = None
    client_secret: Variable | None = None
    timeout_s: float = Field(default=30.0, gt=0, le=3600)
    """How long one try of a request may take."""
    max_retries: int = Field(default=8, ge=0, le=100)
    """How often a request is tried again that failed."""
    retry_timeout_s: float = Field(default=60.0, gt=0, le=3600)
    """After how long it is given up."""

    @field_validator(*sorted(SECRET), mode="before")
    @classmethod
    def _stands_in_a_variable(cls, value: object) -> object:
        """Refuse a secret in the file, from where it would get into processes, and into repositories."""
        if isinstance(value, str):
            raise ValueError('a secret is not written here; put it in a variable and write { env = "NAME" }')
        return value

    def storage(self, name: str) -> Storage:
        """Return it as stores are opened by."""
        return Storage(name, tuple(self._options()), Patience(self.timeout_s, self.max_retries, self.retry_timeout_s))

    @property
    def variables(self) -> frozenset[str]:
        """The variables that it reads."""
        return frozenset(value.name for _, value in self._options() if isinstance(value, FromVariable))

    def shown(self) -> Iterator[tuple[str, object]]:
        """Yield what it says, with names of variables and not their values."""
        for name in sorted(self.model_fields_set):
            value: object = getattr(self, name)
            yield name, f"${value.env}" if isinstance(value, Variable) else value

    def _options(self) -> Iterator[tuple[str, str | FromVariable]]:
        for name in type(self).model_fields:
            value: object = getattr(self, name)
            match value:
                case Variable():
                    yield name, FromVariable(value.env)
                case str():
                    yield name, value
                case True:
                    yield name, "true"
                case _:
                    pass  # nothing is said, or how patient to be
