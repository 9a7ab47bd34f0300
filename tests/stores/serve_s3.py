"""Serve S3 by moto on a free port of the loopback interface until standard input is closed; the port is printed.

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


class KeptOpen(MotoRequestHandler):
    """A connection that takes more than one request."""

    protocol_version = "HTTP/1.1"


def main() -> None:
    """Serve."""
    logging.getLogger("werkzeug").disabled = True
    moto, turn = create_backend_app("s3"), threading.Lock()

    def answer(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        with turn:
            return moto(environ, start)

    server = make_server("127.0.0.1", 0, answer, threaded=True, request_handler=KeptOpen)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
