"""Secrets: they are found in whatever shape a text has them."""

from __future__ import annotations

import deltaworks as dw
from deltaworks.engine.execution.asset_resources import AssetResources
from deltaworks.engine.execution.given import describe
from deltaworks.engine.execution.resource_scope import ResourceScope
from deltaworks.engine.execution.secret_values import SecretValues

PEM = "-----BEGIN KEY-----\nMIIEvQIBADANBg\r\n  kqhkiG9w0BAQEF\nAAo=\n-----END KEY-----\n"


class Signer(dw.Resource):
    key: str


def secrets() -> SecretValues:
    return SecretValues.of([Signer(key=dw.EnvVar("KEY")).resolve({"KEY": PEM})])


def test_a_secret_of_several_lines_is_found_whole_on_one_line_and_line_by_line() -> None:
    masked = secrets().masked

    assert masked(f"it is {PEM}") == "it is $KEY"
    assert masked(describe(ValueError(f"no key: {PEM}"), "")) == "ValueError: no key: $KEY"
    assert [masked(line) for line in PEM.split("\n")] == ["$KEY", "$KEY\r", "  $KEY", "AAo=", "$KEY", ""]


def test_metadata_has_a_secret_neither_in_a_name_nor_in_a_value() -> None:
    resources = AssetResources({}, ResourceScope([Signer(key=dw.EnvVar("KEY"))], {"KEY": "s3cr3t"}))

    kept = resources.without_secrets({"by s3cr3t": 1, "of": [{"s3cr3t": "s3cr3t"}]})

    assert kept == {"by $KEY": 1, "of": [{"$KEY": "$KEY"}]}
