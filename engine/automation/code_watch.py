"""CodeWatch: whether the files of a project have changed, seen by looking at them now and then."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

_SUFFIXES = (".py", ".toml", ".env")
_PASSED_OVER = ("__pycache__", "node_modules", "site-packages")


class CodeWatch:
    """The files of a project's folders that its behaviour may depend on."""

    def __init__(self, folder: Path, *more: Path) -> None:
        """Take the files as they are; those of `more` folders, too, as code locations have them."""
        within = [each for each in more if not each.is_relative_to(folder)]
        self._folder, self._folders = folder, (folder, *within)
        self._known = dict(self._stamps())

    def changed(self) -> list[str]:
        """Return the files that have changed, come or gone since this was asked last, below the folder."""
        before, self._known = self._known, dict(self._stamps())
        return sorted({name for name, _ in before.items() ^ self._known.items()})

    def _stamps(self) -> Iterator[tuple[str, tuple[int, int]]]:
        for folder, folders, names in chain.from_iterable(map(os.walk, self._folders)):
            # A table of a lake may have a hundred thousand files, and a folder beside the code is no place for it.
            folders[:] = [name for name in folders if name[0] not in "._" and name not in _PASSED_OVER]
            if "_delta_log" in folders or (Path(folder) / "_delta_log").exists():
                folders.clear()
                continue
            for name in names:
                if name.endswith(_SUFFIXES):
                    path = Path(folder) / name
                    try:
                        found = path.stat()
                    except FileNotFoundError:
                        continue
                    yield os.path.relpath(path, self._folder), (found.st_mtime_ns, found.st_size)
