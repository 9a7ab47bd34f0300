"""Files: those below a local folder or in an object store, as they are listed, without being read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from deltaworks.errors import StorageError
from deltaworks.io.stores.reason import reason

ALLOW_HTTP = "allow_http"
"""The option of an object store that is reached without TLS."""


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file, as somebody sees it who does not open it."""

    path: str
    """Below the folder that was listed."""
    version: str
    """Its size, and its time or the store's own tag: what differs when it was written anew."""


def list_files(
    base: str, matches: Callable[[str], bool], *, is_deep: bool, options: Mapping[str, str] | None = None
) -> list[ListedFile]:
    """Return the files of a folder whose paths below it match.

    An object store gets its credentials and its place from the environment, as in `AWS_REGION`, unless `options` say.

    Args:
        base: a local folder, or a URI such as `s3://bucket/prefix`.
        matches: tells by its path whether a file is meant.
        is_deep: whether folders in it are listed, too.
        options: of an object store, by the names that Polars has for them too.

    Raises:
        StorageError: it cannot be listed.
    """
    is_local = "://" not in base
    try:
        store = _open(base, options)
        found = _listed(store) if is_deep else _shallow(store)
        return [ListedFile(each["path"], _version(each, by_time=is_local)) for each in found if matches(each["path"])]
    except BaseError as error:
        raise StorageError(f"cannot list {base}: {reason(error)}") from error


def read_file(base: str, path: str, options: Mapping[str, str] | None = None) -> bytes:
    """Return what a file of a folder holds.

    Raises:
        StorageError: it is not there, or cannot be read.
    """
    try:
        return bytes(obstore.get(_open(base, options), path).bytes())
    except (BaseError, FileNotFoundError) as error:
        raise StorageError(f"cannot read {base}/{path}: {reason(error)}") from error


def write_file(base: str, path: str, content: bytes, options: Mapping[str, str] | None = None) -> None:
    """Write a file of a folder: others see all of it or what was there before. A local folder is made if need be.

    Raises:
        StorageError: it cannot be written.
    """
    try:
        if "://" not in base:
            Path(base).mkdir(parents=True, exist_ok=True)
        obstore.put(_open(base, options), path, content)
    except (BaseError, OSError) as error:
        raise StorageError(f"cannot write {base}/{path}: {reason(error)}") from error


def _open(base: str, options: Mapping[str, str] | None) -> ObjectStore:
    scheme, is_uri, path = base.partition("://")
    if is_uri:
        config: Any = {name: each for name, each in (options or {}).items() if name != ALLOW_HTTP}
        client: Any = {ALLOW_HTTP: True} if options and ALLOW_HTTP in options else None
        return from_url(f"{scheme}://{quote(path)}", config=config or None, client_options=client)
    if not Path(base).is_dir():
        # An object store has no folders; here none is rather a disk that is not there than files that are gone.
        raise StorageError(f"cannot list {base}: there is no such folder")
    return LocalStore(base)


def _listed(store: ObjectStore) -> Iterator[obstore.ObjectMeta]:
    for chunk in obstore.list(store):
        yield from chunk


def _shallow(store: ObjectStore) -> Iterator[obstore.ObjectMeta]:
    yield from obstore.list_with_delimiter(store)["objects"]


def _version(file: obstore.ObjectMeta, *, by_time: bool) -> str:
    modified_at = file["last_modified"].astimezone(dt.UTC).isoformat(timespec="microseconds")
    # The tag of a local file is its place on the disk, which copying it there and back would change.
    tag = modified_at if by_time else file["e_tag"] or modified_at
    return f"{file['size']} {tag}"
