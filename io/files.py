"""Files: those below a local folder or in an object store, as they are listed, without being read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from deltaworks.errors import StorageError


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file, as somebody sees it who does not open it."""

    path: str
    """Below the folder that was listed."""
    version: str
    """Its size, and its time or the store's own tag: what differs when it was written anew."""


def list_files(base: str, matches: Callable[[str], bool], *, is_deep: bool) -> list[ListedFile]:
    """Return the files of a folder whose paths below it match.

    An object store gets its credentials and its place from the environment, as in `AWS_REGION`.

    Args:
        base: a local folder, or a URI such as `s3://bucket/prefix`.
        matches: tells by its path whether a file is meant.
        is_deep: whether folders in it are listed, too.

    Raises:
        StorageError: it cannot be listed.
    """
    is_local = "://" not in base
    try:
        store = _open(base)
        found = _listed(store) if is_deep else _shallow(store)
        return [ListedFile(each["path"], _version(each, by_time=is_local)) for each in found if matches(each["path"])]
    except BaseError as error:
        reason = " ".join(str(error).partition("\n\nDebug source")[0].split())
        raise StorageError(f"cannot list {base}: {reason}") from error


def _open(base: str) -> ObjectStore:
    scheme, is_uri, path = base.partition("://")
    if is_uri:
        return from_url(f"{scheme}://{quote(path)}")
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
