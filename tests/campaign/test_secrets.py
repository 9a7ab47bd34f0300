"""A secret that code prints, logs, raises, remembers, answers and warns with is written nowhere."""

from __future__ import annotations

import pytest

from tests.acceptance.conftest import Here, Project
from tests.campaign.recorder import recorded

CANARY = "canary-8c1f3b"
WAYS = ("printing", "logging", "raising", "remembering", "chaining", "checking")

MODULE = """
import logging

import polars as pl
from pydantic import SecretStr

import deltaworks as dw


class Service(dw.Resource):
    token: SecretStr


def rows() -> pl.LazyFrame:
    return pl.LazyFrame({"n": [1]})


@dw.asset
def printing(service: Service) -> pl.LazyFrame:
    print("with", service.token.get_secret_value(), service)
    return rows()


@dw.asset
def logging_(service: Service, log: dw.Logger) -> pl.LazyFrame:
    log.warning("with %s", service.token.get_secret_value())
    logging.getLogger("theirs").warning("with %s", service.token.get_secret_value())
    return rows()


@dw.asset
def raising(service: Service) -> pl.LazyFrame:
    raise ConnectionError(f"https://user:{service.token.get_secret_value()}@host refused")


@dw.asset
def remembering(service: Service) -> dw.MaterializeResult:
    return dw.MaterializeResult(rows(), metadata={"url": {"deep": [f"x{service.token.get_secret_value()}x"]}})


@dw.asset
def chaining(service: Service) -> pl.LazyFrame:
    try:
        raise KeyError(service.token.get_secret_value())
    except KeyError as error:
        raise RuntimeError("it went wrong") from error


@dw.asset
def checking() -> pl.LazyFrame:
    return rows()


@dw.asset_check(asset=checking, blocking=True)
def refusing(result: pl.LazyFrame, service: Service) -> dw.CheckResult:
    token = service.token.get_secret_value()
    return dw.CheckResult(passed=False, message=f"not with {token}", metadata={"token": token})


defs = dw.Definitions(
    assets=[printing, logging_, raising, remembering, chaining, checking], checks=[refusing],
    resources={"service": Service(token=dw.EnvVar("SERVICE_TOKEN"))},
)
"""


@pytest.mark.soak
def test_a_secret_is_written_nowhere(here: Here) -> None:
    here.write("deltaworks.toml", 'modules = ["leaking"]\n')
    here.write("leaking.py", MODULE)
    project = Project(here.folder)  # what calls print is told by the process itself
    with recorded("secrets") as row:
        for asset in WAYS:
            with row.one():
                name = f"{asset}_" if asset == "logging" else asset
                done = project.run("materialize", name, "--debug", SERVICE_TOKEN=CANARY)
                assert done.code == (name in ("raising", "chaining", "checking")), done.err
                told = [here.run(*command).out for command in (("runs", "show", "latest"), ("runs", "logs", "latest"))]
                assert CANARY not in "".join((done.out, done.err, *told))
                files = [file for file in here.folder.rglob("*") if file.is_file()]
                assert [file for file in files if CANARY.encode() in file.read_bytes()] == []
                assert any(b"$SERVICE_TOKEN" in file.read_bytes() for file in files) or name == "chaining"
        row.note = f"{len(files)} files of the lake and the project were searched, and all output with --debug"
