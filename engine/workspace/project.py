"""Project: settings, definitions and the store of the lake, loaded together."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.execution.opening import refuse_own_tables
from deltaworks.engine.planning.graph import AssetGraph, build_graph
from deltaworks.engine.planning.job_fit import refuse_unfit_jobs
from deltaworks.engine.workspace.dynamic_keys import read_dynamic_keys
from deltaworks.engine.workspace.loading import load_file, load_modules
from deltaworks.engine.workspace.settings import ExecutorSettings, Settings, find_settings, resolve
from deltaworks.errors import InvalidDefinition, InvalidSettings
from deltaworks.io.store import Store


@dataclass(frozen=True)
class Project:
    """What commands work on."""

    definitions: Definitions
    graph: AssetGraph
    store: Store
    executor: ExecutorSettings


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a command was told to find its project; nothing: upward from the working folder."""

    folder: Path | None = None
    file: Path | None = None
    module: str | None = None
    lake: str | None = None


def load_settings(origin: Origin, environ: Mapping[str, str]) -> Settings:
    """Read a project's settings, and none of its code.

    Raises:
        InvalidSettings: there is no project, or its file is wrong.
    """
    if origin.file is not None and origin.module is not None:
        raise InvalidSettings("-f and -m both say what to load; give one of them")
    if origin.file is not None:
        return resolve(origin.file.resolve().parent, None, origin.lake, environ)
    if origin.module is not None:
        return resolve(origin.folder or Path.cwd(), None, origin.lake, environ, origin.module)
    return find_settings(origin.folder or Path.cwd(), origin.lake, environ)


def open_lake(settings: Settings) -> Store:
    """Open the lake of a project; nothing is read or created.

    Raises:
        StorageError: this version cannot keep a lake there.
    """
    return Store.at(settings.lake, durable=settings.durable)


def load_project(origin: Origin, environ: Mapping[str, str], now: dt.datetime, *, reads_lake: bool = True) -> Project:
    """Load a project, with the keys that its dynamic partitions have in the lake unless that is not to be read.

    Raises:
        DefinitionError: its settings or its code are wrong.
        StorageError: the lake's keys are damaged.
    """
    settings = load_settings(origin, environ)
    definitions = load_file(origin.file) if origin.file else load_modules(settings.modules, settings.folder)
    if not definitions.assets and not definitions.jobs:
        where = origin.file or ", ".join(settings.modules)
        raise InvalidDefinition(f"{where} defines no assets; an asset is a function under @deltaworks.asset")
    store = open_lake(settings)
    refuse_own_tables(definitions, store)
    keys = read_dynamic_keys(definitions, store) if reads_lake else None
    graph = build_graph(definitions, now, keys)
    refuse_unfit_jobs(definitions, graph)
    return Project(definitions, graph, store, settings.executor)
