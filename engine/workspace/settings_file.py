"""SettingsFile: what a project's settings file may say, and what is said of one that is wrong."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from deltaworks.engine.definitions.partitions.cron import Cron
from deltaworks.engine.execution.workers.cluster import Cluster, Tls
from deltaworks.engine.execution.workers.executor_kind import ExecutorKind
from deltaworks.engine.workspace.alert_settings import AlertSettings
from deltaworks.engine.workspace.storage_settings import StorageSettings
from deltaworks.engine.workspace.variable import Variable
from deltaworks.errors import InvalidDefinition, InvalidSettings, did_you_mean
from deltaworks.io.parquet import TARGET_FILE_BYTES

FILE = "deltaworks.toml"

ResourceUser: TypeAlias = Annotated[str, Field(pattern=r"^(pool:.+|tag:.+=.+)$")]
"""`pool:NAME` or `tag:KEY=VALUE`."""


class TlsSettings(BaseModel):
    """The files by which a scheduler and those who talk to it know each other; from the project's folder."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ca_file: str
    cert_file: str
    key_file: str


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
    scheduler: str | None = Field(default=None, pattern=r"^[a-z]+://.+$")
    """That of the Dask cluster; none: Dask runs in the process of the run, and `workers` processes on this machine."""
    tls: TlsSettings | None = None
    """How it is talked to; none: in plain text."""
    resources: dict[ResourceUser, dict[str, Annotated[float, Field(gt=0)]]] = {}
    """What Dask workers must offer to calls in a pool or with a tag."""

    def cluster(self, folder: Path, asked: int | None) -> Cluster:
        """Return where Dask is.

        Args:
            folder: the project's.
            asked: how many calls at once a command wants; none: as many as there are threads. `workers` is for this
                machine.
        """
        tls = self.tls
        files = (
            None if tls is None else Tls(*(str(folder / file) for file in (tls.ca_file, tls.cert_file, tls.key_file)))
        )
        return Cluster(self.scheduler, files, None if self.scheduler is None else asked, self.resources)


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
    lake_storage: str | None = None
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


class LocationSettings(BaseModel):
    """One code location of a workspace."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,99}$")
    modules: tuple[str, ...] = Field(min_length=1)
    python: str | None = None
    """Its interpreter, from the project's folder; none: the one that runs this."""
    working_directory: str = "."
    """Where its modules are imported from, and its processes run; from the project's folder."""
    environment: dict[str, str | Variable] = {}
    """Variables of its processes, and of no others."""
    environment_file: str | None = None
    """Where more of them stand, a `NAME=value` a line."""
    import_timeout_s: float = Field(default=60.0, gt=0, allow_inf_nan=False)
    """How long importing its modules may take."""
    memory_mb: float = Field(default=4_000.0, gt=0, allow_inf_nan=False)
    """How much memory that may take, in millions of bytes."""

    @property
    def taken(self) -> frozenset[str]:
        """The variables that it takes from those of whoever starts it."""
        return frozenset(each.env for each in self.environment.values() if isinstance(each, Variable))


class FileSettings(BaseModel):
    """What a settings file may say."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lake: str = "./lake"
    modules: tuple[str, ...] = ()
    locations: tuple[LocationSettings, ...] = ()
    executor: ExecutorSettings = ExecutorSettings()
    queue: QueueSettings = QueueSettings()
    daemon: DaemonSettings = DaemonSettings()
    alerts: tuple[AlertSettings, ...] = ()
    """Who is told of what goes wrong."""
    pools: dict[str, Annotated[int, Field(ge=1)]] = {}
    """How many calls of each pool run at a time, across all runs of the lake."""
    name: str | None = Field(default=None, min_length=1, max_length=100)
    """What the project is called where people look at it; none: as its folder."""
    durable: bool = True
    """Whether commits are synced to the disk before they count as made."""
    lake_storage: str | None = None
    """Which of `storage` says how the object store is reached that the lake lies in; none: the environment does."""
    storage: dict[str, StorageSettings] = {}
    """How object stores are reached, by names of one's own."""
    environment: str | None = None
    """Which of `environments` is in force, unless somebody names another."""
    environments: dict[str, EnvironmentSettings] = {}


@dataclass(frozen=True, slots=True)
class Written:
    """A settings file."""

    file: Path
    settings: FileSettings


def read_settings_file(folder: Path) -> Written | None:
    """Read the settings file of a folder; none: it has none.

    Raises:
        InvalidSettings: it is wrong.
    """
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
            raise InvalidSettings(f"{file}: there is no setting {name!r}. {_hint(name, section)}") from error
        found = (
            ""
            if name.startswith(("environments.", "locations.", "alerts.", "storage."))
            else f", not {first['input']!r}"
        )  # it may be secret
        raise InvalidSettings(f"{file}: setting {name!r}: {first['msg']}{found}") from error
    _refuse_misfits(file, settings)
    return Written(file, settings)


def _hint(name: str, section: Mapping[str, Any]) -> str:
    """Say which settings there are that are called nearly so."""
    parts: dict[str, type[BaseModel]] = {
        "executor": ExecutorSettings,
        "executor.tls": TlsSettings,
        "queue": QueueSettings,
        "daemon": DaemonSettings,
    }
    parts |= {f"environments.{each}": EnvironmentSettings for each in section.get("environments", ())}
    parts |= {f"storage.{each}": StorageSettings for each in section.get("storage", ())}
    parts |= {f"alerts.{place}": AlertSettings for place, _ in enumerate(section.get("alerts", ()))}
    parts |= {f"locations.{place}": LocationSettings for place, _ in enumerate(section.get("locations", ()))}
    known = [
        *FileSettings.model_fields,
        *(f"{part}.{field}" for part, kind in parts.items() for field in kind.model_fields),
    ]
    close = get_close_matches(name, known, n=1)
    return f"Did you mean {close[0]!r}?" if close else f"Known are {', '.join(sorted(known))}."


def _refuse_misfits(file: Path, settings: FileSettings) -> None:
    """Refuse settings that make no sense together.

    Raises:
        InvalidSettings: they do not.
    """
    names = [each.name for each in settings.locations]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InvalidSettings(f"{file}: there are two locations {twice!r}; give each a name of its own")
    alerts = [each.name for each in settings.alerts]
    double = next((name for name in alerts if alerts.count(name) > 1), None)
    if double is not None:
        raise InvalidSettings(f"{file}: there are two alerts {double!r}; give each a name of its own")
    named = {"lake_storage": settings.lake_storage}
    named |= {f"environments.{name}.lake_storage": each.lake_storage for name, each in settings.environments.items()}
    for setting, profile in named.items():
        if profile is not None and profile not in settings.storage:
            hint = did_you_mean(profile, settings.storage, otherwise=f" Write [storage.{profile}] into the file.")
            raise InvalidSettings(f"{file}: setting {setting!r}: there is no storage {profile!r}.{hint}")
    if settings.locations and settings.modules:
        raise InvalidSettings(
            f"{file} has both modules and [[locations]]; move the modules into a location of their own"
        )
    if not settings.locations and not settings.modules:
        raise InvalidSettings(f'{file} names no modules; add for example `modules = ["tables"]`')
