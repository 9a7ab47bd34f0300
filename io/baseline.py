"""Baseline: the checkpoint that a log begins with once its owner has deleted the commits before it.

Source: Delta protocol, "Checkpoints".
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from deltaworks.errors import LogGap, VersionGone
from deltaworks.io.dtypes import Json
from deltaworks.io.log import LiveFile, Metadata, read_file, read_metadata, read_protocol
from deltaworks.io.protocol import Protocol
from deltaworks.io.store import Store

_NAME = re.compile(
    r"(?P<version>\d{20})(\.json|(?P<checkpoint>\.checkpoint(\.\d{10}\.(?P<parts>\d{10})|\.[^.]+)?\.(parquet|json)))"
)

_ACTIONS = ("add", "metaData", "protocol", "sidecar")


@dataclass(frozen=True, slots=True)
class Baseline:
    """A table at the version of a checkpoint."""

    version: int
    metadata: Metadata
    protocol: Protocol
    files: tuple[LiveFile, ...]


def find_baseline(store: Store, table: str, *, since: int = -1, up_to: int | None = None) -> Baseline | None:
    """Return the first checkpoint from which a log can be read on; none: from its first commit, or there is no way.

    Args:
        store: where the table lies.
        table: its folder.
        since: the version that is known already; an earlier checkpoint says nothing new.
        up_to: the version to be read; none: the latest.

    Raises:
        VersionGone: the log cannot be read at `up_to` any more.
        LogGap: the checkpoint is damaged.
    """
    commits, checkpoints = _listed(store, table)
    latest = max((*commits, *checkpoints), default=-1)
    wanted = latest if up_to is None else up_to
    first = wanted + 1  # of the commits without a gap up to the wanted one
    while first - 1 in commits:
        first -= 1
    if latest < 0 or (first == 0 and since < 0):
        return None
    found = next((each for each in sorted(checkpoints) if max(first - 1, since) <= each <= wanted <= latest), None)
    if found is not None:
        return _read(store, table, found, checkpoints[found])
    if up_to is not None:
        raise VersionGone(table, up_to, latest, 0 if 0 in commits else min(checkpoints, default=0))
    return None


def _listed(store: Store, table: str) -> tuple[set[int], dict[int, list[str]]]:
    """Return which versions have a commit file, and the files of each checkpoint that is complete."""
    commits: set[int] = set()
    checkpoints: dict[int, dict[int, list[str]]] = {}
    for path in store.list(f"{table}/_delta_log"):
        folder, _, name = path.rpartition("/")
        found = _NAME.fullmatch(name)
        if found is None or not folder.endswith("_delta_log"):
            continue
        version = int(found["version"])
        if found["checkpoint"] is None:
            commits.add(version)
        else:
            checkpoints.setdefault(version, {}).setdefault(int(found["parts"] or 1), []).append(path)
    return commits, {version: paths for version, forms in checkpoints.items() if (paths := _complete(forms))}


def _complete(forms: Mapping[int, Sequence[str]]) -> list[str]:
    """Return the files of one checkpoint that has all of its parts, from all of them by how many parts they have."""
    if 1 in forms:
        return [min(forms[1])]
    none: list[str] = []
    return next((sorted(paths) for parts, paths in forms.items() if parts == len(paths)), none)


def _read(store: Store, table: str, version: int, paths: Sequence[str]) -> Baseline:
    metadata, protocol = None, None
    files: list[LiveFile] = []
    try:
        for kind, action in _actions(store, table, paths):
            match kind:
                case "add":
                    files.append(read_file(action))
                case "metaData":
                    metadata = read_metadata(action)
                case _:
                    protocol = read_protocol(action)
    except (pl.exceptions.PolarsError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise LogGap(table, version, f"is a checkpoint that cannot be read ({reason})") from error
    if metadata is None or protocol is None:
        raise LogGap(table, version, "is a checkpoint that does not say what the table is")
    return Baseline(version, metadata, protocol, tuple(files))


def _actions(store: Store, table: str, paths: Sequence[str]) -> Iterator[tuple[str, Json]]:
    """Yield the actions of a checkpoint, each with its kind, those that stand in files beside it included."""
    for path in paths:
        content = store.read(path)
        if content is None:
            raise FileNotFoundError(f"{path} is gone")
        for kind, action in _of_json(content) if path.endswith(".json") else _of_parquet(content):
            if kind == "sidecar":
                yield from _actions(store, table, [f"{table}/_delta_log/_sidecars/{action['path']}"])
            else:
                yield kind, action


def _of_json(content: bytes) -> Iterator[tuple[str, Json]]:
    for line in content.splitlines():
        found: dict[str, Json] = json.loads(line)
        yield from ((kind, action) for kind, action in found.items() if kind in _ACTIONS)


def _of_parquet(content: bytes) -> Iterator[tuple[str, Json]]:
    present = pl.read_parquet_schema(io.BytesIO(content))
    df = pl.read_parquet(io.BytesIO(content), columns=[kind for kind in _ACTIONS if kind in present])
    for kind in df.columns:
        yield from ((kind, action) for action in df[kind].drop_nulls().to_list())
