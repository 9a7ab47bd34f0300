"""Linked: a sentence about what happened, with the asset, the commit and the run that it names as links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from deltaworks.web import urls
from deltaworks.web.workspace import Sight

_NAMES = re.compile(
    r"(?<=^data: )(?P<asset>\S+)"
    r"|(?<= at )versions? (?:\d+(?:, | to | and ))*(?P<version>\d+)"
    r"|(?<= run )(?P<run>\d{8}T[\w-]+)"
)


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a sentence."""

    text: str
    href: str = ""
    """Empty: it leads nowhere."""


def linked(sight: Sight, sentence: str) -> tuple[Piece, ...]:
    """Cut a sentence into what leads somewhere and what does not.

    A cause begins with the asset that changed; `version` is one of its table. What is not known is left as it is.
    """
    return tuple(_pieces(sight, sentence))


def _pieces(sight: Sight, sentence: str) -> Iterator[Piece]:
    assets, asset, at = {str(key) for key in sight.project.graph.nodes}, "", 0
    for found in _NAMES.finditer(sentence):
        href = ""
        if found["asset"] in assets:
            asset = found["asset"]
            href = urls.asset(asset)
        elif found["version"] and asset:
            version = int(found["version"])
            href = f"{urls.asset(asset, 'history', before=version + 1)}#v{version}"
        elif found["run"] and sight.run(found["run"]) is not None:
            href = urls.run(found["run"])
        if href:
            yield Piece(sentence[at : found.start()])
            yield Piece(found[0], href)
            at = found.end()
    yield Piece(sentence[at:])
