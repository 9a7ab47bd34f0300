"""Settings: where a project's lake and modules are, and how it runs them.

They stand in `deltaworks.toml`, or under `[tool.deltaworks]` of `pyproject.toml`, found upward from the working
folder. `DELTAWORKS_LAKE` and the command line override the lake.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deltaworks.errors import InvalidSettings

FILE = "deltaworks.toml"
LAKE_VARIABLE = "DELTAWORKS_LAKE"


class ExecutorSettings(BaseModel):
    """How steps are run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["threads"] = "threads"
    workers: int = Field(default=2, ge=1, le=256)


class FileSettings(BaseModel):
    """What a settings file may say."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lake: str = "./lake"
    modules: tuple[str, ...] = ()
    executor: ExecutorSettings = ExecutorSettings()
    durable: bool = True
    """Whether commits are synced to the disk before they count as made."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What is in force for a project."""

    folder: Path
    """Modules are imported from here, and a relative lake lies below it."""
    lake: str
    modules: tuple[str, ...]
    executor: ExecutorSettings
    durable: bool


def find_settings(start: Path, lake: str | None, environ: Mapping[str, str]) -> Settings:
    """Read the settings of the project that a folder belongs to.

    Raises:
        InvalidSettings: there is no project upward from `start`, or its file is wrong.
    """
    if not start.is_dir():
        raise InvalidSettings(f"there is no folder {start}")
    for folder in (start.resolve(), *start.resolve().parents):
        written = _read(folder)
        if written is not None:
            return resolve(folder, written, lake, environ)
    raise InvalidSettings(
        f"there is no {FILE} in {start.resolve()} or above it, and no [tool.deltaworks] in a pyproject.toml; "
        'write one with `modules = ["your_module"]`, or name a file with -f FILE.py'
    )


def resolve(folder: Path, written: FileSettings, lake: str | None, environ: Mapping[str, str]) -> Settings:
    """Return the settings in force: the command line over the environment over the file."""
    chosen = lake or environ.get(LAKE_VARIABLE)
    if chosen is None:
        chosen = written.lake if "://" in written.lake else str(folder / written.lake)
    return Settings(folder, chosen, written.modules, written.executor, written.durable)


def _read(folder: Path) -> FileSettings | None:
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


def _parse(file: Path, section: Mapping[str, Any]) -> FileSettings:
    try:
        settings = FileSettings.model_validate(section)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(map(str, first["loc"]))
        if first["type"] == "extra_forbidden":
            known = {*FileSettings.model_fields, *(f"executor.{field}" for field in ExecutorSettings.model_fields)}
            close = get_close_matches(name, known, n=1)
            hint = f"Did you mean {close[0]!r}?" if close else f"Known are {', '.join(sorted(known))}."
            raise InvalidSettings(f"{file}: there is no setting {name!r}. {hint}") from error
        raise InvalidSettings(f"{file}: setting {name!r}: {first['msg']}, not {first['input']!r}") from error
    if not settings.modules:
        raise InvalidSettings(f'{file} names no modules; add for example `modules = ["tables"]`')
    return settings
