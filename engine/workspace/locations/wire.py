"""Wire: lines of JSON between a host and the process of a code location, over that process' own stdin and stdout.

User code keeps neither: what it prints goes to stderr, and what it reads is at its end at once.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterator

from deltaworks.io.dtypes import Json

WIRE = 1
"""The form of what is said; two sides that speak other ones do not understand each other."""


class ChildWire:
    """The process' end. Several threads may speak."""

    def __init__(self, reading: int, writing: int) -> None:
        self._lines = os.fdopen(reading, encoding="utf-8")
        self._writing, self._lock, self._owner = writing, threading.Lock(), os.getpid()

    @classmethod
    def taken_over(cls) -> ChildWire:
        """Take this process' stdin and stdout, and leave it nothing to read and stderr to write to."""
        reading, writing = os.dup(0), os.dup(1)  # what user code starts inherits neither
        with open(os.devnull, "rb") as nothing:
            os.dup2(nothing.fileno(), 0)
        os.dup2(2, 1)
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr] # plain files
        return cls(reading, writing)

    def said(self) -> Iterator[Json]:
        """Yield what the host says, until it has gone."""
        for line in self._lines:
            yield json.loads(line)

    def tell(self, document: Json) -> None:
        """Say something; a copy of this process that user code made says nothing.

        Raises:
            OSError: the host has gone.
        """
        if os.getpid() != self._owner:
            return
        left = memoryview(json.dumps(document, separators=(",", ":")).encode() + b"\n")
        with self._lock:
            while left:
                left = left[os.write(self._writing, left) :]
