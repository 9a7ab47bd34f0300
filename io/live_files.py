"""LiveFiles: the data files that a version of a table consists of, by partition."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from deltaworks.io.log import Commit, LiveFile, Removed


class LiveFiles:
    """The files of one table, advanced by its commits."""

    def __init__(self) -> None:
        self._files: dict[str, dict[str, LiveFile]] = {}
        self._key_of_path: dict[str, str] = {}

    def add(self, key: str, file: LiveFile) -> None:
        """Add a file to a partition; a file of the same path is replaced."""
        self._forget(file.path)
        self._files.setdefault(key, {})[file.path] = file
        self._key_of_path[file.path] = key

    def remove(self, removed: Removed) -> str | None:
        """Forget a file and return its partition; none if neither the action nor an add names it."""
        key = self._forget(removed.path)
        return removed.key if key is None else key

    def _forget(self, path: str) -> str | None:
        key = self._key_of_path.pop(path, None)
        if key is not None:
            del self._files[key][path]
        return key

    def apply(self, commit: Commit) -> set[str]:
        """Advance by a commit and return the partitions whose data it changed."""
        changed: set[str] = set()
        for removed in commit.removed:
            key = self.remove(removed)
            if removed.changes_data and key is not None:
                changed.add(key)
        for added in commit.added:
            self.add(added.key, added.file)
            if added.changes_data:
                changed.add(added.key)
        return changed

    def of(self, keys: Iterable[str]) -> list[LiveFile]:
        """Return the files of some partitions."""
        return [file for key in keys for file in self._files.get(key, {}).values()]

    def keys(self) -> Iterator[str]:
        """Yield the partitions that have files."""
        return (key for key, files in self._files.items() if files)

    def has_same(self, other: LiveFiles, key: str) -> bool:
        """Return whether a partition surely has the same rows in both: the same files, none with deleted rows."""
        here, there = self._files.get(key, {}), other._files.get(key, {})
        return here.keys() == there.keys() and not any(
            file.has_deletion_vector for files in (here, there) for file in files.values()
        )

    def __contains__(self, key: str) -> bool:
        return bool(self._files.get(key))

    def __iter__(self) -> Iterator[tuple[str, LiveFile]]:
        return ((key, file) for key, files in self._files.items() for file in files.values())
