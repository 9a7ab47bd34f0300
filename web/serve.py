"""Serve: listen, and answer until the process is asked to stop."""

from __future__ import annotations

import socket

import uvicorn

from deltaworks.errors import RequestError
from deltaworks.web.app import create_app
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
    config = uvicorn.Config(
        create_app(workspace, auth),
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        timeout_keep_alive=15,
        timeout_graceful_shutdown=_GRACE_S,
        limit_concurrency=500,
    )
    uvicorn.Server(config).run(sockets=[listening])
