"""Config is kept in the ledger, so that no field of it may be a secret."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pydantic import Secret, SecretStr

import deltaworks as dw
from deltaworks.errors import InvalidDefinition

REFUSED = "has a secret, but config is kept in the ledger; give it to a Resource as an EnvVar"


class Plain(dw.Config):
    call: Callable[[], None] = print
    most: int = 1


class Secretive(Plain):
    token: SecretStr = SecretStr("none")


class AnyType(dw.Config):
    tokens: list[Secret[str]] | None = None
    inner: AnyType | None = None


class Later(dw.Config):
    what: Undefined  # type: ignore[name-defined]  # noqa: F821  # pyright: ignore


class Listed(dw.Config):
    tokens: list[SecretStr]


def test_an_op_whose_config_has_a_secret_is_refused() -> None:
    with pytest.raises(InvalidDefinition, match=f"op 'one': Secretive {REFUSED}"):

        @dw.op
        def one(config: Secretive) -> None: ...

    with pytest.raises(InvalidDefinition, match=f"op 'two': Listed {REFUSED}"):

        @dw.op
        def two(config: Listed) -> None: ...

    with pytest.raises(InvalidDefinition, match=f"op 'any_type': AnyType {REFUSED}"):

        @dw.op
        def any_type(config: AnyType) -> None: ...

    with pytest.raises(InvalidDefinition, match=f"op 'three': Secretive {REFUSED}"):

        @dw.op(config=Secretive())
        def three(config: Plain) -> None: ...


def test_an_op_may_come_before_what_its_config_names() -> None:
    @dw.op
    def early(config: Later) -> None: ...

    assert early.signature.config_model is Later


def test_a_job_whose_shared_config_has_a_secret_is_refused() -> None:
    @dw.op
    def one(config: Plain) -> None: ...

    @dw.graph
    def alone() -> None:
        one()

    assert alone.to_job(config=Plain()).shared_config == Plain()
    with pytest.raises(InvalidDefinition, match=f"job 'alone': Secretive {REFUSED}"):
        alone.to_job(config=Secretive())
