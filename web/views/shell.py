"""Shell: what stands around every page: the rail with its counts, and the daemon's sign of life."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from deltaworks.errors import StorageError
from deltaworks.io.heartbeats import LEASE_S, read_heartbeats
from deltaworks.web.workspace import Sight


class DaemonLife(Enum):
    """Whether a daemon runs on a lake."""

    UP = auto()
    STOPPED = auto()
    """There was one."""
    NONE = auto()
    """There has never been one."""
    UNKNOWN = auto()
    """The heartbeats cannot be read."""


@dataclass(frozen=True, slots=True)
class Place:
    """An entry of the rail."""

    label: str
    href: str
    is_here: bool
    count: int = 0
    tone: str = ""
    """Of the count: the word of a status."""


@dataclass(frozen=True, slots=True)
class ShellView:
    """What stands around a page."""

    places: tuple[Place, ...]
    daemon: str
    """Its state, in a few words."""
    is_daemon_up: bool
    project: str
    """What the project is called."""


PLACES: Final = (
    ("Overview", "/"),
    ("Assets", "/assets"),
    ("Lineage", "/lineage"),
    ("Runs", "/runs"),
    ("Backfills", "/backfills"),
    ("Jobs", "/jobs"),
    ("Schedules", "/schedules"),
    ("Sensors", "/sensors"),
    ("Automation", "/automation"),
    ("Alerts", "/alerts"),
    ("Daemon", "/daemon"),
    ("Locations", "/locations"),
    ("Settings", "/settings"),
    ("Audit", "/audit"),
    ("API", "/api"),
)
"""The rail, from top to bottom; an entry shows as soon as there is a page for it."""


def shell_view(sight: Sight, path: str, pages: Collection[str]) -> ShellView:
    """Return what stands around the page at a path; `pages` are all that there are."""
    live = len(sight.live_runs)
    places = tuple(
        Place(
            label,
            href,
            path == href or (href != "/" and path.startswith(f"{href}/")),
            live if href == "/runs" else 0,
            "running" if href == "/runs" else "",
        )
        for label, href in PLACES
        if href in pages
    )
    life, daemon = _daemon(sight)
    return ShellView(places, daemon, life is DaemonLife.UP, sight.name)


def daemon_life(sight: Sight) -> DaemonLife:
    """Return whether a daemon runs on the lake."""
    return _daemon(sight)[0]


def _daemon(sight: Sight) -> tuple[DaemonLife, str]:
    try:
        beats = read_heartbeats(sight.project.store)
    except StorageError:
        return DaemonLife.UNKNOWN, "cannot be read"
    for beat in beats:
        silent_s = beat.silent_s(sight.at)
        if not beat.is_gone and silent_s <= LEASE_S:
            return DaemonLife.UP, f"beat {max(0, silent_s):.0f} s ago"
    return (DaemonLife.STOPPED, "stopped") if beats else (DaemonLife.NONE, "none has run")
