"""Secrets: they are found in whatever shape a text has them."""

from __future__ import annotations

import logging
import traceback
from threading import Thread

import pytest

import deltaworks as dw
from deltaworks.engine.execution.asset_resources import AssetResources
from deltaworks.engine.execution.given import describe
from deltaworks.engine.execution.resource_scope import ResourceScope, resource_scope
from deltaworks.engine.execution.secret_values import SecretValues
from deltaworks.errors import DeltaworksError, RunError

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


def test_what_an_object_store_says_of_a_request_that_it_refused_is_not_kept() -> None:
    told = "403 Forbidden: <Error><Code>AccessDenied</Code><Message>No.</Message><Token>s3cr3t</Token></Error>"

    assert SecretValues().masked(f"PermissionError: {told}") == "PermissionError: 403 Forbidden: AccessDenied, No."


TOKEN = "s3cr3t-value"


def raised(error: Exception) -> Exception:
    """The error, as it is when it was raised because of another one that says the secret, too."""
    error.add_note(f"with {TOKEN}")
    try:
        try:
            raise KeyError(TOKEN)
        except KeyError as first:
            raise error from first
    except Exception as caught:  # noqa: BLE001 - it is what the story is about
        return caught


@pytest.mark.parametrize(
    "error",
    [
        OSError(2, f"no entry with {TOKEN}"),
        ExceptionGroup("all of them", [ValueError(TOKEN)]),
        RunError("it is not there"),
        RunError(f"{TOKEN} is refused"),
    ],
)
def test_an_error_that_gets_out_shows_no_secret_in_whatever_it_holds_it(error: Exception) -> None:
    with (
        pytest.raises(DeltaworksError) as caught,
        resource_scope([Signer(key=dw.EnvVar("KEY"))], {"KEY": TOKEN}),
    ):
        raise raised(error)

    shown = "".join(traceback.format_exception(caught.value))
    assert TOKEN not in shown
    assert "KeyError: '$KEY'" in shown
    assert "with $KEY" in shown


def test_an_error_without_a_secret_gets_out_as_it_is() -> None:
    error, signer = ValueError("something else"), Signer(key=dw.EnvVar("KEY"))

    with pytest.raises(ValueError, match="else") as caught, resource_scope([signer], {"KEY": PEM}):
        raise error

    assert caught.value is error
    assert error.__cause__ is None


def test_whatever_the_process_logs_or_prints_in_any_thread_has_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    def talk() -> None:
        print("printed", TOKEN)
        try:
            raise OSError(2, TOKEN)
        except OSError:
            logger.exception("logged %s", TOKEN)

    lines: list[str] = []
    logger, own = logging.getLogger("authors.own"), logging.Handler()
    own.emit = lambda record: lines.append(own.format(record))  # type: ignore[method-assign]
    logger.addHandler(own)
    before = logging.getLogRecordFactory()

    with resource_scope([Signer(key=dw.EnvVar("KEY"))], {"KEY": TOKEN}):
        thread = Thread(target=talk)
        thread.start()
        thread.join()
    logger.removeHandler(own)

    assert capsys.readouterr().out == "printed $KEY\n"
    assert TOKEN not in str(lines)
    assert lines[0].startswith("logged $KEY\nTraceback")
    assert "[Errno 2] $KEY" in lines[0]
    assert logging.getLogRecordFactory() is before
