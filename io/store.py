"""Store: the files of a lake, by path below its root, wherever the lake lies.

One store serves a whole lake. What a caller is told was written survives whatever happens next; of two that put the
same new file one is told so. Whatever the disk or the object store refuses is a `StorageError`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deltaworks.errors import StorageError
from deltaworks.io.stores.bucket import Bucket, bucket_uri
from deltaworks.io.stores.local_folder import LocalFolder, local_folder
from deltaworks.io.stores.storage import Storages
from deltaworks.io.stores.stored_file import StoredFile

ENGINE_FOLDER = "_deltaworks"
"""What a lake holds beside its tables lies below this folder; no table does."""

_NO_PROFILES = Storages()


@dataclass(frozen=True, slots=True)
class Store:
    """A folder on a local disk, or a prefix of a bucket in an object store. It pickles without credentials."""

    root: Path | str
    """The folder, or the URI of the prefix."""
    durable: bool = True
    """Whether writes to a local disk are synced before they are acknowledged; off, a power cut may lose acknowledged
    commits."""
    profile: str | None = field(default=None, kw_only=True)
    """Which of the profiles says how the object store is reached; none: the environment does."""
    profiles: Storages = field(default=_NO_PROFILES, kw_only=True)
    """All of the project's, for tables that lie elsewhere."""
    _home: LocalFolder | Bucket = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Find out where it is."""
        if isinstance(self.root, Path):
            home: LocalFolder | Bucket = LocalFolder(self.root, self.durable)
        else:
            home = Bucket(self.root, self.profiles.named(self.profile, self.root))
            home.storage.refuse_unfit(home.scheme)
        object.__setattr__(self, "_home", home)

    @classmethod
    def at(
        cls,
        uri: str | Path,
        *,
        durable: bool = True,
        profile: str | None = None,
        profiles: Storages = _NO_PROFILES,
        what: str = "lake",
    ) -> Store:
        """Open the store at a local path, a `file://` URI or a URI of an object store; nothing is read or created.

        Args:
            uri: where it lies.
            durable: whether writes to a local disk are synced.
            profile: which of the profiles says how an object store is reached; none: the environment does.
            profiles: those of the project.
            what: what lies there, for a sentence.

        Raises:
            InvalidSettings: the URI or the profile is none that can be used.
            StorageError: it names a folder that delta-rs would take for another one.
        """
        return cls(place(uri, what), durable, profile=profile, profiles=profiles)

    def elsewhere(self, root: str, profile: str | None = None) -> Store:
        """Return the store of files that are not the lake's own, and are only read; it knows the same profiles."""
        return Store(root if "://" in root else Path(root), durable=False, profile=profile, profiles=self.profiles)

    @property
    def is_local(self) -> bool:
        """Whether it is on a local disk, where a look costs next to nothing."""
        return isinstance(self._home, LocalFolder)

    @property
    def delta_options(self) -> dict[str, str] | None:
        """The storage options of delta-rs."""
        return self._home.storage.for_delta(self._home.scheme) if isinstance(self._home, Bucket) else None

    @property
    def polars_options(self) -> dict[str, Any] | None:
        """The storage options of Polars."""
        return self._home.storage.for_polars(self._home.scheme) if isinstance(self._home, Bucket) else None

    def uri(self, path: str) -> str:
        """Return where a path lies, for Polars and delta-rs."""
        return self._home.uri(path)

    def read(self, path: str) -> bytes | None:
        """Return a file's content, or none if there is no such file."""
        return self._home.read(path)

    def exists(self, path: str) -> bool:
        """Return whether there is a file of that name."""
        return self._home.exists(path)

    def has_folder(self, path: str) -> bool:
        """Return whether there is a folder of that name; in an object store, whether there is a file in it."""
        return self._home.has_folder(path)

    def put(self, path: str, content: bytes) -> None:
        """Write a whole file, in place of any that is there; readers see the old or the new one."""
        self._home.put(path, content)

    def put_new(self, path: str, content: bytes) -> bool:
        """Write a whole file unless one of that name is there; return whether this call wrote it.

        What it holds must tell its writer from all others: in an object store it may decide who was first.
        """
        return self._home.put_new(path, content)

    def put_new_surely(self, path: str, content: bytes) -> bool:
        """Do the same, and return whether the file is there as this call wrote it.

        A call that fails may have written it all the same: the file decides, and nothing is written blindly again.
        """
        try:
            return self.put_new(path, content)
        except StorageError:
            if self.read(path) == content:
                return True
            raise

    def sync_file(self, path: str) -> None:
        """Make the content of a file that others wrote survive a power cut."""
        if isinstance(self._home, LocalFolder):
            self._home.sync_file(path)

    def sync_folders(self, paths: Iterable[str]) -> None:
        """Make the names of files that others wrote, and of all folders above them, survive a power cut."""
        if isinstance(self._home, LocalFolder):
            self._home.sync_folders(paths)

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the paths of all files below a folder, in no order; nothing if there is no such folder."""
        return self._home.list(prefix)

    def names(self, folder: str) -> Sequence[str]:
        """Return the names of what lies in a folder itself, in no order; nothing if there is no such folder."""
        return self._home.names(folder)

    def files(self, prefix: str) -> Iterator[StoredFile]:
        """Yield all files below a folder as `list` does, and also what writers that died have left half-written."""
        return self._home.files(prefix)

    def files_from(self, folder: str, name: str) -> Sequence[StoredFile]:
        """Return what lies below a folder and has a name from one on, sorted: one request, however much is before."""
        return self._home.files_from(folder, name)

    def folders_with(self, name: str) -> Iterator[str]:
        """Yield the folders that have a folder of that name; what lies deeper in one of them is not looked at.

        Cost: in an object store, a listing a folder.
        """
        return self._home.folders_with(name)

    def modified_at(self, path: str) -> dt.datetime | None:
        """Return when a file was last written, by the store's own clock; none if there is no such file."""
        return self._home.modified_at(path)

    def size_bytes(self, path: str) -> int | None:
        """Return the size of a file, or none if there is no such file."""
        return self._home.size_bytes(path)

    def stamp(self, path: str) -> str:
        """Return what changes when a file is replaced, without reading it; empty if there is no such file."""
        return self._home.stamp(path)

    def folder_stamp(self, path: str) -> str | None:
        """Return what changes when a file is made in a folder or deleted; none: only a listing could tell.

        Empty: there is no such folder. A file that is replaced changes it, too.
        """
        return self._home.stamp(path) if isinstance(self._home, LocalFolder) else None

    def files_stamp(self, folder: str) -> str:
        """Return what changes when a file of a folder is made, replaced or deleted; elsewhere that costs a listing."""
        stamp = self.folder_stamp(folder)
        return repr(sorted((file.path, file.stamp) for file in self.files(folder))) if stamp is None else stamp

    def delete(self, path: str) -> None:
        """Delete a file; it may be gone already."""
        self._home.delete(path)

    def drop_empty_folders(self, path: str) -> None:
        """Remove a folder, and those below it, as far as they hold nothing: each would cost a look for ever."""
        if isinstance(self._home, LocalFolder):
            self._home.drop_empty_folders(path)

    def make_folder(self, path: str) -> None:
        """Make a folder and those above it, where there is such a thing."""
        if isinstance(self._home, LocalFolder):
            self._home.make_folder(path)


def split_place(place: str) -> tuple[str, str]:
    """Return the place that a table's folder lies in, and the folder's name."""
    root, _, name = place.rpartition("/")
    return root or "/", name


def place(uri: str | Path, what: str) -> Path | str:
    """Return the folder at a local path or `file://` URI, or the URI of a place in an object store.

    `what` lies there, for a sentence.

    Raises:
        InvalidSettings: the URI is none that can be opened.
        StorageError: it names a folder that delta-rs would take for another one.
    """
    text = str(uri)
    is_local = "://" not in text or text.startswith("file://")
    return local_folder(text, what) if is_local else bucket_uri(text, what)
