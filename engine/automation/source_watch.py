"""SourceWatch: sources that say how often they are to be observed, at ticks of the daemon.

A tick observes one source in the process that has the project loaded, and commits what has changed. It asks for
nothing: whoever watches the source sees its commit as that of any other table.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from threading import Lock

from deltaworks.engine.automation.conditions.growth import has_grown
from deltaworks.engine.automation.evaluation import Evaluation
from deltaworks.engine.automation.sensor_watch import WatchedSensor
from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.execution.look import Observed
from deltaworks.engine.workspace.doing import observe
from deltaworks.engine.workspace.project import Project

PREFIX = "_observe="
"""How the names of their ticks begin; no schedule and no sensor can have it."""

TIMEOUT_S = 900.0
"""How long an observation may take: some list millions of files."""


def watched_sources(definitions: Definitions) -> Iterator[WatchedSensor]:
    """Yield what the daemon needs to know of the sources that it observes."""
    for asset in definitions.assets:
        if asset.interval_s is not None:
            yield WatchedSensor(_tick_name(asset.key), None, asset.interval_s, True, TIMEOUT_S)


class AskedSources:
    """The sources of a project, as they are observed again and again."""

    def __init__(self, project: Project) -> None:
        """Begin with the project as it was loaded."""
        self._project = project
        self._lock = Lock()
        """Several sources may be observed at a time."""

    def ask(self, name: str, now: dt.datetime) -> Evaluation:
        """Observe the source of a tick, and return what is said of that; its failure stands in the ledger.

        Raises:
            TableMismatch: its table cannot keep what is observed.
            InvalidSettings, RunError: a resource could not be made ready.
            StorageError: the lake cannot be read or written.
        """
        project = self._as_it_is(now)
        key = next(key for key in project.graph.nodes if _tick_name(key) == name)
        seen = observe(
            project, (key,), command=f"daemon (observes {key})", now=lambda: now, tell=lambda _: None, is_repeated=True
        )
        return Evaluation(skip_reason="; ".join(map(_said, seen.sources)))

    def _as_it_is(self, now: dt.datetime) -> Project:
        """Return the project with the partitions that there are now."""
        with self._lock:
            grown = self._project.grown(now, is_due=has_grown(self._project.graph, now))
            self._project = self._project if grown is None else grown
            return self._project


def _tick_name(key: AssetKey) -> str:
    return PREFIX + "=".join(key.parts)


def _said(found: Observed) -> str:
    if found.error is not None:
        return found.error
    if found.version is None:
        return f"nothing has changed in {found.asset}"
    return f"{found.asset} version {found.version}: {len(found.changed):,} new or changed, {len(found.gone):,} gone"
