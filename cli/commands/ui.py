"""`deltaworks ui`: the browser UI and the REST API."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deltaworks.cli.command import ExitCode, Session, add
from deltaworks.cli.output import write
from deltaworks.errors import RequestError

if TYPE_CHECKING:
    from socket import socket

    from deltaworks.web.http.roles import Auth

DEFAULT_PORT = 3000
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def ui(
    session: Session,
    port: Annotated[
        int, typer.Option("--port", metavar="N", min=0, max=65535, help="Where it listens; 0: any free port.")
    ] = DEFAULT_PORT,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="Others than loopback need a token.")
    ] = "127.0.0.1",
    token_file: Annotated[
        Path | None, typer.Option("--token-file", metavar="FILE", help="The operator's token; made if it is not there.")
    ] = None,
    viewer_token_file: Annotated[
        Path | None, typer.Option("--viewer-token-file", metavar="FILE", help="The token of those who may only look.")
    ] = None,
    allowed_host: Annotated[
        list[str] | None, typer.Option("--allowed-host", metavar="NAME", help="A name by which browsers may call it.")
    ] = None,
) -> ExitCode:
    """Serve the browser UI and the REST API, until Ctrl-C."""
    try:
        # Imported here: the web framework is an extra, and --help must not load it.
        from deltaworks.web.serve import listen, serve
    except ModuleNotFoundError as error:
        raise RequestError(
            f"The UI needs the package {error.name!r}; `pip install 'deltaworks[web]'` installs what it needs."
        ) from error
    from deltaworks.web.workspace import Workspace

    if host not in _LOOPBACK and token_file is None:
        raise RequestError(
            f"--host {host} lets other machines in, which needs a token: add --token-file FILE; the file is made if it "
            "is not there."
        )
    session.settings()
    auth, made = _auth(token_file, viewer_token_file, frozenset(allowed_host or ()) | {host})
    with listen(host, port) as listening:
        address = address_of(host, listening)
        write(sys.stderr, f"deltaworks ui: {address}{f'login#{made}' if made else ''} (Ctrl-C ends it)")
        serve(Workspace(session.origin(), os.environ, session.now), auth, listening)
    return ExitCode.DONE


def is_ui_installed() -> bool:
    """Return whether what the UI needs is there; it is an extra."""
    return all(find_spec(name) is not None for name in ("fastapi", "jinja2", "uvicorn"))


def address_of(host: str, listening: socket) -> str:
    """Return where a browser finds the first page."""
    return f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}/"


def _auth(operator: Path | None, viewer: Path | None, hosts: frozenset[str]) -> tuple[Auth, str | None]:
    """Return how users are known, and the operator's token if it was made just now."""
    from deltaworks.web.http.roles import Auth, Role, token_of

    if viewer is not None and operator is None:
        raise RequestError("--viewer-token-file needs --token-file: without an operator nobody could start anything.")
    tokens: dict[Role, str] = {}
    shown: str | None = None
    for role, file in ((Role.OPERATOR, operator), (Role.VIEWER, viewer)):
        if file is not None:
            tokens[role], is_new = token_of(file)
            shown = tokens[role] if is_new and role is Role.OPERATOR else shown
    if len(set(tokens.values())) < len(tokens):
        raise RequestError("Operator and viewer have the same token; give each a file of its own.")
    return Auth(tokens, hosts), shown


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "ui", ui)
