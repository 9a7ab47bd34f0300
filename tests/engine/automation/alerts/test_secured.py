"""Mail, and what is sent over secured wires: by real servers, with certificates made here."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from deltaworks.engine.workspace.alert_settings import AlertSettings
from deltaworks.io.alerts import Outcome, deliveries
from deltaworks.io.run_entry import RunStatus
from tests.engine.automation.alerts.servers import Received, mailbox, webhook
from tests.engine.automation.alerts.stage import Stage, hooked

PASSWORD = "hunter2"


def certificate(folder: Path, name: str = "IP:127.0.0.1") -> tuple[ssl.SSLContext, str]:
    """A server's side of a certificate that it has signed itself, and the file by which others trust it."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl to make a certificate with")
    key, file = folder / "key.pem", folder / "certificate.pem"
    made = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    named = ["-subj", "/CN=a test", "-addext", f"subjectAltName={name}"]
    command = [openssl, "req", *made, *named, "-keyout", str(key), "-out", str(file)]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key)
    return context, str(file)


def mail(box: Received, **more: Any) -> AlertSettings:
    settings: Mapping[str, Any] = {
        "name": "mail",
        "kind": "email",
        "host": "127.0.0.1",
        "port": box.port,
        "user": "me",
        "password": "env:PASSWORD",
        "sender": "lake@example.com",
        "to": ["oncall@example.com", "team@example.com"],
        "timeout_s": 5,
    }
    return AlertSettings.model_validate({**settings, **more})


def told(folder: Path, alert: AlertSettings) -> tuple[Outcome, str | None]:
    """What comes of the one message about a run that failed."""
    stage = Stage(folder, alert, PASSWORD=PASSWORD)
    stage.end_run("r1", RunStatus.FAILURE, job="nightly")
    stage.look()
    (message,) = deliveries(stage.store)
    return message.outcome, message.error


def test_mail_goes_by_smtp(tmp_path: Path) -> None:
    with mailbox() as box:
        assert told(tmp_path, mail(box, tls="none")) == (Outcome.SENT, None)

    (sent,) = box.documents
    assert "Subject: [deltaworks] job nightly failed" in sent
    assert "To: oncall@example.com, team@example.com" in sent
    assert "To look further: deltaworks runs show r1" in sent
    assert box.headers[0]["AUTH"].startswith("AUTH PLAIN ")


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_mail_and_its_password_go_secured(tmp_path: Path, tls: str) -> None:
    context, file = certificate(tmp_path)

    with mailbox(context, tls) as box:
        assert told(tmp_path, mail(box, tls=tls, ca_file=file)) == (Outcome.SENT, None)

    assert "Subject: [deltaworks] job nightly failed" in box.documents[0]
    assert box.headers[0]["secured"] == "True"


@pytest.mark.parametrize("tls", ["starttls", "tls"])
@pytest.mark.parametrize("name", [None, "DNS:elsewhere.example.com"])
def test_a_server_that_is_not_trusted_is_told_nothing(tmp_path: Path, tls: str, name: str | None) -> None:
    """Nobody trusts its certificate, or it is one of another host."""
    context, file = certificate(tmp_path, name or "IP:127.0.0.1")

    with mailbox(context, tls) as box:
        outcome, error = told(tmp_path, mail(box, tls=tls, ca_file=file if name else None))

    assert outcome is Outcome.WAITING
    assert "certificate verify failed" in (error or "")
    assert (box.documents, box.headers) == ([], [])


def test_a_server_that_offers_no_tls_gets_no_password(tmp_path: Path) -> None:
    with mailbox() as box:
        outcome, error = told(tmp_path, mail(box, tls="starttls"))

    assert outcome is Outcome.WAITING
    assert "STARTTLS" in (error or "")
    assert (box.documents, box.headers) == ([], [])


def test_a_webhook_is_trusted_by_a_file_of_certificates(tmp_path: Path) -> None:
    context, file = certificate(tmp_path)

    with webhook(context) as hook:
        outcome, error = told(tmp_path / "one", hooked(hook))
        assert told(tmp_path / "other", hooked(hook, ca_file=file)) == (Outcome.SENT, None)

    assert (outcome, hook.titles) == (Outcome.WAITING, ["job nightly failed"])
    assert "certificate verify failed" in (error or "")
