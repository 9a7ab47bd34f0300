"""Storage: how an object store is reached, told once for obstore, delta-rs and Polars.

What a profile does not say comes from the environment of the process, as each of the three reads it: `AWS_*`,
`AZURE_*`, `GOOGLE_*`, and the credentials that a cloud gives to its machines.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from deltaworks.errors import InvalidSettings, did_you_mean

OPTIONS: Mapping[str, Mapping[str, str]] = {
    "s3": {
        "access_key_id": "aws_access_key_id",
        "secret_access_key": "aws_secret_access_key",
        "session_token": "aws_session_token",
        "region": "aws_region",
        "endpoint": "aws_endpoint",
        "virtual_hosted_style": "aws_virtual_hosted_style_request",
        "skip_signature": "aws_skip_signature",
    },
    "gs": {
        "service_account": "google_service_account",
        "service_account_key": "google_service_account_key",
        "application_credentials": "google_application_credentials",
        "endpoint": "google_base_url",
        "skip_signature": "google_skip_signature",
    },
    "az": {
        "account_name": "azure_storage_account_name",
        "account_key": "azure_storage_account_key",
        "sas_token": "azure_storage_sas_key",
        "tenant_id": "azure_storage_tenant_id",
        "client_id": "azure_storage_client_id",
        "client_secret": "azure_storage_client_secret",
        "endpoint": "azure_storage_endpoint",
        "skip_signature": "azure_skip_signature",
    },
}
"""By scheme, what a profile may say, and what the libraries call it."""

SECRET = frozenset({"secret_access_key", "session_token", "service_account_key", "account_key", "sas_token"}) | {
    "client_secret"
}
"""What stands in a variable of the environment and nowhere else."""

VARIABLES = ("AWS_", "AZURE_", "GOOGLE_")
"""How the variables begin that the libraries read."""


_ENDPOINTS = {
    "s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
    "gs": ("GOOGLE_BASE_URL",),
    "az": ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
}
"""By scheme, the variables that name another place than the cloud's own; whoever names one without TLS means it."""


@dataclass(frozen=True, slots=True)
class FromVariable:
    """A value that stands in a variable of the environment; every process reads its own."""

    name: str


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a request to an object store is waited for and tried again."""

    timeout_s: float = 30.0
    """How long one try may take."""
    max_retries: int = 8
    retry_timeout_s: float = 60.0
    """After so long nothing is tried again."""

    def pauses_s(self) -> Iterator[float]:
        """Yield how long to wait before each further try, until it is time to give up."""
        end_s, longest_s = time.monotonic() + self.retry_timeout_s, _FIRST_PAUSE_S
        while time.monotonic() < end_s:
            yield random.uniform(0, longest_s)  # noqa: S311 - nothing depends on it but who comes first
            longest_s = min(2 * longest_s, _LONGEST_PAUSE_S)


_PATIENCE = Patience()
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 10.0
"""The pauses between tries double from the first to the longest; each is taken at random up to that."""


@dataclass(frozen=True, slots=True)
class Storage:
    """A profile: what is said about object stores of one kind. It pickles, with names of variables, not their values.

    Nothing said at all is the environment alone.
    """

    name: str = ""
    options: tuple[tuple[str, str | FromVariable], ...] = ()
    """By the names of `OPTIONS`."""
    patience: Patience = _PATIENCE

    def refuse_unfit(self, scheme: str) -> None:
        """Make sure that it says nothing that stores of a kind do not know.

        Raises:
            InvalidSettings: it does.
        """
        known = OPTIONS[scheme]
        for name, _ in self.options:
            if name not in known:
                hint = did_you_mean(name, known, otherwise=f" Known are {', '.join(known)}.")
                raise InvalidSettings(f"storage {self.name!r}: {scheme}:// has no option {name!r}.{hint}")

    def resolved(self, scheme: str) -> dict[str, str]:
        """Return what is said, by the names of the libraries, with the values of variables.

        Raises:
            InvalidSettings: there is no such variable.
        """
        self.refuse_unfit(scheme)
        found = {OPTIONS[scheme][name]: self._value(name, value) for name, value in self.options}
        own = found.get(OPTIONS[scheme]["endpoint"])
        endpoints = [own] if own else [os.environ.get(name, "") for name in _ENDPOINTS[scheme]]
        if any(urlsplit(each).scheme == "http" for each in endpoints):
            found["allow_http"] = "true"
        return found

    def for_delta(self, scheme: str) -> dict[str, str]:
        """Return the options of delta-rs."""
        patience = self.patience
        return self.resolved(scheme) | {
            "timeout": f"{patience.timeout_s:g}s",
            "max_retries": str(patience.max_retries),
            "retry_timeout": f"{patience.retry_timeout_s:g}s",
            "backoff_config.init_backoff": f"{_FIRST_PAUSE_S:g}s",
            "backoff_config.max_backoff": f"{_LONGEST_PAUSE_S:g}s",
        }

    def for_polars(self, scheme: str) -> dict[str, Any]:
        """Return the options of Polars."""
        patience = self.patience
        return self.resolved(scheme) | {
            "timeout": f"{patience.timeout_s:g}s",
            "max_retries": patience.max_retries,
            "retry_timeout_ms": round(patience.retry_timeout_s * 1000),
            "retry_init_backoff_ms": round(_FIRST_PAUSE_S * 1000),
            "retry_max_backoff_ms": round(_LONGEST_PAUSE_S * 1000),
        }

    def for_obstore(self, scheme: str) -> dict[str, Any]:
        """Return the arguments of obstore's stores, beside the bucket."""
        patience, config = self.patience, self.resolved(scheme)
        client: dict[str, Any] = {"timeout": f"{patience.timeout_s:g}s"}
        if config.pop("allow_http", None):
            client["allow_http"] = True
        return {
            "config": config or None,
            "client_options": client,
            "retry_config": {
                "max_retries": patience.max_retries,
                "retry_timeout": timedelta(seconds=patience.retry_timeout_s),
                "backoff": {
                    "init_backoff": timedelta(seconds=_FIRST_PAUSE_S),
                    "max_backoff": timedelta(seconds=_LONGEST_PAUSE_S),
                    "base": 2,
                },
            },
        }

    def _value(self, option: str, value: str | FromVariable) -> str:
        if isinstance(value, str):
            return value
        found = os.environ.get(value.name)
        if not found:
            raise InvalidSettings(
                f"storage {self.name!r}: {option} stands in the variable {value.name}, but the environment has no "
                f"{value.name}, or it is empty"
            )
        return found


@dataclass(frozen=True, slots=True)
class Storages:
    """The profiles of a project."""

    profiles: tuple[Storage, ...] = ()

    def named(self, name: str | None, what: str) -> Storage:
        """Return a profile; without a name the environment alone. `what` asks for it, for a sentence.

        Raises:
            InvalidSettings: there is no such profile.
        """
        if name is None:
            return Storage()
        found = next((each for each in self.profiles if each.name == name), None)
        if found is None:
            known: Iterable[str] = [each.name for each in self.profiles]
            hint = did_you_mean(name, list(known), otherwise=f" Write [storage.{name}] into the settings.")
            raise InvalidSettings(f"{what}: there is no storage {name!r}.{hint}")
        return found
