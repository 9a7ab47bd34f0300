"""Rehearsal: call an author's code with nothing at stake, and let nothing that it does leave the process.

What it prints or logs is dropped. Opening a file to write, connecting, starting a program, and Polars' own writers are
refused. Reading is allowed. What a library writes without Python's knowledge cannot be held back.
"""

from __future__ import annotations

import contextlib
import functools
import io
import logging
import os
import sys
import threading
import warnings
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import polars as pl

_WATCHED: tuple[tuple[object, str], ...] = (
    *((kind, name) for kind in (pl.LazyFrame, pl.DataFrame) for name in vars(kind) if name.startswith("collect")),
    (pl.LazyFrame, "execute"),
    *((pl, name) for name in ("collect_all", "collect_all_async")),
)
_ROW_TAKERS: tuple[tuple[object, str], ...] = (
    *((pl.DataFrame, name) for name in ("item", "row", "rows", "rows_by_key", "iter_rows", "to_dict", "to_dicts")),
    *((pl.DataFrame, name) for name in ("is_empty", "pivot", "transpose", "unstack", "to_dummies", "partition_by")),
    *((pl.Series, name) for name in ("item", "to_list", "first", "last", "is_empty", "to_dummies", "__iter__")),
)
"""What hands values to Python, or makes columns of them."""
_WRITERS: tuple[tuple[object, str], ...] = tuple(
    (kind, name) for kind in (pl.LazyFrame, pl.DataFrame) for name in vars(kind) if name.startswith(("sink_", "write_"))
)
_EMPTYING = ("filter", "remove", "join", "join_where", "unique", "drop_nulls", "drop_nans")
"""After these, Polars computes no expression on a frame that has no rows, so that none fails."""
_REFUSED = frozenset(
    """
    os.chmod os.chown os.exec os.fork os.link os.mkdir os.posix_spawn os.remove os.rename os.rmdir os.spawn os.symlink
    os.system os.truncate os.utime shutil.rmtree socket.bind socket.connect socket.sendto sqlite3.connect
    subprocess.Popen
    """.split()  # noqa: SIM905 - names of Python's audit events
)
_WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

_one_at_a_time = threading.Lock()
_here = threading.local()


class Refused(PermissionError):
    """A rehearsed function tried to change something outside of itself."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"{what} has no place in a rehearsal")


@dataclass
class Rehearsal:
    """What is known of a rehearsal while it lasts."""

    has_collected: bool = False
    """Whether a frame was computed: what was built from its rows says nothing when there are none."""

    has_taken_rows: bool = False
    """Whether values were taken out of a frame, so that what came next may hang on them."""

    def note(self, name: str) -> None:
        """Note that a function of Polars was called that may compute a frame."""
        self.has_collected |= name != "collect_schema"

    def note_rows(self, _: str) -> None:
        """Note that a function of Polars was called that takes values out of a frame."""
        self.has_taken_rows = True


@contextlib.contextmanager
def rehearsal() -> Generator[Rehearsal]:
    """Rehearse whatever runs in this context, in this thread."""
    _guard_process()
    seen = Rehearsal()
    with _one_at_a_time, contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
        stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        stack.callback(logging.disable, logging.root.manager.disable)
        logging.disable(logging.CRITICAL)
        for owner, name in _WATCHED:
            stack.enter_context(_replaced(owner, name, seen.note))
        for owner, name in _ROW_TAKERS:
            stack.enter_context(_replaced(owner, name, seen.note_rows))
        for owner, name in _WRITERS:
            stack.enter_context(_replaced(owner, name, _refuse))
        stack.callback(setattr, _here, "is_rehearsing", False)
        _here.is_rehearsing = True
        yield seen


@contextlib.contextmanager
def _replaced(owner: object, name: str, first: Callable[[str], None]) -> Generator[None]:
    """Call `first` before a function of Polars, when this thread rehearses."""
    original = getattr(owner, name)

    @functools.wraps(original)
    def watched(*args: Any, **kwargs: Any) -> Any:
        if _is_rehearsing():
            first(name)
        return original(*args, **kwargs)

    setattr(owner, name, watched)
    try:
        yield
    finally:
        setattr(owner, name, original)


@contextlib.contextmanager
def computing_everything(instead_of_none: Callable[[pl.Schema], pl.DataFrame]) -> Generator[None]:
    """Have expressions computed in a rehearsal even where Polars leaves them out for want of rows.

    Args:
        instead_of_none: makes the frame that takes the place of one without rows.
    """

    def filled(df: pl.DataFrame) -> pl.DataFrame:
        return df if df.height else instead_of_none(df.schema)

    with contextlib.ExitStack() as stack:
        for name in _EMPTYING:
            original = getattr(pl.LazyFrame, name)
            stack.callback(setattr, pl.LazyFrame, name, original)
            setattr(pl.LazyFrame, name, _with_new_columns(original, filled))
        yield


def _with_new_columns(
    original: Callable[..., pl.LazyFrame], filled: Callable[[pl.DataFrame], pl.DataFrame]
) -> Callable[..., pl.LazyFrame]:
    @functools.wraps(original)
    def called(*args: Any, **kwargs: Any) -> pl.LazyFrame:
        lf = original(*args, **kwargs)
        if not _is_rehearsing():
            return lf
        # What nothing needs is left out as ever: it fails in no run.
        return lf.map_batches(filled, predicate_pushdown=True, projection_pushdown=True, slice_pushdown=True)

    return called


def _refuse(what: str) -> None:
    raise Refused(what)


def _is_rehearsing() -> bool:
    return getattr(_here, "is_rehearsing", False)


@functools.cache
def _guard_process() -> None:
    """Have Python ask before it opens, connects or starts something. A hook cannot be taken out again."""
    here, writing = _here, _WRITE_FLAGS  # Python's end calls the hook when the names of this module are gone already

    def ask(event: str, arguments: tuple[Any, ...]) -> None:
        if not getattr(here, "is_rehearsing", False):
            return
        if event in _REFUSED or (event == "open" and arguments[2] & writing):
            _refuse(event)

    sys.addaudithook(ask)
