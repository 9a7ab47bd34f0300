"""A bucket with contents that speaks the S3 protocol on the loopback interface, and fails when it is told to.

It knows what a lake needs: objects are put, also only if they are not there yet, read, looked for, listed and deleted.
Source: Amazon S3 API.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from enum import StrEnum
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from tests.io import s3_server

PARTIAL = 206
_RANGE = re.compile("bytes=(?P<first>[0-9]*)-(?P<last>[0-9]*)")
KEY, SECRET = "key", "canary-of-the-secret"


class Fault(StrEnum):
    """What becomes of a request."""

    REFUSED = "refused"
    """It is answered by an error of the server, and nothing is done."""
    LOST = "lost"
    """All of it is done; then the connection breaks."""
    CONFLICT = "conflict"
    """Nothing is done, since another request for the same name goes on."""
    DENIED = "denied"
    """It is answered by a document that says more than is for everybody."""


@dataclass
class SmallS3(s3_server.Bucket):
    """A bucket of objects."""

    contents: dict[str, bytes] = field(default_factory=dict[str, bytes])
    faults: list[tuple[str, Fault]] = field(default_factory=list[tuple[str, Fault]])
    """By a pattern of `METHOD key`, what happens to the next request that matches; each happens once."""
    lock: threading.RLock = field(default_factory=threading.RLock)

    def put(self, key: str, content: bytes) -> str:
        """Keep an object, and return its tag."""
        tag = hashlib.md5(content, usedforsecurity=False).hexdigest()
        self.contents[key], self.objects[key] = content, (len(content), tag)
        return tag

    def drop(self, key: str) -> None:
        """Delete an object."""
        self.contents.pop(key, None)
        self.objects.pop(key, None)

    def fault(self, what: str) -> Fault | None:
        """Note a request, and return what becomes of it."""
        with self.lock:
            self.requests.append(what)
            found = next((each for each in self.faults if re.search(each[0], what)), None)
            if found is None:
                return None
            self.faults.remove(found)
            return found[1]

    def asked(self, pattern: str) -> list[str]:
        """Return the requests so far that match."""
        return [each for each in self.requests if re.search(pattern, each)]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    content_range = ""
    bucket: SmallS3

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def _answer(self) -> None:
        url = urlsplit(self.path)
        _, name, key = f"{url.path}//".split("/", 2)
        key, query = unquote(key.strip("/")), parse_qs(url.query, keep_blank_values=True)
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        what = (
            f"{self.command} {key or ('?list ' + query.get('prefix', [''])[0] if 'list-type' in query else '?delete')}"
        )
        fault = self.bucket.fault(what)
        if fault is Fault.REFUSED:
            return self._reply(503, b"<Error><Code>SlowDown</Code><Message>Please reduce your rate.</Message></Error>")
        if fault is Fault.CONFLICT:
            return self._reply(409, b"<Error><Code>ConditionalRequestConflict</Code></Error>")
        is_known = name == self.bucket.name and f"Credential={KEY}/" in self.headers.get("Authorization", "")
        if fault is Fault.DENIED or not is_known:
            said = f"<AWSAccessKeyId>{KEY}</AWSAccessKeyId><StringToSign>{SECRET}</StringToSign>"
            return self._reply(403, f"<Error><Code>AccessDenied</Code><Message>No.</Message>{said}</Error>".encode())
        with self.bucket.lock:
            status, content, tag = self._done(key, query, sent)
        if fault is Fault.LOST:
            self.close_connection = True
            self.connection.close()
            return None
        return self._reply(status, content, tag)

    def _done(self, key: str, query: dict[str, list[str]], sent: bytes) -> tuple[int, bytes, str]:
        bucket = self.bucket
        if not key and self.command == "GET":
            return 200, bucket.page(query).encode(), ""
        if self.command == "POST":
            keys = [unescape(each) for each in re.findall("<Key>([^<]*)</Key>", sent.decode())]
            for each in keys:
                bucket.drop(each)
            deleted = "".join(f"<Deleted><Key>{each}</Key></Deleted>" for each in keys)
            return 200, f"<DeleteResult>{deleted}</DeleteResult>".encode(), ""
        if self.command == "PUT":
            if self.headers.get("If-None-Match") == "*" and key in bucket.contents:
                return 412, b"<Error><Code>PreconditionFailed</Code></Error>", ""
            return 200, b"", bucket.put(key, sent)
        if self.command == "DELETE":
            bucket.drop(key)
            return 204, b"", ""
        if key not in bucket.contents:
            return 404, b"<Error><Code>NoSuchKey</Code></Error>", ""
        content = bucket.contents[key]
        wanted = _RANGE.fullmatch(self.headers.get("Range", ""))
        if wanted is None:
            return 200, content, bucket.objects[key][1]
        first, last = wanted["first"], wanted["last"]
        start = int(first) if first else max(0, len(content) - int(last))
        end = min(len(content), int(last) + 1) if first and last else len(content)
        self.content_range = f"bytes {start}-{end - 1}/{len(content)}"
        return PARTIAL, content[start:end], bucket.objects[key][1]

    def _reply(self, status: int, content: bytes, tag: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        if status == PARTIAL:
            self.send_header("Content-Range", self.content_range)
        if tag:
            self.send_header("ETag", f'"{tag}"')
            self.send_header("Last-Modified", formatdate(1_767_225_600, usegmt=True))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


@contextmanager
def serve(bucket: SmallS3) -> Iterator[SmallS3]:
    """Serve a bucket while the context lasts."""
    handler = type("Handler", (_Handler,), {"bucket": bucket})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    bucket.environ = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
    }
    try:
        yield bucket
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
