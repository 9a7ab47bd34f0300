"""Registry: what is defined while a module is loaded, also what a later name hides."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deltaworks.engine.definitions.asset import Asset
    from deltaworks.engine.definitions.asset_check import AssetCheck
    from deltaworks.engine.definitions.automation.schedule import Schedule
    from deltaworks.engine.definitions.automation.sensor import Sensor


@dataclass
class Defined:
    """What was defined so far, in its order."""

    assets: list[Asset[..., Any]] = field(default_factory=list["Asset[..., Any]"])
    checks: list[AssetCheck] = field(default_factory=list["AssetCheck"])
    automations: list[Schedule | Sensor] = field(default_factory=list["Schedule | Sensor"])


_defined: ContextVar[Defined | None] = ContextVar("deltaworks_defined", default=None)


@contextmanager
def collecting() -> Generator[Defined]:
    """Yield what receives everything as it is defined."""
    defined = Defined()
    token = _defined.set(defined)
    try:
        yield defined
    finally:
        _defined.reset(token)


def note(asset: Asset[..., Any]) -> None:
    """Tell an asset to whoever is collecting."""
    defined = _defined.get()
    if defined is not None:
        defined.assets.append(asset)


def note_check(check: AssetCheck) -> None:
    """Tell a check to whoever is collecting."""
    defined = _defined.get()
    if defined is not None:
        defined.checks.append(check)


def note_automation(automation: Schedule | Sensor) -> None:
    """Tell a schedule or a sensor to whoever is collecting."""
    defined = _defined.get()
    if defined is not None:
        defined.automations.append(automation)
