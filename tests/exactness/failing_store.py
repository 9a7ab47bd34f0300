"""A store in which something happens at its k-th call: the process dies, or somebody else writes to a table.

A store is a plain value that everything is given, so this one stands in the real one's place without anything being
patched. Once it is dead, every further call dies too, as in a process that is gone.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from deltaworks.io.failpoints import Step
from deltaworks.io.store import Store

T = TypeVar("T")


class Crash(BaseException):
    """The process is dead."""


class Moment(StrEnum):
    """When it happens."""

    BEFORE = "before"
    """The call does nothing."""
    AFTER = "after"
    """The call does everything; its caller never learns of it."""
    WITHIN = "within"
    """A write leaves its temporary file half written; any other call does nothing."""


@dataclass(eq=False)
class Trigger:
    """What happens, and at which call."""

    method: str
    call: int
    """Counted from 1, calls of `method` only."""
    moment: Moment
    act: Callable[[], None] | None = None
    """None: the process dies."""
    below: str = ""
    """Only calls with a path that begins so count."""
    calls: dict[str, int] = field(default_factory=dict[str, int])
    is_dead: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def begins(self, method: str, path: str) -> bool:
        """Note that a call begins; return whether it is the one."""
        with self.lock:
            if self.is_dead:
                raise Crash
            if not path.startswith(self.below):
                return False
            self.calls[method] = self.calls.get(method, 0) + 1
            return method == self.method and self.calls[method] == self.call

    def pull(self) -> None:
        """Make it happen."""
        if self.act is None:
            self.is_dead = True
            raise Crash
        self.act()


@dataclass
class Death:
    """Lets a process die when it comes to a step so many times."""

    trigger: Trigger
    """Of its store."""
    step: Step | None
    number: int
    count: int = 0

    def __call__(self, step: Step) -> None:
        if self.trigger.is_dead:
            raise Crash
        self.count += step is self.step
        if step is self.step and self.count == self.number:
            self.trigger.pull()


METHODS = (
    "read",
    "exists",
    "put",
    "put_new",
    "sync_file",
    "sync_folders",
    "list",
    "size_bytes",
    "delete",
    "make_folder",
)


@dataclass(frozen=True)
class FailingStore(Store):
    """A store with a trigger."""

    trigger: Trigger = field(default_factory=lambda: Trigger("", 0, Moment.BEFORE))

    def read(self, path: str) -> bytes | None:
        return self._call("read", lambda: Store.read(self, path), path)

    def exists(self, path: str) -> bool:
        return self._call("exists", lambda: Store.exists(self, path), path)

    def put(self, path: str, content: bytes) -> None:
        self._call("put", lambda: Store.put(self, path, content), path, content)

    def put_new(self, path: str, content: bytes) -> bool:
        return self._call("put_new", lambda: Store.put_new(self, path, content), path, content)

    def sync_file(self, path: str) -> None:
        self._call("sync_file", lambda: Store.sync_file(self, path), path)

    def sync_folders(self, paths: Iterable[str]) -> None:
        self._call("sync_folders", lambda: Store.sync_folders(self, paths))

    def list(self, prefix: str) -> Iterator[str]:
        return self._call("list", lambda: Store.list(self, prefix), prefix)

    def size_bytes(self, path: str) -> int | None:
        return self._call("size_bytes", lambda: Store.size_bytes(self, path), path)

    def delete(self, path: str) -> None:
        self._call("delete", lambda: Store.delete(self, path), path)

    def make_folder(self, path: str) -> None:
        self._call("make_folder", lambda: Store.make_folder(self, path), path)

    def _call(self, method: str, work: Callable[[], T], path: str = "", content: bytes = b"") -> T:
        is_it = self.trigger.begins(method, path)
        if is_it and self.trigger.moment != Moment.AFTER:
            if self.trigger.moment == Moment.WITHIN and content and (self.root / path).parent.is_dir():
                target = self.root / path
                half = content[: len(content) // 2]
                target.with_name(f".{target.name}.{uuid.uuid4().hex}.tmp").write_bytes(half)
            self.trigger.pull()
        result = work()
        if is_it and self.trigger.moment == Moment.AFTER:
            self.trigger.pull()
        return result
