"""A proxy on the loopback interface before a store: it counts requests, lets them fail, and can be cut off.

Source: RFC 9112, "HTTP/1.1"; Amazon S3 API Reference for the kinds of requests.
"""

from __future__ import annotations

import http.client
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from tests.stores.servers import Server


class Fault(StrEnum):
    """What becomes of a request."""

    ERROR_500 = "500"
    """It is refused, and nothing was done."""
    ERROR_503 = "503"
    """It is refused because the store is busy, and nothing was done."""
    SILENCE = "time-out"
    """Nothing is done, and nothing is ever answered."""
    RESET = "reset"
    """Nothing is done, and the connection breaks."""
    LOST_REPLY = "lost reply"
    """It is done, and the connection breaks before the answer."""
    LATE_500 = "500 when done"
    """It is done, and an error is answered all the same, as gateways do that wait no longer."""


@dataclass(frozen=True)
class Request:
    """A request as it came in."""

    method: str
    path: str

    @property
    def kind(self) -> str:
        """What it asks of the store: list, get, head, put, delete, or another method."""
        query = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
        if self.method == "GET" and "list-type" in query:
            return "list"
        if self.method == "POST" and "delete" in query:
            return "delete"
        return self.method.lower()

    def __str__(self) -> str:
        url = urlsplit(self.path)
        prefix = "".join(f" {value}" for value in parse_qs(url.query).get("prefix", []))
        return f"{self.kind} {unquote(url.path)}{prefix}"


@dataclass
class Plan:
    """Which requests fail, and how; counted from 1 since the plan was made."""

    fault: Fault | None = None
    first: int = 1
    times: int = 1
    """How many fail one after the other, those asked again included."""
    about: str = ""
    """Only requests count that have this in them, as they are told."""
    seen: int = 0

    def fate(self, request: Request) -> Fault | None:
        """Return what becomes of the next request."""
        if self.about not in str(request):
            return None
        self.seen += 1
        return self.fault if self.first <= self.seen < self.first + self.times else None


@dataclass
class Proxy:
    """A proxy that runs."""

    upstream: Server
    server: Server
    """The store as clients reach it through this proxy."""
    mend: Callable[[Request, bytes], bytes] = lambda _, content: content
    """What becomes of the content of an answer."""
    plan: Plan = field(default_factory=Plan)
    requests: list[Request] = field(default_factory=list[Request])
    failed: list[tuple[Request, Fault]] = field(default_factory=list[tuple[Request, Fault]])
    distance_s: float = 0.0
    """How long each request is on its way, both ways together."""
    is_cut: threading.Event = field(default_factory=threading.Event)
    """While set, connections break at once, as if the network were down."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fail(self, fault: Fault, first: int = 1, times: int = 1, about: str = "") -> None:
        """Let the `first` request from now on fail, and those after it up to `times`."""
        with self.lock:
            self.plan = Plan(fault, first, times, about)

    def heal(self) -> None:
        """Let nothing fail from now on."""
        with self.lock:
            self.plan = Plan()
        self.is_cut.clear()

    def fate(self, request: Request) -> Fault | None:
        """Note a request, and return what becomes of it."""
        with self.lock:
            self.requests.append(request)
            fault = self.plan.fate(request)
            if fault is not None:
                self.failed.append((request, fault))
            return fault

    def counted(self) -> Counter[str]:
        """Return how many requests of each kind came in, and begin to count anew."""
        with self.lock:
            counted = Counter(each.kind for each in self.requests)
            self.requests.clear()
            return counted


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, upstream: Server, host: str, mend: Callable[[Request, bytes], bytes] | None) -> None:
        super().__init__((host, 0), _Carrier)
        self.proxy = Proxy(upstream, replace(upstream, host=host, port=self.server_port))
        if mend is not None:
            self.proxy.mend = mend
        self.is_over = threading.Event()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes in the middle of an answer is no error of the proxy."""


class _Carrier(BaseHTTPRequestHandler):
    """A connection of a client, and the one to the store that belongs to it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Listener

    def setup(self) -> None:
        super().setup()
        upstream = self.server.proxy.upstream
        self.store = http.client.HTTPConnection(upstream.host, upstream.port, timeout=60)

    def finish(self) -> None:
        self.store.close()
        with suppress(OSError):  # the client is gone, or was thrown out
            super().finish()

    def carry(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        time.sleep(self.server.proxy.distance_s)
        if self.server.proxy.is_cut.is_set():
            self.break_off()
            return
        match self.server.proxy.fate(Request(self.command, self.path)):
            case None:
                self.pass_on(body)
            case Fault.ERROR_500:
                self.refuse(500, "InternalError")
            case Fault.ERROR_503:
                self.refuse(503, "SlowDown")
            case Fault.SILENCE:
                self.keep_silent()
            case Fault.RESET:
                self.break_off()
            case Fault.LOST_REPLY:
                self.ask(body)
                self.break_off()
            case Fault.LATE_500:
                self.ask(body)
                self.refuse(500, "InternalError")

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = carry  # noqa: N815

    def ask(self, body: bytes) -> tuple[http.client.HTTPResponse, bytes]:
        self.store.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            self.store.putheader(name, value)
        self.store.endheaders(body or None)
        response = self.store.getresponse()
        return response, response.read()

    def pass_on(self, body: bytes) -> None:
        response, content = self.ask(body)
        content = self.server.proxy.mend(Request(self.command, self.path), content)
        self.send_response_only(response.status, response.reason)
        for name, value in response.getheaders():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        length = response.getheader("Content-Length") if self.command == "HEAD" else str(len(content))
        self.send_header("Content-Length", length or "0")
        self.end_headers()
        self.wfile.write(content)

    def refuse(self, status: int, code: str) -> None:
        content = b"" if self.command == "HEAD" else f"<Error><Code>{code}</Code></Error>".encode()
        self.send_response_only(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def keep_silent(self) -> None:
        """Wait until the client has gone."""
        self.connection.settimeout(0.05)
        while not self.server.is_over.is_set():
            with suppress(TimeoutError):
                if not self.connection.recv(1):
                    break
        self.close_connection = True

    def break_off(self) -> None:
        """Reset the connection, which leaves the client without a word."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Print nothing."""


@contextmanager
def proxied(
    upstream: Server, host: str = "127.0.0.1", mend: Callable[[Request, bytes], bytes] | None = None
) -> Iterator[Proxy]:
    """Run a proxy before a store."""
    with _Listener(upstream, host, mend) as listener:
        thread = threading.Thread(target=listener.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield listener.proxy
        finally:
            listener.is_over.set()
            listener.shutdown()
            thread.join(30)
