"""A bucket that speaks the S3 protocol on the loopback interface, as far as listing goes: pages, prefixes, signatures.

Source: Amazon S3 API, "ListObjectsV2".
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

PAGE = 100
"""Keys a page; the real one has 1,000."""


@dataclass
class Bucket:
    """Keys with their sizes and tags."""

    name: str
    objects: dict[str, tuple[int, str]] = field(default_factory=dict[str, tuple[int, str]])
    requests: list[str] = field(default_factory=list[str])
    environ: dict[str, str] = field(default_factory=dict[str, str])
    """What a client of it finds in its environment."""

    def page(self, query: dict[str, list[str]]) -> str:
        """Answer one request for a list."""
        prefix, delimiter = query.get("prefix", [""])[0], query.get("delimiter", [""])[0]
        after = query.get("start-after", [""])[0]
        entries: dict[str, str] = {}
        for key in sorted(self.objects):
            rest = key.removeprefix(prefix)
            if not key.startswith(prefix) or key <= after:
                continue
            if delimiter and delimiter in rest:
                folder = prefix + rest.partition(delimiter)[0] + delimiter
                entries[folder] = f"<CommonPrefixes><Prefix>{escape(folder)}</Prefix></CommonPrefixes>"
                continue
            size, tag = self.objects[key]
            entries[key] = (
                f"<Contents><Key>{escape(key)}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
                f"<ETag>&quot;{tag}&quot;</ETag><Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
            )
        start = int(query.get("continuation-token", ["0"])[0])
        shown = list(entries.values())[start : start + PAGE]
        rest = start + PAGE < len(entries)
        token = f"<NextContinuationToken>{start + PAGE}</NextContinuationToken>" if rest else ""
        return (
            '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>{self.name}</Name><Prefix>{escape(prefix)}</Prefix><KeyCount>{len(shown)}</KeyCount>"
            f"<MaxKeys>{PAGE}</MaxKeys><IsTruncated>{str(rest).lower()}</IsTruncated>{token}{''.join(shown)}"
            "</ListBucketResult>"
        )


@contextmanager
def serve(bucket: Bucket) -> Iterator[Bucket]:
    """Serve a bucket while the context lasts; whoever does not sign with its key is refused."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            bucket.requests.append(self.path)
            url, signature = urlsplit(self.path), self.headers.get("Authorization", "")
            is_known = url.path.strip("/") == bucket.name and "Credential=key/" in signature
            body = bucket.page(parse_qs(url.query, keep_blank_values=True)) if is_known else "<Error>denied</Error>"
            content = body.encode()
            self.send_response(200 if is_known else 403)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    bucket.environ = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
    }
    try:
        yield bucket
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
