"""Look: ask a source which version there is of each of its partitions, and make sure that the answer is one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import polars as pl

from deltaworks.engine.definitions.files import Files
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.logger import Logger
from deltaworks.engine.definitions.partitions.protocols import WHOLE
from deltaworks.engine.definitions.resources import Resource
from deltaworks.engine.execution.given import describe
from deltaworks.engine.planning.graph import Node
from deltaworks.errors import RunError
from deltaworks.io.files import list_files


@dataclass(frozen=True, slots=True)
class Answer:
    """What a source said."""

    rows: pl.DataFrame
    """Columns: partition, path where it is a source of files, version; the key of a whole source is `WHOLE`."""
    ignored: tuple[str, ...]
    """The keys, or the paths of files without a key, that belong to no partition."""
    note: str | None = None
    """What is odd about it, though it may be right."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What came of observing one source."""

    asset: AssetKey
    version: int | None = None
    """The version that its commit made; none: all is as it was, or it could not be observed."""
    changed: tuple[str, ...] = ()
    """The partitions that are new or have other versions."""
    gone: tuple[str, ...] = ()
    """The partitions that are there no more."""
    ignored: tuple[str, ...] = ()
    """What belongs to no partition: keys, or the paths of files without a key."""
    error: str | None = None
    """Why it could not be observed."""
    note: str | None = None
    """What is odd about what was found, though it may be right."""


def look(node: Node, resources: Mapping[str, Resource]) -> Answer:
    """Ask a source; `resources` are by argument name.

    Raises:
        RunError: its function raised, or what it returned is no version.
        StorageError: its files cannot be listed.
    """
    if node.asset.files is not None:
        return _listed(node, node.asset.files)
    arguments: dict[str, Any] = dict(resources)
    if node.asset.signature.logger is not None:
        arguments[node.asset.signature.logger] = Logger(str(node.key))
    try:
        result: object = node.asset.function(**arguments)
    except Exception as error:
        raise RunError(f"{node.key}: {describe(error, node.asset.where.file)}", asset=str(node.key)) from error
    if not node.is_partitioned:
        return _answer({WHOLE: _version(node, result)}.items(), ())
    if not isinstance(result, Mapping):
        raise _nonsense(node, f"the function returned {_shown(result)}, expected the version of each partition by key")
    keys: dict[str, str] = {}
    ignored: list[str] = []
    for spelled, version in cast("Mapping[object, object]", result).items():
        key = _key(node, spelled)
        if key is None:
            ignored.append(str(spelled))
        elif key in keys:
            raise _nonsense(node, f"the function returned partition {key} twice, the second time as {spelled!r}")
        else:
            keys[key] = _version(node, version, f" for {key}")
    return _answer(keys.items(), ignored)


def _listed(node: Node, files: Files) -> Answer:
    rows: list[tuple[str, str, str]] = []
    ignored: dict[str, None] = {}
    for file in list_files(files.base, files.matches, is_deep=files.is_deep):
        try:
            spelled = WHOLE if files.key is None else files.key(file.path)
        except Exception as error:
            where = describe(error, node.asset.where.file)
            raise RunError(f"{node.key}: the key of {file.path}: {where}", asset=str(node.key)) from error
        key = None if spelled is None else _key(node, spelled)
        if key is None:
            ignored[spelled or file.path] = None
        else:
            rows.append((key, file.path, file.version))
    columns = {"partition": pl.String, "path": pl.String, "version": pl.String}
    note = None if rows or ignored else f"no file matches {files.whole(files.below)}"
    return Answer(pl.DataFrame(rows, schema=columns, orient="row"), tuple(ignored), note)


def _key(node: Node, spelled: object) -> str | None:
    """Return a key as the definition writes it; none if it is no partition."""
    if not isinstance(spelled, str):
        raise _nonsense(node, f"the function returned {_shown(spelled)} as a partition key, expected text")
    ordinal = node.partitions.ordinal(spelled)
    return None if ordinal is None else node.partitions.key(ordinal)


def _version(node: Node, version: object, whose: str = "") -> str:
    if isinstance(version, bool) or not isinstance(version, str | int):
        raise _nonsense(node, f"the function returned {_shown(version)}{whose}, expected a version: text or an integer")
    text = str(version)
    if not text:
        raise _nonsense(node, f"the function returned an empty version{whose}")
    if not _is_unicode(text):
        raise _nonsense(node, f"the function returned the version {text!r}{whose}, which is no valid Unicode")
    return text


def _answer(versions: Iterable[tuple[str, str]], ignored: Iterable[str]) -> Answer:
    rows = pl.DataFrame(list(versions), schema={"partition": pl.String, "version": pl.String}, orient="row")
    return Answer(rows, tuple(ignored))


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(value: object) -> str:
    return "None" if value is None else type(value).__name__


def _nonsense(node: Node, problem: str) -> RunError:
    return RunError(f"{node.key}: {problem} ({node.asset.where})", asset=str(node.key))
