"""Resources: nested, made ready for a run, and silent about what the environment told them."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pydantic import Json, PrivateAttr, Secret, SecretStr

import deltaworks as dw
from deltaworks.engine.execution.resource_scope import resource_scope
from deltaworks.errors import InvalidSettings, RunError


class Client(dw.Resource):
    token: str


class Warehouse(dw.Resource):
    client: Client
    url: str = "nowhere"
    _seen: list[str] = PrivateAttr(default_factory=list)

    @contextmanager
    def for_run(self) -> Iterator[Any]:
        self._seen.append(f"open with {self.client.token}")
        yield self
        if self.url == "stuck":
            raise OSError("it does not close")


def test_what_the_environment_says_is_shown_and_pickled_by_its_variable() -> None:
    resolved = Warehouse(client=Client(token=dw.EnvVar("TOKEN"))).resolve({"TOKEN": "s3cr3t"})

    assert resolved.client.token == "s3cr3t"
    assert "s3cr3t" not in f"{resolved} {resolved!r}"
    assert "EnvVar('TOKEN')" in repr(resolved)
    content = pickle.dumps(resolved)
    assert b"s3cr3t" not in content
    assert pickle.loads(content).resolve({"TOKEN": "other"}).client.token == "other"


def test_a_variable_that_is_not_set_is_refused_also_in_a_field() -> None:
    with pytest.raises(InvalidSettings, match="resource Client takes 'token' from the environment variable TOKEN"):
        Warehouse(client=Client(token=dw.EnvVar("TOKEN"))).resolve({})


def test_resources_are_made_ready_with_those_in_their_fields() -> None:
    warehouse = Warehouse(client=Client(token=dw.EnvVar("TOKEN")))

    with resource_scope([warehouse, warehouse], {"TOKEN": "s3cr3t"}) as scope:
        ready: Any = scope.of(warehouse)
        assert ready._seen == ["open with s3cr3t"]
        assert scope.masked("it is s3cr3t") == "it is $TOKEN"


class Several(dw.Resource):
    by_name: dict[str, SecretStr]
    listed: list[SecretStr]
    any_type: Secret[str]
    port: int
    parsed: Json[Any]
    is_on: bool


def test_secrets_are_found_in_whatever_holds_them_and_as_the_environment_has_them() -> None:
    several = Several(
        by_name={"name": SecretStr("value-1")},
        listed=[SecretStr("value-2")],
        any_type=Secret("value-3"),
        port=dw.EnvVar("PORT"),
        parsed=dw.EnvVar("PARSED"),
        is_on=dw.EnvVar("IS_ON"),
    )
    resolved = several.resolve({"PORT": "05432", "PARSED": '{"name": ["value-4"]}', "IS_ON": "true"})

    mask = "**********"
    assert list(resolved.hidden()) == [
        ("value-1", mask),
        ("value-2", mask),
        ("value-3", mask),
        ("05432", "$PORT"),
        ("5432", "$PORT"),
        ('{"name": ["value-4"]}', "$PARSED"),
        ("value-4", "$PARSED"),
    ]
    assert pickle.loads(pickle.dumps(several)).resolve({"PORT": "1", "PARSED": "1", "IS_ON": "1"}).port == 1
    assert b"05432" not in pickle.dumps(resolved)
    assert "value" not in f"{resolved!r}"


class Talking(Client):
    @contextmanager
    def for_run(self) -> Iterator[Any]:
        print("opened with", self.token)
        yield self
        print("closed with", self.token)


def test_what_resources_print_has_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    talking = Talking(token=dw.EnvVar("TOKEN"))

    with resource_scope([talking], {"TOKEN": "s3cr3t"}) as scope:
        scope.of(talking)
        assert capsys.readouterr().out == "opened with $TOKEN\n"

    assert capsys.readouterr().out == "closed with $TOKEN\n"


def test_what_cannot_be_put_away_is_told() -> None:
    stuck = Warehouse(client=Client(token="none"), url="stuck")

    with (
        pytest.raises(RunError, match="a resource could not be put away: OSError: it does not close"),
        resource_scope([stuck], {}) as scope,
    ):
        scope.of(stuck)
