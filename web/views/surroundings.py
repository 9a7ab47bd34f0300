"""Surroundings: what the project runs in: daemons, settings, code locations, and who is told what goes wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from deltaworks.engine.automation.switching import pause_of
from deltaworks.engine.documents.daemons import daemon_json
from deltaworks.engine.documents.locations import locations_json
from deltaworks.engine.documents.settings import setting_text
from deltaworks.engine.execution.pools import pool_line, pools_seen
from deltaworks.engine.workspace.locations.description import own_versions
from deltaworks.engine.workspace.settings import Settings
from deltaworks.io.alerts import Delivery, Outcome, deliveries
from deltaworks.io.heartbeats import read_heartbeats
from deltaworks.io.switches import Switch
from deltaworks.web.views.run_row import RunRow, run_row
from deltaworks.web.workspace import Sight

SHOWN_MESSAGES = 100

_STATUS = {Outcome.SENT: "success", Outcome.WAITING: "queued", Outcome.GIVEN_UP: "failed"}


@dataclass(frozen=True, slots=True)
class QueuedRow:
    """A run that waits for its turn."""

    run: RunRow
    waits_for: str
    priority: int


@dataclass(frozen=True, slots=True)
class PoolRow:
    """A pool: how many of its places are taken, by which runs, and how many calls wait for one."""

    name: str
    limit: int
    taken: int
    waiting: int
    runs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DaemonsView:
    """The daemons of a lake, the latest first, as `daemon --status --json` tells of them."""

    daemons: tuple[dict[str, Any], ...]
    facts: tuple[tuple[str, str], ...]
    """Where all this happens."""
    queue: tuple[QueuedRow, ...]
    """The runs that wait for their turn, the next one first."""
    limits: tuple[tuple[str, int], ...]
    """How many runs there may be at a time, and of which kind."""
    pools: tuple[PoolRow, ...]
    pause: Switch | None
    """Who has paused them; none: they are not paused."""

    @property
    def is_up(self) -> bool:
        """Whether one of them lives."""
        return any(each["state"] == "running" for each in self.daemons)


@dataclass(frozen=True, slots=True)
class SettingRow:
    """A setting: its value, spelled, and where that comes from."""

    name: str
    value: str
    given: str
    is_default: bool


@dataclass(frozen=True, slots=True)
class SettingsView:
    """What is in force."""

    folder: str
    rows: tuple[SettingRow, ...]
    resources: tuple[tuple[str, str], ...]
    """Names of resources that code defines, and their classes; their values are not shown."""


@dataclass(frozen=True, slots=True)
class LocationsView:
    """The code locations, as `list locations --json` tells of them."""

    locations: tuple[dict[str, Any], ...]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AlertRow:
    """Who is told of what."""

    name: str
    kind: str
    on: str
    about: str


@dataclass(frozen=True, slots=True)
class MessageRow:
    """A message, and how far it is."""

    delivery: Delivery
    status: str


@dataclass(frozen=True, slots=True)
class AlertsView:
    """Who is told of what, and what they were told, the latest first."""

    alerts: tuple[AlertRow, ...]
    messages: tuple[MessageRow, ...]


def daemons_view(sight: Sight) -> DaemonsView:
    """Return how the daemons of the lake are, and what waits to be carried out."""
    running, sharing = own_versions(), sight.project.sharing
    beats = read_heartbeats(sight.project.store)
    queued = sorted((run for run in sight.live_runs if run.status == "queued"), key=lambda run: -run.priority)
    runs = {} if sharing.max_runs is None else {"runs": sharing.max_runs}
    tags = {f"runs with {tag}": most for tag, most in sharing.tags.items()}
    return DaemonsView(
        daemons=tuple(daemon_json(beat, sight.at) for beat in beats),
        facts=(
            ("Lake", sight.project.store.uri("")),
            ("This server", f"deltaworks {running.deltaworks}, Polars {running.polars}, Python {running.python}"),
            ("Its clock", f"{sight.at:%Y-%m-%d %H:%M:%S} UTC"),
        ),
        queue=tuple(QueuedRow(run_row(sight, run), run.waits_for or "", run.priority) for run in queued),
        limits=tuple({**runs, **tags}.items()),
        pools=tuple(_pools(sight)),
        pause=pause_of(sight.project.store),
    )


def _pools(sight: Sight) -> Iterator[PoolRow]:
    """Yield the pools that the settings or an asset name, and those of ops that have run, by name."""
    limits = sight.project.sharing.pools
    assets = (node.asset.pool for node in sight.project.graph.every.values())
    for name in sorted({*limits, *filter(None, assets), *pools_seen(sight.project.store)}):
        tickets = list(pool_line(sight.project.store, name).tickets())
        held = [ticket for ticket in tickets if ticket.is_held]
        runs = tuple(sorted({ticket.run_id for ticket in held}))
        yield PoolRow(name, limits.get(name, 1), len(held), len(tickets) - len(held), runs)


def settings_view(sight: Sight, settings: Settings) -> SettingsView:
    """Return the settings that are in force; what is secret in them is masked."""
    rows = tuple(
        SettingRow(each.name, setting_text(each.value), str(each.given), each.given.name is None)
        for each in settings.listed()
    )
    resources = sight.project.definitions.resources.items()
    return SettingsView(str(settings.folder), rows, tuple((name, type(each).__name__) for name, each in resources))


def locations_view(sight: Sight) -> LocationsView:
    """Return the code locations, and what is wrong with them."""
    found = locations_json(sight.project)
    return LocationsView(tuple(found["locations"]), tuple(found["problems"]))


def alerts_view(sight: Sight, settings: Settings) -> AlertsView:
    """Return who is told of what, and what they were told."""
    alerts = tuple(
        AlertRow(
            each.name,
            each.kind.value,
            ", ".join(each.on),
            ", ".join([*map(str, each.assets), *map(str, each.jobs)]) or "everything",
        )
        for each in settings.alerts
    )
    latest = islice(reversed(list(deliveries(sight.project.store))), SHOWN_MESSAGES)
    return AlertsView(alerts, tuple(MessageRow(each, _STATUS[each.outcome]) for each in latest))
