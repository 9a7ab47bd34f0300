"""Real servers on loopback that keep what they are sent."""

from __future__ import annotations

import json
import socketserver
import ssl
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Received:
    """What a server was sent, and how it is to answer."""

    address: str = ""
    port: int = 0
    documents: list[Any] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    """The statuses of the next answers; then 200."""

    @property
    def titles(self) -> list[str]:
        return [each["title"] for each in self.documents]


@contextmanager
def webhook(context: ssl.SSLContext | None = None) -> Generator[Received]:
    """Serve a webhook; with a context, by https."""
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            status = received.answers.pop(0) if received.answers else 200
            if status == 200:
                received.documents.append(json.loads(content))
                received.headers.append(dict(self.headers))
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(b"the secret token is hunter2" if status != 200 else b"ok")

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        received.port = server.server_address[1]
        received.address = f"{'https' if context else 'http'}://127.0.0.1:{received.port}/hook"
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        with _serving(server):
            yield received


class _Mailbox(socketserver.ThreadingTCPServer):
    def __init__(self, received: Received, context: ssl.SSLContext | None, tls: str) -> None:
        self.received, self.context, self.tls = received, context, tls
        super().__init__(("127.0.0.1", 0), _Smtp)


class _Smtp(socketserver.StreamRequestHandler):
    server: _Mailbox

    def handle(self) -> None:
        try:
            if self.server.tls == "tls":
                self._secure()
            self._talk()
        except OSError:
            pass  # whoever does not trust the certificate hangs up
        finally:
            self.connection.close()

    def _secure(self) -> None:
        assert self.server.context is not None
        self.connection = self.server.context.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", buffering=0)

    def _is_secured(self) -> bool:
        return isinstance(self.connection, ssl.SSLSocket)

    def _talk(self) -> None:
        self._say("220 here")
        while line := self.rfile.readline().decode().strip():
            match line.split()[0].upper():
                case "EHLO":
                    offers_tls = self.server.tls == "starttls" and not self._is_secured()
                    self._say("250-here", *(["250-STARTTLS"] * offers_tls), "250 AUTH PLAIN")
                case "STARTTLS":
                    self._say("220 go on")
                    self._secure()
                case "AUTH":
                    self.server.received.headers.append({"AUTH": line, "secured": str(self._is_secured())})
                    self._say("235 welcome")
                case "DATA":
                    self._say("354 go on")
                    self.server.received.documents.append(self._data())
                    self._say("250 taken")
                case "QUIT":
                    self._say("221 bye")
                    return
                case _:
                    self._say("250 fine")

    def _data(self) -> str:
        lines: list[str] = []
        while (line := self.rfile.readline().decode().rstrip("\r\n")) != ".":
            lines.append(line)
        return "\n".join(lines)

    def _say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())


@contextmanager
def mailbox(context: ssl.SSLContext | None = None, tls: str = "none") -> Generator[Received]:
    """Serve SMTP, as far as a message needs it; secured from the beginning (`tls`) or when asked to (`starttls`)."""
    received = Received()
    with _Mailbox(received, context, tls) as server:
        received.port = server.server_address[1]
        with _serving(server):
            yield received


@contextmanager
def _serving(server: socketserver.BaseServer) -> Generator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
