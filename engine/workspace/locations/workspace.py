"""Workspace: the code locations of a project, each loaded in its own process or taken from what it told before."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.workspace.environments import Environment
from deltaworks.engine.workspace.locations.cache import Answers, Cached, Stamp, edited_since, keep, read_cached, stamped
from deltaworks.engine.workspace.locations.description import Description
from deltaworks.engine.workspace.locations.process import LocationProcess
from deltaworks.engine.workspace.locations.spec import LocationSpec
from deltaworks.engine.workspace.locations.stubs import stubs
from deltaworks.errors import DefinitionError, InvalidSettings, RequestError

_AT_ONCE = 8
"""How many locations are loaded at a time."""

_AGAIN_S = 30.0
"""How long a location that could not be loaded is not tried again: each time takes all that its import takes."""


@dataclass
class CodeLocation:
    """One code location, as its host knows it."""

    spec: LocationSpec
    base: Mapping[str, str]
    """The variables of whoever starts its processes."""
    environment: Environment | None
    description: Description | None = None
    """What it defines, as it told last; none: it has never told."""
    fault: DefinitionError | None = None
    """Why it cannot be loaded now; what it told before stands for it, if it ever did."""
    answers: Answers = field(default_factory=Answers)
    is_cached: bool = False
    """Whether it did not have to be loaded."""
    _stamp: Stamp | None = None
    _process: LocationProcess | None = None
    _again_at_s: float = 0.0
    """When it is tried again to load it, if it has a fault, on this process's own clock."""
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _has_learned: bool = False

    def load(self) -> None:
        """Learn what it defines: from what is kept, if nothing has changed, else from its process."""
        try:
            environ = self.spec.environ(self.base)
            self.spec.refuse_no_interpreter()
            cached = read_cached(self.spec, environ, self.environment)
            if cached is not None:
                self._take(cached)
            if cached is None or not cached.is_fresh:
                self.process()
        except DefinitionError as error:
            self.fault = error
            if self.description is None:
                self._recall()

    def process(self) -> LocationProcess:
        """Return its process, with its code imported; start one if there is none.

        Raises:
            LocationFailed: it cannot be started as the settings say, or its code cannot be imported, now or a moment
                ago.
        """
        with self._lock:
            if self._process is not None and self._process.is_over:
                self._process.end()
                self._process = None
            if self._process is None:
                if self.fault is not None and time.monotonic() < self._again_at_s:
                    raise self.fault.with_traceback(None)
                try:
                    self._process = self._started()
                except DefinitionError as error:
                    self.fault, self._again_at_s = error, time.monotonic() + _AGAIN_S
                    raise
            return self._process

    def ask_function(self, address: str, key: str) -> tuple[str, ...]:
        """Ask a mapping function about a key; what it once said is remembered.

        Raises:
            LocationFailed: its process cannot be started, or ended.
            DeltaworksError: the function raised.
        """
        known = self.answers.setdefault(address, {})
        if key not in known:
            told: tuple[str, ...] = self.process().ask("map", {"address": address, "key": key}, timeout_s=60.0)
            known[key] = told
            self._has_learned = True
        return known[key]

    def definitions(self) -> Definitions | None:
        """Return what it defines, without its code; none: nobody knows."""
        return None if self.description is None else stubs(self.description, self.ask_function)

    def remember(self) -> None:
        """Keep what functions have said since it was loaded."""
        if self._has_learned and self.description is not None and self._stamp is not None and self.fault is None:
            self._has_learned = False
            keep(self.spec, self._stamp, self.description, self.answers)

    def close(self) -> None:
        """End its process."""
        with self._lock:
            if self._process is not None:
                self._process.end()
                self._process = None

    def _take(self, cached: Cached) -> None:
        self.description, self.is_cached = cached.description, cached.is_fresh
        self.answers, self._stamp = cached.answers if cached.is_fresh else {}, cached.stamp

    def _recall(self) -> None:
        cached = read_cached(self.spec, {}, self.environment)
        if cached is not None:
            self._take(cached)
            self.is_cached = False

    def _started(self) -> LocationProcess:
        begun_ns, process = time.time_ns(), LocationProcess(self.spec, self.base)
        told = {
            "name": self.spec.name,
            "modules": self.spec.modules,
            "folder": str(self.spec.folder),
            "environment": self.environment,
        }
        try:
            description: Description = process.ask(
                "describe", told, timeout_s=self.spec.import_timeout_s, memory_mb=self.spec.memory_mb
            )
        except BaseException:
            process.end()
            raise
        stamp = stamped(self.spec, self.spec.environ(self.base), self.environment, description)
        if edited_since(description.files, begun_ns):
            stamp = Stamp("", "")  # read before or after, nobody knows: it is loaded again the next time
        if stamp != self._stamp:
            self.answers = {}  # to functions that are others by now
        self.description, self.fault, self._stamp = description, None, stamp
        keep(self.spec, stamp, description, self.answers)
        return process


@dataclass(frozen=True)
class Workspace:
    """The code locations of a project."""

    locations: Mapping[str, CodeLocation]

    @property
    def faults(self) -> Mapping[str, DefinitionError]:
        """The locations that cannot be loaded now, and why."""
        return {name: each.fault for name, each in self.locations.items() if each.fault is not None}

    def location(self, name: str) -> CodeLocation:
        """Return a location.

        Raises:
            InvalidSettings: there is none of that name.
        """
        if name not in self.locations:
            raise unknown_location(name, self.locations)
        return self.locations[name]

    def owner_of_job(self, name: str) -> str:
        """Return which location a job is of.

        Raises:
            RequestError: there is none of that name.
        """
        for location, each in self.locations.items():
            if each.description is not None and any(job.name == name for job in each.description.jobs):
                return location
        raise RequestError(f"No location has a job {name!r}.")

    def owner_of_tick(self, name: str) -> str:
        """Return which location a schedule or a sensor is of; it may have the name of a job of another.

        Raises:
            RequestError: there is none of that name.
        """
        for location, each in self.locations.items():
            found = each.description
            if found is None:
                continue
            if name in {one.name for one in found.schedules} | {one.name for one in found.sensors}:
                return location
        raise RequestError(f"No location has a schedule or a sensor {name!r}.")

    def hooked(self, job: str | None) -> str | None:
        """Return which location has the hooks of a job; none: it has none."""
        for location, each in self.locations.items():
            if job is not None and each.description is not None and job in each.description.hooked:
                return location
        return None

    def close(self) -> None:
        """Keep what was learned, and end all processes."""
        for each in self.locations.values():
            each.remember()
            each.close()


def load_workspace(
    specs: Sequence[LocationSpec], base: Mapping[str, str], environment: Environment | None = None
) -> Workspace:
    """Load code locations, several at a time; one that cannot be loaded keeps none of the others from it.

    Args:
        specs: the locations.
        base: the variables of whoever starts their processes.
        environment: gives their resources other values.
    """
    locations = {spec.name: CodeLocation(spec, base, environment) for spec in specs}
    with ThreadPoolExecutor(min(_AT_ONCE, max(1, len(locations)))) as pool:
        for each in [pool.submit(location.load) for location in locations.values()]:
            each.result()
    return Workspace(locations)


def unknown_location(name: str, known: Iterable[str]) -> InvalidSettings:
    """Return what refuses the name of a location that there is not."""
    names = list(known)
    there = f"there are {', '.join(names)}" if names else "the settings have no [[locations]]"
    return InvalidSettings(f"there is no location {name!r}; {there}")
