"""Files in object stores, and services that are spoken to by HTTP, on the loopback interface."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import polars as pl
import pytest
from pydantic import SecretStr, ValidationError

import deltaworks as dw
from deltaworks.errors import RequestError, RunError, StorageError
from deltaworks.resources import HttpClient, ObjectFiles
from tests.io.s3_server import Bucket

AT_ONCE = dw.RetryPolicy(max_retries=2, delay_s=0.001)


@dataclass
class Service:
    """Answers in turn, the last one again and again, and remembers what it was asked."""

    answers: list[tuple[int, dict[str, str], bytes]]
    seen: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list[Any])
    url: str = ""


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


class Quiet(BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))


@contextmanager
def service(*answers: tuple[int, dict[str, str], bytes]) -> Iterator[Service]:
    found = Service(list(answers))

    class Handler(Quiet):
        def do_GET(self) -> None:
            found.seen.append((self.command, self.path, dict(self.headers), self.body()))
            self.answer(*(found.answers.pop(0) if len(found.answers) > 1 else found.answers[0]))

        do_POST = do_GET  # noqa: N815

    with serving(Handler) as found.url:
        yield found


OK = (200, {"Content-Type": "application/json"}, b'{"n": 1}')
BUSY = (503, {"Retry-After": "0"}, b"busy")


def test_what_a_service_answers_is_returned_and_what_is_sent_is_json_with_a_token() -> None:
    with service(OK) as told:
        client = HttpClient(base_url=f"{told.url}/v1", token=SecretStr("t0ken"))
        assert client.get("things", params={"day": "2024-01-01", "tag": ["a", "b"]}).json() == {"n": 1}
        assert client.post("/things", data={"n": 2}, idempotency_key="run/step").status == 200

    (get, post) = told.seen
    assert get[:2] == ("GET", "/v1/things?day=2024-01-01&tag=a&tag=b")
    assert get[2]["Authorization"] == "Bearer t0ken"
    assert (json.loads(post[3]), post[2]["Content-Type"]) == ({"n": 2}, "application/json")
    assert post[2]["Idempotency-Key"] == "run/step"


def test_what_may_be_repeated_is_tried_again_and_nothing_else() -> None:
    with service(BUSY, BUSY, OK) as told:
        assert HttpClient(base_url=told.url, retry=AT_ONCE).get().json() == {"n": 1}
    with service(BUSY, OK) as once, pytest.raises(RunError, match=r"^POST http://.*: 503 Service Unavailable: busy$"):
        HttpClient(base_url=once.url, retry=AT_ONCE).post(data=1)
    with service(BUSY, OK) as keyed:
        HttpClient(base_url=keyed.url, retry=AT_ONCE).post(data=1, idempotency_key="k")
    with service(BUSY) as never, pytest.raises(RunError, match=r"503 Service Unavailable: busy \(tried 3 times\)"):
        HttpClient(base_url=never.url, retry=AT_ONCE).get()
    with service((404, {}, b"no such thing")) as gone, pytest.raises(RunError, match="404 Not Found: no such thing"):
        HttpClient(base_url=gone.url, retry=AT_ONCE).get()

    assert [len(each.seen) for each in (told, once, keyed, never, gone)] == [3, 1, 2, 3, 1]
    with pytest.raises(RunError, match=r"GET http://127.0.0.1:\d+: ConnectionRefusedError: .* \(tried 3 times\)"):
        HttpClient(base_url=gone.url, retry=AT_ONCE).get()
    with pytest.raises(ValidationError, match="it must begin with http"):
        HttpClient(base_url="file:///etc/passwd")


def test_a_token_and_headers_of_the_service_follow_a_redirect_to_no_other_host() -> None:
    with service(OK) as other, service((302, {"Location": other.url}, b"")) as first:
        client = HttpClient(base_url=first.url, token=SecretStr("t0ken"), headers={"X-Api-Key": "k3y"})
        client.request("GET", headers={"Accept": "text/csv"}, idempotency_key="once")

    own = {"Authorization", "X-Api-Key", "Idempotency-Key"}
    assert own <= {name.title() for name in first.seen[0][2]}
    assert not own & {name.title() for name in other.seen[0][2]}
    assert other.seen[0][2]["Accept"] == "text/csv"


@contextmanager
def object_store(bucket: Bucket, contents: dict[str, bytes]) -> Iterator[str]:
    """Serve a bucket that keeps what is put into it.

    Source: Amazon S3 API, "PutObject", "GetObject", "HeadObject", "ListObjectsV2".
    """

    class Handler(Quiet):
        def do_PUT(self) -> None:
            key = urlsplit(self.path).path.removeprefix(f"/{bucket.name}/")
            contents[key] = self.body()
            bucket.objects[key] = (len(contents[key]), str(len(contents)))
            self.answer(200, {"ETag": '"1"'}, b"")

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            if "Credential=key/" not in self.headers.get("Authorization", ""):
                return self.answer(403, {}, b"<Error>denied</Error>")
            key = url.path.removeprefix(f"/{bucket.name}").strip("/")
            if not key:
                page = bucket.page(parse_qs(url.query, keep_blank_values=True))
                return self.answer(200, {"Content-Type": "application/xml"}, page.encode())
            if key not in contents:
                return self.answer(404, {}, b"<Error><Code>NoSuchKey</Code></Error>")
            whole, dated = contents[key], {"ETag": '"1"', "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
            asked = self.headers.get("Range", "").removeprefix("bytes=")
            if not asked:
                return self.answer(200, dated, whole)
            first, _, last = asked.partition("-")
            start = int(first) if first else max(0, len(whole) - int(last))
            end = min(int(last), len(whole) - 1) if first and last else len(whole) - 1
            ranged = {"Content-Range": f"bytes {start}-{end}/{len(whole)}"}
            return self.answer(206, dated | ranged, whole[start : end + 1])

        do_HEAD = do_GET  # noqa: N815

    with serving(Handler) as url:
        yield url


@pytest.fixture(params=["folder", "s3"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ObjectFiles]:
    if request.param == "folder":
        yield ObjectFiles(uri=str(tmp_path / "data"))
        return
    with object_store(Bucket("shop"), {}) as url:
        yield ObjectFiles(
            uri="s3://shop/data",
            access_key_id=SecretStr("key"),
            secret_access_key=SecretStr("secret"),
            region="us-east-1",
            endpoint=url,
        )


def test_files_are_written_listed_scanned_and_read(files: ObjectFiles) -> None:
    df = pl.DataFrame({"n": [1, 2]})
    files.write("2024/a.parquet", df)
    files.write("2024/b.parquet", df.lazy())
    files.write("2024/b.parquet", df.head(1))
    files.write("2024/notes/c.csv", df)
    files.write("d.bin", b"\x00")

    assert files.list() == ["2024/a.parquet", "2024/b.parquet", "2024/notes/c.csv", "d.bin"]
    assert files.list("2024/*.parquet") == ["2024/a.parquet", "2024/b.parquet"]
    assert files.scan("2024/*.parquet").collect()["n"].sort().to_list() == [1, 1, 2]
    assert files.scan("**/*.csv").collect()["n"].to_list() == [1, 2]
    assert files.read("d.bin") == b"\x00"
    with pytest.raises(RequestError, match=r"No file matches .*data/2024/x\*.csv"):
        files.scan("2024/x*.csv")
    with pytest.raises(RequestError, match="does not tell a format; let its name end in"):
        files.scan("*.bin")
    with pytest.raises(StorageError, match=r"cannot read .*data/none"):
        files.read("none")
