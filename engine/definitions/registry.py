"""Registry: the assets that are defined while a module is loaded, those included that a later name hides."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deltaworks.engine.definitions.asset import Asset

_defined: ContextVar[list[Asset[..., Any]] | None] = ContextVar("deltaworks_defined", default=None)


@contextmanager
def collecting() -> Generator[list[Asset[..., Any]]]:
    """Yield a list that receives every asset as it is defined."""
    defined: list[Asset[..., Any]] = []
    token = _defined.set(defined)
    try:
        yield defined
    finally:
        _defined.reset(token)


def note(asset: Asset[..., Any]) -> None:
    """Add an asset to the list of whoever is collecting."""
    defined = _defined.get()
    if defined is not None:
        defined.append(asset)
