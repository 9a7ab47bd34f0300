"""Settings: where a project's lake and modules are, and how it runs them.

They stand in `deltaworks.toml`, or under `[tool.deltaworks]` of `pyproject.toml`, found upward from the working
folder. `DELTAWORKS_LAKE` and the command line override the lake. What differs between the places where a project runs
stands under `[environments.NAME]`; `DELTAWORKS_ENVIRONMENT` or the command line names one of them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from deltaworks.engine.definitions.partitions.cron import Cron
from deltaworks.engine.definitions.resources import MASK, EnvVar
from deltaworks.engine.execution.executor_kind import ExecutorKind
from deltaworks.engine.execution.sharing import Sharing
from deltaworks.engine.workspace.environments import Environment, read_value
from deltaworks.errors import InvalidDefinition, InvalidSettings, did_you_mean
from deltaworks.io.parquet import TARGET_FILE_BYTES

FILE = "deltaworks.toml"
LAKE_VARIABLE = "DELTAWORKS_LAKE"
ENVIRONMENT_VARIABLE = "DELTAWORKS_ENVIRONMENT"


class ExecutorSettings(BaseModel):
    """How steps are run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: ExecutorKind = ExecutorKind.THREADS
    workers: int = Field(default=2, ge=1, le=256)
    """How many calls run at once."""
    memory_mb: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """How much memory a run may take, in millions of bytes; none: as much as there is."""
    target_file_bytes: int = Field(default=TARGET_FILE_BYTES, ge=1_000_000)
    """About how large the files of a large partition are."""


class QueueSettings(BaseModel):
    """How many runs there are at a time; the others are queued."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_runs: int | None = Field(default=None, ge=1)
    tags: dict[str, Annotated[int, Field(ge=1)]] = {}
    """By tag, `key=value`, or by key, for each of its values together."""


class EnvironmentSettings(BaseModel):
    """What is other in one environment."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lake: str | None = None
    resources: dict[str, dict[str, Any]] = {}
    """Values of fields, by the name of a resource; `{env = "NAME"}` is read from a variable when a run starts."""


class DaemonSettings(BaseModel):
    """What the daemon does with the runs that schedules and sensors ask for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_runs: int = Field(default=4, ge=1, le=256)
    """How many of them one daemon carries out at a time; the others wait."""
    warm: int = Field(default=2, ge=0, le=16)
    """How many processes wait for the next run with the project loaded, for ten minutes after the last one."""
    maintain: str | None = None
    """When `deltaworks maintain` is run, as a cron expression in UTC; none: never by the daemon."""

    @field_validator("maintain")
    @classmethod
    def _is_cron(cls, text: str | None) -> str | None:
        try:
            return None if text is None else str(Cron(text))
        except InvalidDefinition as error:
            raise ValueError(error.reason) from error


class FileSettings(BaseModel):
    """What a settings file may say."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lake: str = "./lake"
    modules: tuple[str, ...] = ()
    executor: ExecutorSettings = ExecutorSettings()
    queue: QueueSettings = QueueSettings()
    daemon: DaemonSettings = DaemonSettings()
    pools: dict[str, Annotated[int, Field(ge=1)]] = {}
    """How many calls of each pool run at a time, across all runs of the lake."""
    durable: bool = True
    """Whether commits are synced to the disk before they count as made."""
    environment: str | None = None
    """Which of `environments` is in force, unless somebody names another."""
    environments: dict[str, EnvironmentSettings] = {}


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
class Written:
    """A settings file."""

    file: Path
    settings: FileSettings


@dataclass(frozen=True, slots=True)
class Settings:
    """What is in force for a project."""

    folder: Path
    """Modules are imported from here, and a relative lake of the file lies below it."""
    lake: str
    modules: tuple[str, ...]
    executor: ExecutorSettings
    queue: QueueSettings
    daemon: DaemonSettings
    pools: Mapping[str, int]
    durable: bool
    environment: Environment | None
    given: Mapping[str, Given]
    """Where each setting comes from; what is not named is a default."""

    @property
    def sharing(self) -> Sharing:
        """How much of what runs share they may have."""
        return Sharing(self.queue.max_runs, self.queue.tags, self.pools)

    def listed(self) -> Iterator[Setting]:
        """Yield every setting that a file may have, in its order."""
        for name in FileSettings.model_fields:
            if name == "environments":
                continue  # the one that is in force says what of them counts
            value: object = getattr(self, name)
            if isinstance(value, Environment):
                value = value.name
            parts = {f"{name}.{part}": each for part, each in value} if isinstance(value, BaseModel) else {name: value}
            for dotted, each in parts.items():
                yield Setting(dotted, each, self.given.get(dotted, Given(Source.DEFAULT)))
        if self.environment is not None:
            for resource, values in self.environment.resources.items():
                for name, value in values.items():
                    yield _of_resource(f"resources.{resource}.{name}", value, self.environment)


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
        written = _read(folder)
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
        chosen,
        modules,
        said.executor,
        said.queue,
        said.daemon,
        said.pools,
        said.durable,
        inside,
        given,
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
    return Environment(name, str(written.file), resources)


def _said(model: BaseModel, prefix: str = "") -> Iterator[str]:
    """Yield the dotted names of what somebody wrote."""
    for name in model.model_fields_set:
        value: object = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _said(value, f"{prefix}{name}.")
        elif name == "environments":
            for each, inside in cast("dict[str, EnvironmentSettings]", value).items():
                yield from _said(inside, f"environments.{each}.")
        else:
            yield f"{prefix}{name}"


def _read(folder: Path) -> Written | None:
    own, shared = folder / FILE, folder / "pyproject.toml"
    if own.is_file():
        return _parse(own, _load(own))
    if shared.is_file():
        section = _load(shared).get("tool", {}).get("deltaworks")
        return None if section is None else _parse(shared, section)
    return None


def _load(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidSettings(f"{file} is not valid TOML: {error}") from error


def _parse(file: Path, section: Mapping[str, Any]) -> Written:
    try:
        settings = FileSettings.model_validate(section)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(map(str, first["loc"]))
        if first["type"] == "extra_forbidden":
            parts: dict[str, type[BaseModel]] = {
                "executor": ExecutorSettings,
                "queue": QueueSettings,
                "daemon": DaemonSettings,
            }
            parts |= {f"environments.{each}": EnvironmentSettings for each in section.get("environments", ())}
            inner = (f"{part}.{field}" for part, model in parts.items() for field in model.model_fields)
            known = {*FileSettings.model_fields, *inner}
            close = get_close_matches(name, known, n=1)
            hint = f"Did you mean {close[0]!r}?" if close else f"Known are {', '.join(sorted(known))}."
            raise InvalidSettings(f"{file}: there is no setting {name!r}. {hint}") from error
        found = "" if name.startswith("environments.") else f", not {first['input']!r}"  # it may be secret
        raise InvalidSettings(f"{file}: setting {name!r}: {first['msg']}{found}") from error
    if not settings.modules:
        raise InvalidSettings(f'{file} names no modules; add for example `modules = ["tables"]`')
    return Written(file, settings)
