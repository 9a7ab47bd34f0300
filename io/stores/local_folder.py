"""LocalFolder: the files of a lake on a local disk.

What a caller is told was written has been synced to the disk, unless durability is off.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import uuid
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from urllib.parse import unquote, urlsplit

from deltaworks.errors import StorageError
from deltaworks.io.stores.stored_file import StoredFile


@dataclass(frozen=True, slots=True)
class LocalFolder:
    """A folder on a local disk; its methods are those of `Store`."""

    root: Path
    durable: bool = True
    """Whether writes are synced before they are acknowledged; off, a power cut may lose acknowledged commits."""

    def uri(self, path: str) -> str:
        """Return where a path lies, for Polars and delta-rs."""
        return str(self.root / path)

    def _place(self, path: str) -> str:
        """Return where a path lies, in a quarter of the time of `root / path`."""
        return f"{self.root}/{path}"

    def read(self, path: str) -> bytes | None:
        """Return a file's content, or none if there is no such file."""
        target = self.root / path
        with _sentence("read", target):
            try:
                return target.read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                return None

    def exists(self, path: str) -> bool:
        """Return whether there is a file or folder of that name; idle daemons ask this hundreds of times a second."""
        try:
            os.stat(self._place(path))
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise _refusal("look for", self._place(path), error) from error
        return True

    def has_folder(self, path: str) -> bool:
        """Return whether there is a folder of that name."""
        target = self.root / path
        with _sentence("look for", target):
            return target.is_dir()

    def put(self, path: str, content: bytes) -> None:
        """Write a whole file, in place of any that is there; readers see the old or the new one."""
        target = self.root / path
        with _sentence("write", target), self._temporary(target, content) as temporary:
            temporary.replace(target)
            self._sync_folder(target.parent)

    def put_new(self, path: str, content: bytes) -> bool:
        """Write a whole file unless one of that name is there; return whether this call wrote it.

        The content is on the disk before the name appears, so a crash leaves either no file or the whole one.
        """
        target = self.root / path
        with _sentence("write", target), self._temporary(target, content) as temporary:
            try:
                os.link(temporary, target)
            except FileExistsError:
                return False
        with _sentence("sync the new name", target):
            self._sync_folder(target.parent)
        return True

    def sync_file(self, path: str) -> None:
        """Make the content of a file that others wrote survive a power cut."""
        target = self.root / path
        with _sentence("sync", target):
            if self.durable:
                _fsync(target)

    def sync_folders(self, paths: Iterable[str]) -> None:
        """Make the names of files that others wrote, and of all folders above them, survive a power cut."""
        folders = set[str]()
        for path in paths:
            folder = path.rpartition("/")[0]
            while folder not in folders:
                folders.add(folder)
                folder = folder.rpartition("/")[0]
        for folder in folders:
            target = self.root / folder
            with _sentence("sync", target):
                self._sync_folder(target)

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the paths of all files below a folder, in no order; nothing if there is no such folder."""
        top = self.root / prefix
        with _sentence("list", top):
            for folder, _, names in os.walk(top, onerror=_unless_gone):
                for name in names:
                    if not is_temporary(name):
                        yield (Path(folder) / name).relative_to(self.root).as_posix()

    def names(self, folder: str) -> Sequence[str]:
        """Return the names of what lies in a folder itself, in no order; nothing if there is no such folder."""
        top = self.root / folder
        with _sentence("list", top):
            try:
                return [name for name in os.listdir(top) if not is_temporary(name)]
            except (FileNotFoundError, NotADirectoryError):
                return []

    def files(self, prefix: str) -> Iterator[StoredFile]:
        """Yield all files below a folder as `list` does, and also what writers that died have left half-written."""
        top = self.root / prefix
        with _sentence("list", top):
            for folder, _, names in os.walk(top, onerror=_unless_gone):
                for name in names:
                    path = Path(folder) / name
                    try:
                        found = path.stat()
                    except FileNotFoundError:
                        continue
                    modified_at = dt.datetime.fromtimestamp(found.st_mtime, dt.UTC)
                    yield StoredFile(path.relative_to(self.root).as_posix(), found.st_size, modified_at, _stamp(found))

    def files_from(self, folder: str, name: str) -> Sequence[StoredFile]:
        """Return what lies below a folder and has a name from one on, sorted."""
        found = (file for file in self.files(folder) if file.path >= f"{folder}/{name}")
        return sorted(found, key=lambda file: file.path)

    def folders_with(self, name: str) -> Iterator[str]:
        """Yield the folders that have a folder of that name; what lies deeper in one of them is not looked at."""
        with _sentence("list", self.root):
            for folder, folders, _ in os.walk(self.root, onerror=_unless_gone):
                if name in folders:
                    folders.clear()
                    yield Path(folder).relative_to(self.root).as_posix()

    def modified_at(self, path: str) -> dt.datetime | None:
        """Return when a file was last written, by the store's own clock; none if there is no such file."""
        target = self.root / path
        with _sentence("look for", target):
            try:
                return dt.datetime.fromtimestamp(target.stat().st_mtime, dt.UTC)
            except (FileNotFoundError, NotADirectoryError):
                return None

    def size_bytes(self, path: str) -> int | None:
        """Return the size of a file, or none if there is no such file."""
        target = self.root / path
        with _sentence("look for", target):
            try:
                return target.stat().st_size
            except (FileNotFoundError, NotADirectoryError):
                return None

    def stamp(self, path: str) -> str:
        """Return what changes when a file is replaced, without reading it; empty if there is no such file."""
        try:
            found = os.stat(self._place(path))
        except OSError:
            return ""
        return _stamp(found)

    def delete(self, path: str) -> None:
        """Delete a file; it may be gone already."""
        target = self.root / path
        with _sentence("delete", target):
            target.unlink(missing_ok=True)

    def drop_empty_folders(self, path: str) -> None:
        """Remove a folder, and those below it, as far as they hold nothing: each would cost a look for ever."""
        with _sentence("remove the folder", self.root / path):
            for folder, _, _ in os.walk(self.root / path, topdown=False, onerror=_unless_gone):
                with suppress(OSError):  # it holds something, or somebody has just removed it
                    Path(folder).rmdir()

    def make_folder(self, path: str) -> None:
        """Make a folder and those above it."""
        target = self.root / path
        with _sentence("make the folder", target):
            self._make_folder(target)

    @contextmanager
    def _temporary(self, target: Path, content: bytes) -> Generator[Path]:
        """Write a file beside the target, synced; it is gone at the end unless it was renamed or the process died.

        Its name starts with a dot and ends in `.tmp`, as other Delta writers' do: no reader takes it for a commit.
        """
        self._make_folder(target.parent)
        temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}.tmp")
        try:
            with temporary.open("xb") as file:
                file.write(content)
                file.flush()
                if self.durable:
                    os.fsync(file.fileno())
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)

    def _make_folder(self, folder: Path) -> None:
        made = list(takewhile(lambda each: not each.exists(), (folder, *folder.parents)))
        folder.mkdir(parents=True, exist_ok=True)
        for each in made:
            self._sync_folder(each.parent)

    def _sync_folder(self, folder: Path) -> None:
        if self.durable:
            _fsync(folder)


def _stamp(found: os.stat_result) -> str:
    return f"{found.st_size}-{found.st_mtime_ns}"


def local_folder(uri: str, what: str) -> Path:
    """Return the folder at a local path or `file://` URI; `what` lies there, for a sentence.

    Raises:
        StorageError: it names a folder that delta-rs would take for another one.
    """
    root = Path(unquote(urlsplit(uri).path) if "://" in uri else uri).expanduser().resolve()
    escape = re.search("%[0-9A-Fa-f]{2}", str(root))
    if escape:
        raise StorageError(
            f"{what} {root}: delta-rs reads {escape.group()!r} in a path as an escaped character and would look "
            "elsewhere; rename the folder"
        )
    return root


def is_temporary(name: str) -> bool:
    """Return whether a file is one of this store's that has not got its name yet, or never will."""
    return _TEMPORARY.fullmatch(name) is not None


_TEMPORARY = re.compile(r"\..*\.[0-9a-f]{32}\.tmp", re.DOTALL)


@contextmanager
def _sentence(doing: str, target: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise _refusal(doing, target, error) from error


def _refusal(doing: str, target: Path | str, error: OSError) -> StorageError:
    return StorageError(f"cannot {doing} {target}: {error.strerror or error}")


def _unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
