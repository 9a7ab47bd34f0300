"""Static files: styles, scripts and pictures, under addresses that change with their content."""

from __future__ import annotations

import hashlib
import mimetypes
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

_FOR_EVER = "public, max-age=31536000, immutable"


@cache
def contents() -> dict[str, bytes]:
    """Return every static file by its name."""
    return dict(_below(files("deltaworks.web") / "static", ""))


@cache
def _version() -> str:
    """Return what all files are named by together: modules import each other by their plain names."""
    digest = hashlib.sha256()
    for name, content in sorted(contents().items()):
        digest.update(name.encode() + b"\0" + content)
    return digest.hexdigest()[:12]


def address(name: str) -> str:
    """Return where a static file is found; an unknown one is our own mistake."""
    assert name in contents(), f"there is no static file {name}"
    return f"/static/{_version()}/{name}"


async def static_file(request: Request) -> Response:
    """Answer with a static file."""
    name = request.path_params["name"]
    content = contents().get(name)
    if content is None:
        raise HTTPException(404)
    kept = _FOR_EVER if request.path_params["version"] == _version() else "no-cache"
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Response(content, headers={"Cache-Control": kept}, media_type=kind)


def _below(folder: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for each in folder.iterdir():
        name = f"{prefix}{each.name}"
        found += _below(each, f"{name}/") if each.is_dir() else [(name, each.read_bytes())]
    return found
