"""Idempotency: who sends a request twice under the same key gets the first answer twice, and one effect."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from deltaworks.errors import RequestError
from deltaworks.web.workspace import Workspace

MOST_KEPT = 1000
"""How many answers are remembered; the oldest are forgotten."""

MOST_KEPT_BYTES = 8_000_000
"""How much they take together: an answer may have a long plan in it."""


@dataclass
class _Answer:
    asked: object
    lock: threading.Lock = field(default_factory=threading.Lock)
    """Held by who is at it; whoever asks the same waits."""
    content: bytes | None = None
    """None: it is not there yet."""


class Answered:
    """The answers to requests that came with a key, as long as the server runs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: OrderedDict[tuple[str, str], _Answer] = OrderedDict()
        self._size_bytes = 0

    def once(self, who: str, key: str, asked: object, answer: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return the answer to a request; the one that was given before if its key was used before.

        Args:
            who: keys of others mean nothing.
            key: of the request.
            asked: what is asked for.
            answer: does it; if it raises, nothing was done, and the key is free.

        Raises:
            RequestError: the key was used for another request.
        """
        with self._lock:
            found = self._answers.setdefault((who, key), _Answer(asked))
        if found.asked != asked:
            raise RequestError(f"Idempotency-Key {key!r} was used for another request; take a new one.")
        with found.lock:
            if found.content is None:
                self._settle((who, key), found, answer)
            answered: dict[str, Any] = json.loads(found.content or b"")
            return answered

    def _settle(self, known_as: tuple[str, str], found: _Answer, answer: Callable[[], dict[str, Any]]) -> None:
        try:
            found.content = json.dumps(answer(), default=str).encode()
        except BaseException:
            with self._lock:
                self._answers.pop(known_as, None)
            raise
        with self._lock:
            self._answers[known_as] = found
            self._size_bytes += len(found.content)
            while len(self._answers) > MOST_KEPT or self._size_bytes > MOST_KEPT_BYTES:
                _, oldest = self._answers.popitem(last=False)
                self._size_bytes -= len(oldest.content or b"")


@dataclass(frozen=True, slots=True)
class Once:
    """One request that changes something, which may come twice."""

    answered: Answered
    workspace: Workspace
    who: str
    key: str | None
    """None: it is another one each time."""

    def do(self, asked: object, answer: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Do what is asked unless that was done before, and return the answer; the next look sees what came of it.

        Raises:
            RequestError: the key was used for another request.
        """
        found = answer() if self.key is None else self.answered.once(self.who, self.key, asked, answer)
        self.workspace.look_again()
        return found


def key_of_form(form: Mapping[str, Sequence[str]]) -> str | None:
    """Return the key of a form that a browser was given; none: it has none.

    Whoever goes back, changes a field and sends it again asks for something else, so that is another key.
    """
    given = form.get("idempotency_key", [""])[-1]
    said = sorted((name, *values) for name, values in form.items())
    return f"form {given} {hashlib.sha256(json.dumps(said).encode()).hexdigest()}" if given else None
