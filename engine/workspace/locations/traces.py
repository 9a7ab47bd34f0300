"""Traces: what files and folders of an author code looks at while it is imported, so that a change of them is seen."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from deltaworks import errors

_NOT_THE_AUTHORS = (
    str(Path(errors.__file__).parent),
    "/proc/",
    "/dev/",
    "/sys/",
    *{sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")},
)


@dataclass
class Traces:
    """What was looked at."""

    opened: set[str] = field(default_factory=set[str])
    listed: set[str] = field(default_factory=set[str])
    is_on: bool = True

    def note(self, event: str, arguments: tuple[object, ...]) -> None:
        """Take in what Python tells of what is being done."""
        if self.is_on and arguments and isinstance(arguments[0], str):
            if event == "open":
                self.opened.add(arguments[0])
            elif event in ("os.listdir", "os.scandir"):
                self.listed.add(arguments[0])

    def files(self, before: set[str]) -> Iterator[str]:
        """Yield the author's files; `before` names the modules that were there before."""
        sources = (
            getattr(module, "__file__", None) for name, module in list(sys.modules.items()) if name not in before
        )
        for name in {*self.opened, *(each for each in sources if isinstance(each, str))}:
            path = Path(name).absolute()
            if _is_the_authors(path) and path.suffix != ".pyc" and path.is_file():
                yield str(path)

    def folders(self, *, of_code: bool) -> Iterator[str]:
        """Yield the author's folders that were looked through.

        Args:
            of_code: whether those that Python looks through for modules, or the others, which the code itself did.
        """
        for name in self.listed:
            path = Path(name).absolute()
            if _is_the_authors(path) and path.is_dir() and (str(path) in _import_folders()) is of_code:
                yield str(path)


def _import_folders() -> frozenset[str]:
    """Return the folders in which Python looks for modules."""
    within: list[Iterable[str]] = [getattr(module, "__path__", ()) for module in list(sys.modules.values())]
    return frozenset(str(Path(each).absolute()) for each in (*sys.path, *chain.from_iterable(within)))


def _is_the_authors(path: Path) -> bool:
    return not str(path).startswith(_NOT_THE_AUTHORS)


@contextmanager
def tracing() -> Generator[Traces]:
    """Yield what takes note of files; a hook cannot be taken out again, so it only falls silent at the end."""
    traces = Traces()
    sys.addaudithook(traces.note)
    try:
        yield traces
    finally:
        traces.is_on = False
