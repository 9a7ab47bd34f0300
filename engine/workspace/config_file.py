"""ConfigFile: the config of a run as it is given: files of TOML, JSON or YAML, and single fields."""

from __future__ import annotations

import importlib
import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from deltaworks.engine.planning.job_config import ConfigLayer
from deltaworks.errors import RequestError

_SUFFIXES = (".toml", ".json", ".yaml", ".yml")


def read_config(given: Sequence[str]) -> list[ConfigLayer]:
    """Return a layer for each file or `key=value`, in their order.

    A key is the dotted way to a field: `notify.subject=hello`. A value that begins with a bracket is JSON; any other is
    a text, which a field of another type is made from. All fields at once are `notify={"subject": "hello"}`.

    Raises:
        RequestError: one is neither, or a file cannot be read.
    """
    return [_field(each) if "=" in each else _file(Path(each)) for each in given]


def _field(text: str) -> ConfigLayer:
    key, _, value = text.partition("=")
    names, found = key.split("."), cast("Any", value)
    if (len(names) < 2 and not value.startswith("{")) or not all(names):
        raise RequestError(f"--config {text}: a key is an op or an asset and a field, such as notify.subject=hello.")
    if value.startswith(("[", "{")):
        try:
            found = json.loads(value)
        except ValueError as error:
            raise RequestError(f"--config {text}: the value begins like JSON, but is none: {error}.") from error
    for name in reversed(names):
        found = {name: found}
    return ConfigLayer(f"--config {text}", cast("dict[str, Any]", found))


def _file(path: Path) -> ConfigLayer:
    if path.suffix.lower() not in _SUFFIXES:
        raise RequestError(f"--config {path} is neither key=value nor a file that ends in {', '.join(_SUFFIXES)}.")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"--config {path} cannot be read: {error}.") from error
    values = _parsed(path, text)
    if not isinstance(values, dict):
        raise RequestError(f"--config {path} must have fields by op or asset, not a {type(values).__name__}.")
    return ConfigLayer(str(path), cast("dict[str, Any]", values))


def _parsed(path: Path, text: str) -> object:
    if path.suffix.lower() in (".yaml", ".yml"):
        return _yaml(path, text)
    try:
        return tomllib.loads(text) if path.suffix.lower() == ".toml" else json.loads(text)
    except ValueError as error:
        raise RequestError(f"--config {path} is not valid: {error}.") from error


def _yaml(path: Path, text: str) -> object:
    try:
        # Looked up when it is needed: deltaworks itself does not depend on it.
        yaml: Any = importlib.import_module("yaml")
    except ImportError as error:
        raise RequestError(f"--config {path}: to read YAML, install PyYAML; TOML and JSON need nothing.") from error
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RequestError(f"--config {path} is not valid: {' '.join(str(error).split())}.") from error
