"""Versions: how users write one version of a table."""

from __future__ import annotations

import re

from deltaworks.errors import RequestError


def split_version(text: str) -> tuple[str, int | None]:
    """Split `asset@v12` into the asset and the version; without a version, none.

    Raises:
        RequestError: there is no asset, or what follows the `@` is no version.
    """
    name, at, version = text.partition("@")
    if not name:
        raise RequestError(f"{text!r} names no asset; a version of a table is written asset@v12.")
    return name, read_version(version, f"{name}@v12") if at else None


def read_version(text: str, example: str = "v12") -> int:
    """Read `v12`.

    Raises:
        RequestError: it is no version.
    """
    number = re.fullmatch(r"v([0-9]+)", text)
    if number is None:
        raise RequestError(f"{text!r} is no version; a version is written {example}.")
    return int(number[1])
