"""Serve S3 by moto on a free port of the loopback interface until standard input is closed; the port is printed.

`google` as an argument lets it answer what Google's clients ask, whose XML API differs from S3 by the header of a
condition and by who signs. Source: Cloud Storage, "Interoperability" and "Request preconditions".

One request at a time: what moto looks up and then writes is one step, as it is in a real store.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterable
from typing import Any

from moto.moto_server.werkzeug_app import MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

SIGNED = "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
"""By somebody whom moto lets read what it keeps; it verifies no signature."""


class KeptOpen(MotoRequestHandler):
    """A connection that takes more than one request."""

    protocol_version = "HTTP/1.1"


def main() -> None:
    """Serve."""
    is_google = sys.argv[1:] == ["google"]
    logging.getLogger("werkzeug").disabled = True
    moto, turn = create_backend_app("s3"), threading.Lock()

    def answer(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        if is_google:
            environ["HTTP_AUTHORIZATION"] = SIGNED
            if environ.get("HTTP_X_GOOG_IF_GENERATION_MATCH") == "0":
                environ["HTTP_IF_NONE_MATCH"] = "*"
        with turn:
            return moto(environ, start)

    server = make_server("127.0.0.1", 0, answer, threaded=True, request_handler=KeptOpen)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
