"""Environments: what the settings give to resources, and what of it is refused."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from pydantic import SecretStr

import deltaworks as dw
from deltaworks.engine.workspace.environments import Environment
from deltaworks.errors import InvalidSettings


class Client(dw.Resource):
    token: SecretStr
    retries: int = 3


class Shop(dw.Resource):
    client: Client


def project() -> dw.Definitions:
    client = Client(token=SecretStr("none"))
    return dw.Definitions(resources={"client": client, "shop": Shop(client=client)})


def of(**resources: Any) -> Environment:
    return Environment("prod", "deltaworks.toml", resources)


def test_values_take_the_place_of_those_in_the_code_also_in_the_fields_of_others() -> None:
    found: Any = of(client={"token": dw.EnvVar("TOKEN"), "retries": 5}).applied_to(project()).resources

    assert found["shop"].client is found["client"]
    assert found["client"].retries == 5
    assert found["client"].resolve({"TOKEN": "s3cr3t"}).token.get_secret_value() == "s3cr3t"


def test_an_environment_travels_to_other_processes_with_the_names_of_variables() -> None:
    environment = of(client={"token": dw.EnvVar("TOKEN")})

    assert pickle.loads(pickle.dumps(environment)) == environment


@pytest.mark.parametrize(
    ("resources", "told"),
    [
        ({"clint": {}}, "environments.prod.resources.clint: there is no resource 'clint'. Did you mean 'client'?"),
        ({"client": {"tokn": 1}}, "resources.client: Client has no field 'tokn'. Did you mean 'token'?"),
        ({"client": {"retries": "canary"}}, "resources.client: retries: Input should be a valid integer"),
        ({"client": {"token": dw.EnvVar("T"), "retries": "canary"}}, "resources.client: retries: Input should be"),
        ({"shop": {"client": {}}}, "environments.prod.resources.shop.client is a resource; give it a name of its own"),
    ],
)
def test_what_does_not_fit_is_refused_without_the_value(resources: Any, told: str) -> None:
    with pytest.raises(InvalidSettings) as refused:
        of(**resources).applied_to(project())

    assert told in str(refused.value)
    assert "canary" not in str(refused.value)
