"""Serve: listen, and answer until the process is asked to stop."""

from __future__ import annotations

import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager

import uvicorn

from deltaworks.errors import RequestError
from deltaworks.web.app import create_app
from deltaworks.web.http.patience import Patient
from deltaworks.web.http.roles import Auth
from deltaworks.web.workspace import Workspace

_GRACE_S = 2
"""How long answers that are on their way may take when the server ends; streams are cut."""


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        RequestError: the address is taken, or none of this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        raise RequestError(
            f"Nothing can listen at {host}, port {port}: {error.strerror}. `--port 0` takes any free port."
        ) from error


def serve(workspace: Workspace, auth: Auth, listening: socket.socket) -> None:
    """Answer what comes in, until SIGTERM or Ctrl-C."""
    _server(workspace, auth).run(sockets=[listening])


@contextmanager
def serving(workspace: Workspace, auth: Auth, listening: socket.socket) -> Generator[None]:
    """Answer what comes in, on a thread of its own, until the block ends."""
    server = _server(workspace, auth)
    # A daemon thread, as are those that it starts: code of the project that never ends keeps no process from ending.
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="ui", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(2 * _GRACE_S)


def _server(workspace: Workspace, auth: Auth) -> uvicorn.Server:
    config = uvicorn.Config(
        create_app(workspace, auth),
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        http=Patient,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=_GRACE_S,
        limit_concurrency=500,
    )
    return uvicorn.Server(config)
