"""Store: the files of a lake, by path below its root.

One store serves a whole lake. What a caller is told was written has been synced to the disk, unless the store was
opened without durability.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from deltaworks.errors import StorageError


@dataclass(frozen=True, slots=True)
class Store:
    """A folder on a local disk."""

    root: Path
    durable: bool = True
    """Whether writes are synced before they are acknowledged; off, a power cut may lose acknowledged commits."""

    @classmethod
    def at(cls, uri: str, *, durable: bool = True) -> Store:
        """Open the store at a local path or `file://` URI; nothing is read or created.

        Raises:
            StorageError: the URI names an object store, which this version cannot write to.
        """
        scheme = urlsplit(uri).scheme if "://" in uri else ""
        if scheme not in ("", "file"):
            raise StorageError(f"lake {uri}: this version keeps lakes on local disks only; use a path or a file:// URI")
        path = urlsplit(uri).path if scheme else uri
        return cls(Path(path).expanduser().resolve(), durable)

    def uri(self, path: str) -> str:
        """Return where a path lies, for Polars and delta-rs."""
        return str(self.root / path)

    def read(self, path: str) -> bytes | None:
        """Return a file's content, or none if there is no such file."""
        try:
            return (self.root / path).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise StorageError(f"cannot read {self.root / path}: {error.strerror or error}") from error

    def exists(self, path: str) -> bool:
        """Return whether there is a file or folder of that name."""
        return (self.root / path).exists()

    def put(self, path: str, content: bytes) -> None:
        """Write a whole file, in place of any that is there; readers see the old or the new one."""
        target = self.root / path
        try:
            temporary = self._write_temporary(target, content)
            temporary.replace(target)
            self._sync_folder(target.parent)
        except OSError as error:
            raise StorageError(f"cannot write {target}: {error.strerror or error}") from error

    def put_new(self, path: str, content: bytes) -> bool:
        """Write a whole file unless one of that name is there; return whether this call wrote it.

        The content is on the disk before the name appears, so a crash leaves either no file or the whole one.
        """
        target = self.root / path
        try:
            temporary = self._write_temporary(target, content)
            try:
                os.link(temporary, target)
            except FileExistsError:
                return False
            finally:
                temporary.unlink()
            self._sync_folder(target.parent)
        except OSError as error:
            raise StorageError(f"cannot write {target}: {error.strerror or error}") from error
        return True

    def sync_file(self, path: str) -> None:
        """Make the content of a file that others wrote survive a power cut."""
        if self.durable:
            _fsync(self.root / path)

    def sync_folders(self, paths: Iterable[str]) -> None:
        """Make the names of files that others wrote, and of the folders that hold them, survive a power cut."""
        targets = [self.root / path for path in paths]
        for folder in {target.parent for target in targets} | {target.parent.parent for target in targets}:
            self._sync_folder(folder)

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the paths of all files below a folder, in no order; nothing if there is no such folder."""
        top = self.root / prefix
        for folder, _, names in os.walk(top):
            for name in names:
                yield (Path(folder) / name).relative_to(self.root).as_posix()

    def size_bytes(self, path: str) -> int | None:
        """Return the size of a file, or none if there is no such file."""
        try:
            return (self.root / path).stat().st_size
        except OSError:
            return None

    def delete(self, path: str) -> None:
        """Delete a file; it may be gone already."""
        (self.root / path).unlink(missing_ok=True)

    def make_folder(self, path: str) -> None:
        """Make a folder and those above it."""
        try:
            (self.root / path).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"cannot make the folder {self.root / path}: {error.strerror or error}") from error

    def _write_temporary(self, target: Path, content: bytes) -> Path:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}.tmp")
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            if self.durable:
                os.fsync(file.fileno())
        return temporary

    def _sync_folder(self, folder: Path) -> None:
        if self.durable:
            _fsync(folder)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
