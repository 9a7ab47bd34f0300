"""Send: one message over the wire, in bounded time. What is secret stands in no error."""

from __future__ import annotations

import http.client
import json
import smtplib
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from email.message import EmailMessage
from typing import IO
from urllib.parse import urlsplit

from deltaworks.engine.definitions.resources import MASK
from deltaworks.engine.workspace.alert_settings import AlertKind, AlertSettings, Tls, read_secret
from deltaworks.errors import AlertNotSent, InvalidSettings
from deltaworks.io.alerts import Message

_MOST_ANSWER = 300

_MOST_STEPS = 6
"""How many times as long as one step may take all of sending may: a server may answer, but a letter at a time."""


def send(alert: AlertSettings, message: Message, lake: str, environ: Mapping[str, str]) -> None:
    """Send a message.

    Args:
        alert: how somebody is reached.
        message: what is said.
        lake: where the lake is, so that whoever is on call knows which one it is.
        environ: where secrets stand.

    Raises:
        AlertNotSent: it was not taken, for all that is known.
    """
    try:
        _within(_MOST_STEPS * alert.timeout_s, lambda: _send(alert, message, lake, environ))
    except (InvalidSettings, OSError, ValueError, http.client.HTTPException, smtplib.SMTPException) as error:
        raise AlertNotSent(alert.name, _without_secrets(alert, error, environ)) from None  # its text may have a secret


def _send(alert: AlertSettings, message: Message, lake: str, environ: Mapping[str, str]) -> None:
    match alert.kind:
        case AlertKind.WEBHOOK:
            _post(alert, message.to_json() | {"lake": lake, "text": text_of(message, lake)}, environ)
        case AlertKind.SLACK:
            _post(alert, {"text": f"*{message.title}*\n{text_of(message, lake)}"}, environ)
        case AlertKind.EMAIL:
            _mail(alert, message, lake, environ)


def _within(seconds: float, work: Callable[[], None]) -> None:
    """Do something in a thread of its own, and leave it there if it takes longer."""
    done = Future[None]()

    def do() -> None:
        try:
            work()
            done.set_result(None)
        except Exception as error:  # noqa: BLE001 - whoever waits gets it
            done.set_exception(error)

    threading.Thread(target=do, name="deltaworks-alert", daemon=True).start()
    if not wait([done], seconds).done:
        raise TimeoutError(f"it was not over after {seconds:g} s")
    done.result()


def text_of(message: Message, lake: str) -> str:
    """Return what is said under the title, as plain text."""
    more = (f"To look further: {message.command}",) if message.command else ()
    return "\n".join((*message.lines, f"Lake: {lake}", *more))


def _post(alert: AlertSettings, document: object, environ: Mapping[str, str]) -> None:
    url = read_secret(f"alerts.{alert.name}.url", alert.url or "", environ)
    if urlsplit(url).scheme not in ("http", "https"):
        raise InvalidSettings(f"alerts.{alert.name}.url is no address that begins with http:// or https://")
    headers = {
        name: read_secret(f"alerts.{alert.name}.headers.{name}", value, environ)
        for name, value in alert.headers.items()
    }
    request = urllib.request.Request(  # noqa: S310 - the scheme is one of the two
        url, json.dumps(document).encode(), {"Content-Type": "application/json", **headers}, method="POST"
    )
    opener = urllib.request.build_opener(_NoRedirect, urllib.request.HTTPSHandler(context=_context(alert)))
    try:
        with opener.open(request, timeout=alert.timeout_s) as answer:
            answer.read(_MOST_ANSWER)
    except urllib.error.HTTPError as error:
        with error:
            said = " ".join(error.read(_MOST_ANSWER).decode(errors="replace").split())
        raise OSError(f"it answered {error.code} {error.reason}{f': {said}' if said else ''}") from error


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Lets what answers with another address count as failed: secrets go only where the settings say."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> None:
        """Follow nothing."""


def _mail(alert: AlertSettings, message: Message, lake: str, environ: Mapping[str, str]) -> None:
    mail = EmailMessage()
    mail["Subject"] = f"[deltaworks] {' '.join(message.title.split())}"
    mail["From"], mail["To"] = alert.sender, ", ".join(alert.to)
    mail.set_content(text_of(message, lake))
    default = {Tls.TLS: smtplib.SMTP_SSL_PORT, Tls.STARTTLS: 587, Tls.NONE: smtplib.SMTP_PORT}[alert.tls]
    host, port = alert.host or "", alert.port or default
    if alert.tls is Tls.TLS:
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=alert.timeout_s, context=_context(alert))
    else:
        server = smtplib.SMTP(host, port, timeout=alert.timeout_s)
    with server:
        if alert.tls is Tls.STARTTLS:
            server.starttls(context=_context(alert))
        if alert.user is not None:
            user = read_secret(f"alerts.{alert.name}.user", alert.user, environ)
            password = read_secret(f"alerts.{alert.name}.password", alert.password or "", environ)
            server.login(user, password)
        refused = server.send_message(mail)
    if refused:
        raise OSError(f"the mail server refused {', '.join(refused)}")


def _context(alert: AlertSettings) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=alert.ca_file)


def _without_secrets(alert: AlertSettings, error: Exception, environ: Mapping[str, str]) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    for value in (alert.url, alert.user, alert.password, *alert.headers.values()):
        if value:
            secret = environ.get(value.removeprefix("env:"), "") if value.startswith("env:") else value
            text = text.replace(secret, MASK) if secret else text
    return text
