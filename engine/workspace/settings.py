"""Settings: where a project's lake and modules are, and how it runs them.

They stand in `deltaworks.toml`, or under `[tool.deltaworks]` of `pyproject.toml`, found upward from the working
folder. `DELTAWORKS_LAKE` and the command line override the lake. What differs between the places where a project runs
stands under `[environments.NAME]`; `DELTAWORKS_ENVIRONMENT` or the command line names one of them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import cast

from pydantic import BaseModel

from deltaworks.engine.definitions.resources import MASK, EnvVar
from deltaworks.engine.execution.sharing import Sharing
from deltaworks.engine.workspace.alert_settings import AlertSettings
from deltaworks.engine.workspace.environments import Environment, read_value
from deltaworks.engine.workspace.locations.spec import LocationSpec
from deltaworks.engine.workspace.settings_file import (
    FILE,
    DaemonSettings,
    EnvironmentSettings,
    ExecutorSettings,
    FileSettings,
    LocationSettings,
    QueueSettings,
    Written,
    read_settings_file,
)
from deltaworks.engine.workspace.storage_settings import StorageSettings
from deltaworks.engine.workspace.variable import Variable
from deltaworks.errors import InvalidSettings, did_you_mean
from deltaworks.io.stores.storage import Storages

LAKE_VARIABLE = "DELTAWORKS_LAKE"
ENVIRONMENT_VARIABLE = "DELTAWORKS_ENVIRONMENT"


class Source(StrEnum):
    """What a setting can come from; each overrides those before it."""

    DEFAULT = "default"
    """Nobody said anything."""
    FILE = "file"
    ENVIRONMENT = "environment"
    COMMAND_LINE = "command line"


@dataclass(frozen=True, slots=True)
class Given:
    """Where the value of a setting comes from."""

    source: Source
    name: str | None = None
    """The file's path, the variable's name or the option."""

    def __str__(self) -> str:
        return self.name or self.source.value


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as it is in force."""

    name: str
    """Sections and name, joined by dots."""
    value: object
    given: Given


@dataclass(frozen=True, slots=True)
class Settings:
    """What is in force for a project."""

    folder: Path
    """Modules are imported from here, and a relative lake of the file lies below it."""
    name: str
    """What the project is called."""
    lake: str
    lake_storage: str | None
    storage: Mapping[str, StorageSettings]
    modules: tuple[str, ...]
    locations: tuple[LocationSpec, ...]
    """The code locations of a workspace; none: the modules are the only one, and are loaded where they are needed."""
    executor: ExecutorSettings
    queue: QueueSettings
    daemon: DaemonSettings
    alerts: tuple[AlertSettings, ...]
    pools: Mapping[str, int]
    durable: bool
    environment: Environment | None
    given: Mapping[str, Given]
    """Where each setting comes from; what is not named is a default."""

    @property
    def storages(self) -> Storages:
        """How object stores are reached."""
        return Storages(tuple(each.storage(name) for name, each in self.storage.items()))

    @property
    def sharing(self) -> Sharing:
        """How much of what runs share they may have."""
        return Sharing(self.queue.max_runs, self.queue.tags, self.pools)

    def listed(self) -> Iterator[Setting]:
        """Yield every setting that a file may have, in its order."""
        for name in FileSettings.model_fields:
            if name in ("environments", "locations", "alerts", "storage"):
                continue  # what of them counts comes below
            value: object = getattr(self, name)
            if isinstance(value, Environment):
                value = value.name
            parts = {f"{name}.{part}": each for part, each in value} if isinstance(value, BaseModel) else {name: value}
            for dotted, each in parts.items():
                yield Setting(dotted, each, self.given.get(dotted, Given(Source.DEFAULT)))
        for prefix, section in self._sections():
            for name, value in section.shown():
                yield Setting(f"{prefix}.{name}", value, self.given[prefix.partition(".")[0]])
        for location in self.locations:
            yield from _of_location(location, self.given)
        if self.environment is not None:
            for resource, values in self.environment.resources.items():
                for name, value in values.items():
                    yield _of_resource(f"resources.{resource}.{name}", value, self.environment)

    def _sections(self) -> Iterator[tuple[str, StorageSettings | AlertSettings]]:
        """Yield the named parts of a file that know what of them may be shown."""
        yield from ((f"storage.{name}", each) for name, each in self.storage.items())
        yield from ((f"alerts.{each.name}", each) for each in self.alerts)


def _of_location(location: LocationSpec, given: Mapping[str, Given]) -> Iterator[Setting]:
    """Yield what is in force for a code location; its variables may be secret."""
    prefix = f"locations.{location.name}"
    values: dict[str, object] = {
        "python": location.python,
        "modules": location.modules,
        "working_directory": str(location.folder),
        "environment_file": None if location.environment_file is None else str(location.environment_file),
        "import_timeout_s": location.import_timeout_s,
        "memory_mb": location.memory_mb,
    }
    for name, value in values.items():
        yield Setting(f"{prefix}.{name}", value, given.get(f"{prefix}.{name}", Given(Source.DEFAULT)))
    for name, value in location.environment.items():
        if isinstance(value, EnvVar):
            yield Setting(f"{prefix}.environment.{name}", f"${value.name}", Given(Source.ENVIRONMENT, value.name))
        else:
            yield Setting(f"{prefix}.environment.{name}", MASK, given[f"{prefix}.environment"])


def _of_resource(name: str, value: object, environment: Environment) -> Setting:
    """Return a value of a resource as it may be shown: without its code nobody knows which texts are secret."""
    if isinstance(value, EnvVar):
        return Setting(name, f"${value.name}", Given(Source.ENVIRONMENT, value.name))
    is_plain = value is None or isinstance(value, bool | int | float)
    return Setting(name, value if is_plain else MASK, Given(Source.FILE, environment.file))


def find_settings(
    start: Path, lake: str | None, environ: Mapping[str, str], environment: str | None = None
) -> Settings:
    """Read the settings of the project that a folder belongs to.

    Raises:
        InvalidSettings: there is no project upward from `start`, or its file is wrong.
    """
    if not start.is_dir():
        raise InvalidSettings(f"there is no folder {start}")
    for folder in (start.resolve(), *start.resolve().parents):
        written = read_settings_file(folder)
        if written is not None:
            return resolve(folder, written, lake, environ, environment=environment)
    raise InvalidSettings(
        f"there is no {FILE} in {start.resolve()} or above it, and no [tool.deltaworks] in a pyproject.toml; "
        f'write one with `modules = ["your_module"]`, name a file with -f FILE.py, or make a project with '
        "`deltaworks init`"
    )


def resolve(
    folder: Path,
    written: Written | None,
    lake: str | None,
    environ: Mapping[str, str],
    module: str | None = None,
    environment: str | None = None,
) -> Settings:
    """Return the settings in force: the command line over variables, over the file's environment, over the file.

    Args:
        folder: the project's folder.
        written: its settings file, if it has one.
        lake: the lake that the command line names.
        environ: where `DELTAWORKS_LAKE` and `DELTAWORKS_ENVIRONMENT` may stand; empty, they say nothing.
        module: the module that the command line names.
        environment: the environment that the command line names.

    Raises:
        InvalidSettings: there is no such environment.
    """
    said = FileSettings() if written is None else written.settings
    given = {} if written is None else dict.fromkeys(_said(said), Given(Source.FILE, str(written.file)))
    name = said.environment
    if environ.get(ENVIRONMENT_VARIABLE):
        name, given["environment"] = environ[ENVIRONMENT_VARIABLE], Given(Source.ENVIRONMENT, ENVIRONMENT_VARIABLE)
    if environment:
        name, given["environment"] = environment, Given(Source.COMMAND_LINE, "--environment")
    inside = None if name is None else _environment(name, written, given["environment"])
    own_lake = None if name is None else said.environments[name].lake
    if own_lake is not None:
        given["lake"] = given["environments." + str(name) + ".lake"]
    chosen = said.lake if own_lake is None else own_lake
    own_storage = None if name is None else said.environments[name].lake_storage
    if own_storage is not None:
        given["lake_storage"] = given["environments." + str(name) + ".lake_storage"]
    chosen = chosen if "://" in chosen else str(folder / Path(chosen).expanduser())
    if environ.get(LAKE_VARIABLE):
        chosen, given["lake"] = environ[LAKE_VARIABLE], Given(Source.ENVIRONMENT, LAKE_VARIABLE)
    if lake:
        chosen, given["lake"] = lake, Given(Source.COMMAND_LINE, "--lake")
    modules = said.modules
    if module is not None:
        modules, given["modules"] = (module,), Given(Source.COMMAND_LINE, "--module")
    return Settings(
        folder,
        said.name or folder.name or str(folder),
        chosen,
        said.lake_storage if own_storage is None else own_storage,
        said.storage,
        modules,
        tuple(_location(each, said, folder) for each in said.locations),
        said.executor,
        said.queue,
        said.daemon,
        tuple(each.below(folder) for each in said.alerts),
        said.pools,
        said.durable,
        inside,
        given,
    )


def _location(location: LocationSettings, said: FileSettings, folder: Path) -> LocationSpec:
    def path(text: str) -> Path:
        # Not resolved: the program of a virtual environment is a link, and by it Python finds its packages.
        return Path(os.path.normpath(folder / Path(text).expanduser()))

    taken = frozenset[str]().union(*(each.taken for each in said.locations))
    return LocationSpec(
        location.name,
        sys.executable if location.python is None else str(path(location.python)),
        location.modules,
        path(location.working_directory),
        {name: EnvVar(each.env) if isinstance(each, Variable) else each for name, each in location.environment.items()},
        None if location.environment_file is None else path(location.environment_file),
        taken - location.taken.union(*(each.variables for each in said.storage.values())),
        location.import_timeout_s,
        location.memory_mb,
    )


def _environment(name: str, written: Written | None, given: Given) -> Environment:
    if written is None:
        raise InvalidSettings(f"{given} names environment {name!r}, but with -f or -m no settings file is read")
    known = written.settings.environments
    if name not in known:
        there = f" There are {', '.join(known)}." if known else f" Write [environments.{name}] into the file."
        hint = did_you_mean(name, known, otherwise=there)
        raise InvalidSettings(f"{given} names environment {name!r}, which {written.file} does not have.{hint}")
    resources = {
        resource: {field: read_value(value) for field, value in values.items()}
        for resource, values in known[name].resources.items()
    }
    return Environment(name, str(written.file), resources, is_shared=bool(written.settings.locations))


def _said(model: BaseModel, prefix: str = "") -> Iterator[str]:
    """Yield the dotted names of what somebody wrote."""
    for name in model.model_fields_set:
        value: object = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _said(value, f"{prefix}{name}.")
        elif name == "environments":
            for each, inside in cast("dict[str, EnvironmentSettings]", value).items():
                yield from _said(inside, f"environments.{each}.")
        elif name == "locations":
            for location in cast("tuple[LocationSettings, ...]", value):
                yield from _said(location, f"locations.{location.name}.")
        else:
            yield f"{prefix}{name}"
