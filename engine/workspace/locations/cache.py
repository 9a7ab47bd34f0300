"""Cache: what code locations told of themselves, kept for as long as nothing has changed that they were read from.

It may be deleted at any time. What it holds is a hash of a location's variables and no value of them.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from deltaworks.engine.workspace.environments import Environment
from deltaworks.engine.workspace.locations.description import Description, own_version
from deltaworks.engine.workspace.locations.spec import LocationSpec
from deltaworks.engine.workspace.locations.values import from_json, to_json
from deltaworks.engine.workspace.locations.wire import WIRE
from deltaworks.io.dtypes import Json

_FORMAT = 1
_OF_SHELLS = frozenset({"_", "COLUMNS", "LINES", "OLDPWD", "PWD", "SHLVL", "PYTEST_CURRENT_TEST"})
"""Variables that are others in every shell, and in every command of some."""
_CLOCKS_APART_NS = 10_000_000
"""How much older than it is a file may seem: its time is that of the kernel's last tick."""
_PASSED_OVER = ("__pycache__",)

Answers = dict[str, dict[str, tuple[str, ...]]]
"""By function and key, the upstream keys that it has named."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a location told of itself is good for."""

    given: str
    """Stands for what the location was given."""
    seen: str
    """Stands for the files and folders that it was read from."""


@dataclass
class Cached:
    """What is kept of a location."""

    description: Description
    answers: Answers
    stamp: Stamp
    """As it was when the location told this."""
    is_fresh: bool
    """Whether it would tell the same now; else it told so the last time that it could be loaded."""


def read_cached(spec: LocationSpec, environ: Mapping[str, str], environment: Environment | None) -> Cached | None:
    """Return what is kept of a location; none: nothing is, or another version wrote it."""
    try:
        kept: Json = json.loads(_path(spec).read_text(encoding="utf-8"))
        if (kept["format"], kept["wire"], kept["deltaworks"]) != (_FORMAT, WIRE, own_version()):
            return None
        description: Description = from_json(kept["description"])
        answers = {name: {key: tuple(each) for key, each in told.items()} for name, told in kept["answers"].items()}
        stamp = Stamp(kept["given"], kept["seen"])
        is_fresh = stamp == stamped(spec, environ, environment, description)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError):
        return None  # it is as if there were nothing; what is found out instead takes its place
    return Cached(description, answers, stamp, is_fresh)


def stamped(
    spec: LocationSpec, environ: Mapping[str, str], environment: Environment | None, description: Description
) -> Stamp:
    """Return what a description is good for that a location has just told."""
    return Stamp(_given(spec, environ, environment), _seen(description))


def edited_since(files: Iterable[str], instant_ns: int) -> bool:
    """Tell whether one of some files may have been written since an instant, by the clock of their file system."""
    for name in files:
        with suppress(OSError):
            if os.stat(name).st_mtime_ns > instant_ns - _CLOCKS_APART_NS:
                return True
    return False


def keep(spec: LocationSpec, stamp: Stamp, description: Description, answers: Answers) -> None:
    """Keep what a location told; where nothing can be kept, it is asked again the next time."""
    document = {
        "format": _FORMAT,
        "wire": WIRE,
        "deltaworks": own_version(),
        "given": stamp.given,
        "seen": stamp.seen,
        "answers": answers,
        "description": to_json(description),
    }
    path = _path(spec)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
            json.dump(document, file, separators=(",", ":"))
        os.replace(file.name, path)


def forget(spec: LocationSpec) -> None:
    """Let a location be loaded the next time, whatever has changed; what it told stands for it if it cannot be."""
    cached = read_cached(spec, {}, None)
    if cached is not None:
        keep(spec, Stamp("", ""), cached.description, cached.answers)


def _path(spec: LocationSpec) -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    place = _digest(str(spec.folder), spec.name, *spec.modules)
    return (Path(base) if base else Path.home() / ".cache") / "deltaworks" / "locations" / f"{place}.json"


def _given(spec: LocationSpec, environ: Mapping[str, str], environment: Environment | None) -> str:
    """Return what stands for what a location is given: its interpreter, its modules, its variables."""
    variables = json.dumps({name: value for name, value in environ.items() if name not in _OF_SHELLS}, sort_keys=True)
    named = "" if environment is None else repr(environment)
    return _digest(*_interpreter(spec), *spec.modules, variables, named)


def _interpreter(spec: LocationSpec) -> Iterator[str]:
    """Yield what changes when another interpreter or other packages are installed."""
    python = Path(spec.python)
    for path in (python, *sorted(python.parent.parent.glob("lib/*/site-packages"))):
        yield f"{path} {path.stat().st_mtime_ns}"


def _seen(description: Description) -> str:
    """Return what stands for the files and folders that a location was read from, as they are now."""
    code = (_folder(name, is_code=True) for name in description.code_folders)
    return _digest(*map(_file, description.files), *(_folder(name) for name in description.folders), *code)


def _file(name: str) -> str:
    try:
        return f"{name} {hashlib.sha256(Path(name).read_bytes()).hexdigest()}"
    except OSError:
        return f"{name} is not there"


def _folder(name: str, *, is_code: bool = False) -> str:
    try:
        names = sorted(each for each in os.listdir(name) if each not in _PASSED_OVER and not each.startswith("."))
        if is_code:
            names = [each for each in names if each.endswith(".py") or _has_modules(Path(name, each))]
    except OSError:
        return f"{name} is not there"
    return f"{name} {'/'.join(names)}"


def _has_modules(path: Path) -> bool:
    return path.is_dir() and any(each.endswith(".py") for each in os.listdir(path))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:32]
