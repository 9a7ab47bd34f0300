"""Workspace: the project and its lake as the server knows them, kept between requests.

The files of the project are looked at before an answer, and it is loaded anew when they have changed: what the pages
say is what a command would say. A look at the lake reads only what was written since the last one.
"""

from __future__ import annotations

import datetime as dt
import linecache
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from deltaworks.engine.automation.code_watch import CodeWatch
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.documents.problems import Problems
from deltaworks.engine.execution.observe import Observation
from deltaworks.engine.execution.observer import Observer
from deltaworks.engine.planning.lineage import Lineage
from deltaworks.engine.planning.status import AssetStatus
from deltaworks.engine.workspace.locations.reloading import forget_all, tell_daemons
from deltaworks.engine.workspace.project import Origin, Project, load_project, load_settings, open_lake
from deltaworks.engine.workspace.settings import Settings
from deltaworks.engine.workspace.showing import lineage_of
from deltaworks.errors import DeltaworksError
from deltaworks.io.run_entry import RunEntry, RunStatus
from deltaworks.io.store import Store
from deltaworks.web.in_progress import InProgress

LOOK_S = 1.0
"""For how long a look at the lake, or at the project's files, is good."""

GROW_S = 60.0
"""How often partitions without an end are let grow."""


class Findings:
    """What is found out about a project's code when it is first asked for; it hangs on nothing in the lake."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._lock = threading.Lock()
        self._lineage: Lineage | None = None

    @property
    def lineage(self) -> Lineage:
        """What the columns of all assets are made of; see `lineage_of`."""
        with self._lock:
            if self._lineage is None:
                self._lineage = lineage_of(self._project)
            return self._lineage


@dataclass(frozen=True)
class Sight:
    """The project and its lake at one instant; a request answers from one of these."""

    project: Project
    observation: Observation
    running: Mapping[AssetKey, PartitionSet]
    """What runs that go on are still to make; only assets that have any."""
    at: dt.datetime
    findings: Findings
    settings: Settings

    @property
    def name(self) -> str:
        """What the project is called."""
        return self.settings.name

    def from_folder(self, text: object) -> str:
        """Return a text in which files of the project are named as its people do: from its folder on."""
        return str(text).replace(f"{self.settings.folder}{os.sep}", "")

    @cached_property
    def problems(self) -> Problems:
        """What keeps the status of assets from being known."""
        return Problems.of(self.observation, self.project.graph)

    @cached_property
    def live_runs(self) -> list[RunEntry]:
        """The runs that wait or go on, oldest first."""
        return [run for run in self.observation.runs if not run.status_at(self.at).is_over]

    @cached_property
    def _runs(self) -> dict[str, RunEntry]:
        return {run.run_id: run for run in self.observation.runs}

    def run(self, run_id: str) -> RunEntry | None:
        """Return a run; none: the ledger has none of that id."""
        return self._runs.get(run_id)

    def status(self, key: AssetKey) -> AssetStatus:
        """Return the status of an asset that has a table."""
        return self.observation.status[key]

    def run_status(self, run: RunEntry) -> RunStatus:
        """Return how far a run has come."""
        return run.status_at(self.at)


class Workspace:
    """A project that is loaded when it is first needed, and again when its files change."""

    def __init__(self, origin: Origin, environ: Mapping[str, str], now: Callable[[], dt.datetime]) -> None:
        """Know where the project is; nothing is loaded yet."""
        self.origin, self.environ, self.now = origin, environ, now
        self._lock = threading.Lock()
        self._watch: CodeWatch | None = None
        self._project: Project | None = None
        self._observer: Observer | None = None
        self._progress: InProgress | None = None
        self._findings: Findings | None = None
        self._settings: Settings | None = None
        self._fault: DeltaworksError | None = None
        self._sight: Sight | None = None
        self._looked_s = self._grown_s = float("-inf")
        self._was_patient = False
        """Whether the last look may have left out what others have committed."""

    def sight(self, *, anew: bool = False, patient: bool = False) -> Sight:
        """Return the project and the lake as they are; unless they are looked at `anew`, they may be a second old.

        `patient`: whether what others commit to an object store may be seen later; see `Observer.observe`.

        Cost: as `Observer.observe`, once in a second.

        Raises:
            DefinitionError: the project's settings or its code are wrong.
            StorageError: the lake cannot be read.
        """
        with self._lock:
            now_s = time.monotonic()
            is_old = now_s - self._looked_s > LOOK_S or (self._was_patient and not patient)
            if anew or self._sight is None or is_old:
                self._load_if_changed()
                self._sight = self._look(now_s, patient=patient)
                self._looked_s = time.monotonic()
                self._was_patient = patient and not self._sight.project.store.is_local
            return self._sight

    def store(self) -> Store:
        """Open the lake, whether or not the project's code can be loaded.

        Raises:
            InvalidSettings: there is no project, or its file is wrong.
        """
        return open_lake(load_settings(self.origin, self.environ))

    def reload(self) -> None:
        """Load the project anew at the next look, whether or not its files have changed."""
        with self._lock:
            self._forget_project()

    def reload_locations(self) -> None:
        """Load the project at the next look with all its code locations anew; daemons on this machine do so, too.

        Raises:
            StorageError: the lake cannot be read.
        """
        settings = load_settings(self.origin, self.environ)
        forget_all(settings.locations)
        self.reload()
        tell_daemons(open_lake(settings))

    def close(self) -> None:
        """End what the project has started: the processes of its code locations."""
        with self._lock:
            self._forget_project()

    def look_again(self) -> None:
        """Take nothing that was seen of the lake for good any more: something has just been done to it."""
        with self._lock:
            self._sight = None

    def _load_if_changed(self) -> None:
        if self._watch is None:
            self._watch = CodeWatch(load_settings(self.origin, self.environ).folder)
        elif not self._watch.changed() and (self._project is not None or self._fault is not None):
            if self._fault is not None:
                raise self._fault
            return
        settings = load_settings(self.origin, self.environ)
        _forget_modules(settings.folder)
        self._forget_project()
        try:
            self._project = load_project(self.origin, self.environ, self.now())
        except DeltaworksError as error:
            self._fault = error
            raise
        self._observer = Observer(self._project.graph, self._project.store)
        self._progress = InProgress(self._project.store)
        self._findings, self._settings = Findings(self._project), settings
        self._grown_s = time.monotonic()

    def _forget_project(self) -> None:
        if self._project is not None:
            self._project.close()
        self._project = self._fault = self._sight = None

    def _look(self, now_s: float, *, patient: bool) -> Sight:
        assert self._project is not None, "it was loaded"
        assert self._observer is not None, "it was loaded"
        assert self._progress is not None, "it was loaded"
        assert self._findings is not None, "it was loaded"
        assert self._settings is not None, "it was loaded"
        grown = self._project.grown(self.now(), is_due=now_s - self._grown_s > GROW_S)
        if grown is not None:
            self._project = grown
            self._observer.follow(grown.graph)
            self._findings = Findings(grown)
            self._grown_s = now_s
        observation, now = self._observer.observe(patient=patient), self.now()
        running = self._progress.of(self._project.graph, observation, now)
        return Sight(self._project, observation, running, now, self._findings, self._settings)


def _forget_modules(folder: Path) -> None:
    """Forget the modules of a folder, so that they are imported as they are now."""
    inside = f"{folder}{os.sep}"
    for name, module in list(sys.modules.items()):
        file: str | None = getattr(module, "__file__", None)
        if file is not None and file.startswith(inside) and not name.startswith("deltaworks"):
            del sys.modules[name]
    linecache.checkcache()
