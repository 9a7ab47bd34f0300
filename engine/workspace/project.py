"""Project: settings, definitions and the store of the lake, loaded together."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.planning.graph import AssetGraph, build_graph
from deltaworks.engine.workspace.loading import load_file, load_modules
from deltaworks.engine.workspace.settings import ExecutorSettings, FileSettings, find_settings, resolve
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


def load_project(origin: Origin, environ: Mapping[str, str], now: dt.datetime) -> Project:
    """Load a project.

    Raises:
        DefinitionError: its settings or its code are wrong.
    """
    if origin.file is not None:
        folder = origin.file.resolve().parent
        settings = resolve(folder, FileSettings(), origin.lake, environ)
        definitions = load_file(origin.file)
    elif origin.module is not None:
        folder = origin.folder or Path.cwd()
        settings = resolve(folder, FileSettings(), origin.lake, environ)
        definitions = load_modules([origin.module], folder)
    else:
        settings = find_settings(origin.folder or Path.cwd(), origin.lake, environ)
        definitions = load_modules(settings.modules, settings.folder)
    store = Store.at(settings.lake, durable=settings.durable)
    return Project(definitions, build_graph(definitions, now), store, settings.executor)
