"""Project: settings, definitions and the store of the lake, loaded together."""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.definitions.ops.job import Job, ops_in
from deltaworks.engine.definitions.partitions.resolution import DynamicKeys
from deltaworks.engine.execution.opening import refuse_own_tables
from deltaworks.engine.execution.sharing import Sharing
from deltaworks.engine.execution.workers.child import die_with_parent
from deltaworks.engine.planning.graph import AssetGraph, build_graph
from deltaworks.engine.planning.sensor_fit import refuse_unfit_sensors
from deltaworks.engine.workspace.dynamic_keys import read_dynamic_keys
from deltaworks.engine.workspace.environments import Environment
from deltaworks.engine.workspace.loading import load_file, load_modules
from deltaworks.engine.workspace.locations.around import PartRecipe
from deltaworks.engine.workspace.locations.handing import surroundings
from deltaworks.engine.workspace.locations.handover import Handover, take_over
from deltaworks.engine.workspace.locations.joining import fitting_graph, join, keys_of
from deltaworks.engine.workspace.locations.workspace import Workspace, load_workspace, unknown_location
from deltaworks.engine.workspace.settings import Settings, find_settings, resolve
from deltaworks.engine.workspace.settings_file import ExecutorSettings
from deltaworks.errors import DefinitionError, InvalidDefinition, InvalidSettings
from deltaworks.io.store import Store


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a project was loaded, so that another process of the same run can load it just so. It pickles."""

    file: Path | None
    """Its only file, if it is told by that; else it is told by its modules and their folder."""
    modules: tuple[str, ...]
    folder: Path
    now: dt.datetime
    """When partitions without an end are taken to end."""
    keys: DynamicKeys | None = None
    """Those of dynamic partitions; none: the lake was not read."""
    environment: Environment | None = None
    """What gives resources other values; none: they have those of the code."""

    def definitions(self) -> Definitions:
        """Import what the project defines.

        Raises:
            DefinitionError: its code is wrong, or its environment does not fit it.
        """
        definitions = load_file(self.file) if self.file else load_modules(self.modules, self.folder)
        return definitions if self.environment is None else self.environment.applied_to(definitions)

    def load(self) -> tuple[Definitions, AssetGraph]:
        """Import what the project defines, and relate it as it was.

        Raises:
            DefinitionError: its code is wrong.
        """
        definitions = self.definitions()
        return definitions, build_graph(definitions, self.now, self.keys)


@dataclass(frozen=True)
class Project:
    """What commands work on."""

    definitions: Definitions
    graph: AssetGraph
    store: Store
    executor: ExecutorSettings
    recipe: Recipe | PartRecipe
    sharing: Sharing
    workspace: Workspace | None = None
    """The code locations that the definitions are of, which have no code here then; none: this process has the code."""
    problems: tuple[DefinitionError, ...] = ()
    """Why some of what code locations define was left out, and why some of them are not loaded."""

    @property
    def op_counts(self) -> Mapping[str, int]:
        """By job of ops, how many it has."""
        if self.workspace is not None:
            described = [each.description for each in self.workspace.locations.values()]
            return {name: count for each in described if each is not None for name, count in each.op_counts.items()}
        jobs = self.definitions.jobs.items()
        return {name: sum(1 for _ in ops_in(job.graph)) for name, job in jobs if isinstance(job, Job)}

    def handover(self, location: str) -> Handover:
        """Return what a command in a location's own interpreter has to know of the others."""
        assert self.workspace is not None, "only a workspace has locations"
        wanted, description = set(keys_of(self.graph, location)), self.workspace.location(location).description
        read = () if description is None else (key for key in description.reads if key in self.graph.every)
        around = surroundings(self.graph, location, wanted, self.recipe.now, self.recipe.keys, read)
        return Handover(location, around)

    def grown(self, now: dt.datetime, *, is_due: bool) -> Project | None:
        """Return this project as it is at an instant; none: it is the same.

        `is_due`: whether partitions without an end are looked at; new keys of dynamic partitions always are.

        Raises:
            StorageError: the lake's keys are damaged.
        """
        assert isinstance(self.recipe, Recipe), "only a run across code locations has projects that are parts"
        keys = read_dynamic_keys(self.definitions, self.store)
        if keys == self.recipe.keys and not is_due:
            return None
        recipe = replace(self.recipe, now=now, keys=keys)
        return replace(self, graph=build_graph(self.definitions, now, keys), recipe=recipe)

    def close(self) -> None:
        """End the processes of its code locations."""
        if self.workspace is not None:
            self.workspace.close()


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a command was told to find its project; nothing: upward from the working folder."""

    folder: Path | None = None
    file: Path | None = None
    module: str | None = None
    lake: str | None = None
    environment: str | None = None
    location: str | None = None
    """The code location whose assets are meant where nobody names any; none: all of them."""

    def to_text(self) -> str:
        """Return this for another process."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_text(cls, text: str) -> Origin:
        """Return what `to_text` has written."""
        given: dict[str, Any] = json.loads(text)
        folder, file = (None if (path := given.pop(name)) is None else Path(path) for name in ("folder", "file"))
        return cls(folder, file, **given)


def load_settings(origin: Origin, environ: Mapping[str, str]) -> Settings:
    """Read a project's settings, and none of its code.

    Raises:
        InvalidSettings: there is no project, or its file is wrong.
    """
    if origin.file is not None and origin.module is not None:
        raise InvalidSettings("-f and -m both say what to load; give one of them")
    folder, environment = origin.folder or Path.cwd(), origin.environment
    if origin.file is not None:
        return resolve(origin.file.resolve().parent, None, origin.lake, environ, environment=environment)
    if origin.module is not None:
        return resolve(folder, None, origin.lake, environ, origin.module, environment)
    return find_settings(folder, origin.lake, environ, environment)


def open_lake(settings: Settings) -> Store:
    """Open the lake of a project; nothing is read or created.

    Raises:
        InvalidSettings, StorageError: no lake can lie there.
    """
    return Store.at(settings.lake, durable=settings.durable, profile=settings.lake_storage, profiles=settings.storages)


def load_project(origin: Origin, environ: Mapping[str, str], now: dt.datetime, *, reads_lake: bool = True) -> Project:
    """Load a project, with the keys that its dynamic partitions have in the lake unless that is not to be read.

    A project with code locations has none of their code here, and has to be closed. What of it is broken is in its
    problems, not raised.

    Raises:
        DefinitionError: its settings or its code are wrong.
        StorageError: the lake's keys are damaged.
    """
    settings = load_settings(origin, environ)
    handover = take_over(environ) if settings.locations else None
    if handover is not None:
        return _load_inside(settings, handover)
    if settings.locations:
        return _load_locations(settings, origin, environ, now, reads_lake=reads_lake)
    if origin.location is not None:
        raise unknown_location(origin.location, ())
    recipe = Recipe(origin.file, settings.modules, settings.folder, now, environment=settings.environment)
    definitions = recipe.definitions()
    if not definitions.assets and not definitions.jobs:
        where = origin.file or ", ".join(settings.modules)
        raise InvalidDefinition(f"{where} defines no assets; an asset is a function under @deltaworks.asset")
    store = open_lake(settings)
    refuse_own_tables(definitions, store)
    keys = read_dynamic_keys(definitions, store) if reads_lake else None
    recipe = replace(recipe, keys=keys)
    graph = build_graph(definitions, now, keys)
    refuse_unfit_sensors(definitions, graph)
    return Project(definitions, graph, store, settings.executor, recipe, settings.sharing)


def _load_inside(settings: Settings, handover: Handover) -> Project:
    """Load one code location in its own interpreter, with what it was handed over of the others."""
    die_with_parent()
    spec = next(each for each in settings.locations if each.name == handover.location)
    os.chdir(spec.folder)
    around = handover.around
    found = Recipe(None, spec.modules, spec.folder, around.now, around.keys, settings.environment).definitions()
    related, graph = around.related(found)
    definitions = Definitions(
        related.assets,
        found.resources,
        related.checks,
        found.jobs.values(),
        found.schedules.values(),
        found.sensors.values(),
    )
    recipe = PartRecipe(spec.modules, spec.folder, settings.environment, around)
    return Project(definitions, graph, open_lake(settings), settings.executor, recipe, settings.sharing)


def _load_locations(
    settings: Settings, origin: Origin, environ: Mapping[str, str], now: dt.datetime, *, reads_lake: bool
) -> Project:
    if origin.location is not None and origin.location not in {each.name for each in settings.locations}:
        raise unknown_location(origin.location, (each.name for each in settings.locations))
    workspace = load_workspace(settings.locations, environ, settings.environment)
    try:
        loaded = {
            name: found for name, each in workspace.locations.items() if (found := each.definitions()) is not None
        }
        faults = workspace.faults
        if not loaded and faults:
            raise next(iter(faults.values()))
        if settings.environment is not None and not faults:
            settings.environment.refuse_unknown({name for each in loaded.values() for name in each.resources})
        joined = join(loaded, {name: str(fault) for name, fault in faults.items() if name not in loaded})
        store = open_lake(settings)
        refuse_own_tables(joined.definitions, store)
        keys = read_dynamic_keys(joined.definitions, store) if reads_lake else None
        joined, graph = fitting_graph(joined, now, keys)
        refuse_unfit_sensors(joined.definitions, graph)
        for each in workspace.locations.values():
            each.remember()
    except BaseException:
        workspace.close()
        raise
    recipe = Recipe(None, (), settings.folder, now, keys, settings.environment)
    problems = (*faults.values(), *joined.problems)
    graph = replace(graph, scope=None if origin.location is None else keys_of(graph, origin.location))
    return Project(joined.definitions, graph, store, settings.executor, recipe, settings.sharing, workspace, problems)
