"""Traces: what files and folders of an author code looks at while it is imported, so that a change of them is seen."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
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

    def folders(self) -> Iterator[str]:
        """Yield the author's folders."""
        for name in self.listed:
            path = Path(name).absolute()
            if _is_the_authors(path) and path.is_dir():
                yield str(path)


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
