"""Bucket: the files of a lake in an object store, below a prefix.

A file is there as a whole or not at all, and is seen by everybody as soon as it was acknowledged: there is nothing to
sync, and folders are no more than what paths have in common. Requests that fail are tried again by obstore.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import AzureStore, GCSStore, S3Store

from deltaworks.errors import InvalidSettings, StorageError
from deltaworks.io.stores.reason import reason
from deltaworks.io.stores.storage import OPTIONS, VARIABLES, Storage
from deltaworks.io.stores.stored_file import StoredFile

if TYPE_CHECKING:
    import datetime as dt

    from obstore import ObjectMeta
    from obstore.store import ObjectStore

_OPENERS: Mapping[str, Callable[..., ObjectStore]] = {"s3": S3Store, "gs": GCSStore, "az": AzureStore}
_PAGE = 1000
"""How many files a store lists at once."""


@dataclass(frozen=True)
class Bucket:
    """A prefix of a bucket; its methods are those of `Store`. It pickles without credentials."""

    root: str
    """A URI such as `s3://bucket/prefix`, as `bucket_uri` returns it."""
    storage: Storage

    def __reduce__(self) -> tuple[type[Bucket], tuple[str, Storage]]:
        """Leave out the client, which knows the credentials."""
        return type(self), (self.root, self.storage)

    @property
    def scheme(self) -> str:
        """What kind of store it is."""
        return self.root.partition("://")[0]

    @cached_property
    def client(self) -> ObjectStore:
        """What makes the requests; buckets of a process that are reached in the same way share it."""
        around = tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith(VARIABLES)))
        resolved = tuple(sorted(self.storage.resolved(self.scheme).items()))
        return _opened(self.scheme, urlsplit(self.root).netloc, self.storage, resolved, around)

    def uri(self, path: str) -> str:
        """Return where a path lies, for Polars and delta-rs."""
        return f"{self.root}/{path}".rstrip("/")

    def read(self, path: str) -> bytes | None:
        """Return a file's content, or none if there is no such file."""
        with self._sentence("read", path):
            try:
                return bytes(obstore.get(self.client, self._key(path)).bytes())
            except FileNotFoundError as error:
                self._refuse_no_bucket(error)
                return None

    def exists(self, path: str) -> bool:
        """Return whether there is a file of that name."""
        return self._head(path) is not None

    def has_folder(self, path: str) -> bool:
        """Return whether there is any file below a folder."""
        with self._sentence("list", path):
            return any(len(chunk) for chunk in obstore.list(self.client, self._key(path) or None, chunk_size=1))

    def put(self, path: str, content: bytes) -> None:
        """Write a whole file, in place of any that is there."""
        with self._sentence("write", path):
            obstore.put(self.client, self._key(path), content)

    def put_new(self, path: str, content: bytes) -> bool:
        """Write a whole file unless one of that name is there; return whether it is there as this call wrote it.

        A try whose reply was lost is tried again by obstore and finds the file there: what it holds decides, so no two
        writers may write the same content.
        """
        for pause_s in self.storage.patience.pauses_s():
            with self._sentence("write", path):
                try:
                    obstore.put(self.client, self._key(path), content, mode="create")
                except AlreadyExistsError:
                    found = self.read(path)
                else:
                    return True
            if found is not None:
                return found == content
            # Somebody has just deleted it, or S3 refuses two that write the same name at once, until one is done.
            time.sleep(pause_s)
        raise StorageError(f"cannot write {self.uri(path)}: the store says that it is there, and that it is not")

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the paths of all files below a folder, in no order; nothing if there is no such folder."""
        return (self._path(each) for each in self._listed(prefix))

    def names(self, folder: str) -> Sequence[str]:
        """Return the names of what lies in a folder itself, in no order; nothing if there is no such folder."""
        with self._sentence("list", folder):
            found = obstore.list_with_delimiter(self.client, self._key(folder) or None)
        paths = [*(each["path"] for each in found["objects"]), *found["common_prefixes"]]
        return [path.rstrip("/").rpartition("/")[2] for path in paths]

    def files(self, prefix: str) -> Iterator[StoredFile]:
        """Yield all files below a folder."""
        return map(self._stored, self._listed(prefix))

    def files_from(self, folder: str, name: str) -> Sequence[StoredFile]:
        """Return what lies below a folder and has a name from one on, sorted."""
        # What comes after an offset is listed; some servers list everything.
        found = map(self._stored, self._listed(folder, after=f"{self._key(folder)}/{name[:-1]}"))
        return sorted((file for file in found if file.path >= f"{folder}/{name}"), key=lambda file: file.path)

    def folders_with(self, name: str) -> Iterator[str]:
        """Yield the folders that have a folder of that name; what lies deeper in one of them is not looked at."""
        waiting = [""]
        while waiting:
            folder = waiting.pop()
            with self._sentence("list", folder):
                found = obstore.list_with_delimiter(self.client, self._key(folder) or None)
            below = {path.rstrip("/").rpartition("/")[2] for path in found["common_prefixes"]}
            if name in below:
                yield folder
            else:
                waiting += [f"{folder}/{each}".lstrip("/") for each in sorted(below) if not each.startswith("_")]

    def modified_at(self, path: str) -> dt.datetime | None:
        """Return when a file was last written, by the store's own clock; none if there is no such file."""
        found = self._head(path)
        return None if found is None else found["last_modified"]

    def size_bytes(self, path: str) -> int | None:
        """Return the size of a file, or none if there is no such file."""
        found = self._head(path)
        return None if found is None else found["size"]

    def stamp(self, path: str) -> str:
        """Return what changes when a file is replaced, without reading it; empty if there is no such file."""
        found = self._head(path)
        return "" if found is None else self._stored(found).stamp

    def delete(self, path: str) -> None:
        """Delete a file; it may be gone already."""
        with self._sentence("delete", path):
            try:
                obstore.delete(self.client, self._key(path))
            except FileNotFoundError as error:
                self._refuse_no_bucket(error)

    def _listed(self, prefix: str, after: str | None = None) -> Iterator[ObjectMeta]:
        with self._sentence("list", prefix):
            for chunk in obstore.list(self.client, self._key(prefix) or None, offset=after, chunk_size=_PAGE):
                yield from chunk

    def _stored(self, found: ObjectMeta) -> StoredFile:
        stamp = found["e_tag"] or found["last_modified"].isoformat()
        return StoredFile(self._path(found), found["size"], found["last_modified"], stamp)

    def _head(self, path: str) -> ObjectMeta | None:
        with self._sentence("look for", path):
            try:
                return obstore.head(self.client, self._key(path))
            except FileNotFoundError as error:
                self._refuse_no_bucket(error)
                return None

    @cached_property
    def _prefix(self) -> str:
        return urlsplit(self.root).path.lstrip("/")

    def _key(self, path: str) -> str:
        """Return the name of a file in its bucket."""
        return f"{self._prefix}/{path}".strip("/")

    def _path(self, found: ObjectMeta) -> str:
        return found["path"][len(self._prefix) + 1 :] if self._prefix else found["path"]

    @contextmanager
    def _sentence(self, doing: str, path: str) -> Generator[None]:
        try:
            yield
        except (BaseError, OSError, ValueError) as error:
            raise StorageError(f"cannot {doing} {self.uri(path)}: {reason(error)}") from error

    def _refuse_no_bucket(self, error: FileNotFoundError) -> None:
        if _NO_BUCKET.search(str(error)):
            raise error


_NO_BUCKET = re.compile("NoSuchBucket|ContainerNotFound|The specified bucket does not exist")
"""How stores say that it is not a file that is not there."""


@lru_cache(maxsize=64)
def _opened(
    scheme: str,
    bucket: str,
    storage: Storage,
    resolved: tuple[tuple[str, str], ...],  # noqa: ARG001 - what the variables of the profile held
    around: tuple[tuple[str, str], ...],  # noqa: ARG001 - what the variables held that obstore reads by itself
) -> ObjectStore:
    arguments: Any = storage.for_obstore(scheme)
    try:
        return _OPENERS[scheme](bucket, **arguments)
    except (BaseError, ValueError) as error:
        raise StorageError(f"{scheme}://{bucket} cannot be opened: {reason(error)}") from error


def bucket_uri(uri: str, what: str) -> str:
    """Return the URI of a place in an object store as it is written here; `what` lies there, for a sentence.

    Raises:
        InvalidSettings: it names no place that can be opened.
    """
    scheme, _, rest = uri.partition("://")
    if scheme.lower() not in OPTIONS:
        known = ", ".join(f"{each}://" for each in OPTIONS)
        raise InvalidSettings(f"{what} {_shown(uri)}: a place is a path, a file:// URI, or begins with {known}")
    bucket, *parts = rest.rstrip("/").split("/")
    if not bucket or {"@", ":"} & set(bucket) or not all(parts) or _UNFIT.search(rest) or {".", ".."} & set(parts):
        first = "CONTAINER" if scheme.lower() == "az" else "BUCKET"
        raise InvalidSettings(
            f"{what} {_shown(uri)}: expected {scheme}://{first}/PREFIX, without empty parts, credentials, a query or "
            "escaped characters"
        )
    return "/".join([f"{scheme.lower()}://{bucket}", *parts])


def _shown(uri: str) -> str:
    """Return what stands for a place in a message: as it was written, without credentials that stand in it."""
    return _VALUES.sub(r"\1***", _BEFORE_HOST.sub(r"\1***", uri))


_BEFORE_HOST = re.compile(r"(://)(?:[^?#]*(?=@)|[^/?#]*:[^?#]*)")
_VALUES = re.compile(r"([?&;][^=&;]*=)[^&;#]*")
_UNFIT = re.compile(r"[?#\\*\[\]]|%[0-9A-Fa-f]{2}|\s")
