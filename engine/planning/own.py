"""Own: which code is the project's and which a library's. Libraries are taken as given."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import sysconfig
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from types import FunctionType, ModuleType
from typing import Any

_LIBRARIES = tuple(
    os.path.join(sysconfig.get_path(name), "") for name in ("stdlib", "platstdlib", "purelib", "platlib")
)


def is_authors_file(file: str) -> bool:
    """Tell whether code stands in a file of neither Python nor an installed library."""
    return not file.startswith((*_LIBRARIES, "<frozen"))


@dataclass(frozen=True, slots=True)
class Own:
    """What belongs to a project."""

    package: str
    """The project's own, even where it is installed among the libraries."""

    def has(self, value: FunctionType | type) -> bool:
        """Tell whether a function or a class is the project's."""
        if isinstance(value, FunctionType):
            return self.has_module(value.__module__ or "", value.__code__.co_filename)
        return self.has_module(value.__module__, _file(sys.modules.get(value.__module__)))

    def has_module(self, name: str, file: str | None) -> bool:
        """Tell whether a module is the project's."""
        package = name.partition(".")[0]
        if package in ("deltaworks", "builtins"):
            return False
        return package == self.package or (file is not None and is_authors_file(file))

    def is_module(self, value: object) -> bool:
        """Tell whether a value is a module of the project."""
        return isinstance(value, ModuleType) and self.has_module(value.__name__, _file(value))

    def modules(self) -> list[ModuleType]:
        """Return the project's modules that are imported."""
        return [sys.modules[name] for name in _own_names(self, tuple(sys.modules)) if name in sys.modules]

    def imported(self, name: str, home: Mapping[str, Any]) -> ModuleType | None:
        """Return a module that a module names in an import, with leading dots if it does so.

        A module of the project that is imported only when a function is called is imported now.
        """
        with suppress(Exception):  # what cannot be imported fails when the function is called
            name = importlib.util.resolve_name(name, home.get("__package__"))
            if name in sys.modules:
                return sys.modules[name]
            top = name.partition(".")[0]
            if top in sys.modules:
                file = _file(sys.modules[top])
            else:
                spec = importlib.util.find_spec(top)
                file = None if spec is None else spec.origin
            return importlib.import_module(name) if self.has_module(name, file) else None
        return None


@lru_cache(maxsize=8)
def _own_names(own: Own, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in names if own.has_module(name, _file(sys.modules.get(name))))


def _file(module: ModuleType | None) -> str | None:
    file: object = getattr(module, "__file__", None)
    return file if isinstance(file, str) else None
