"""Idempotency: who sends a request twice under the same key gets the first answer twice, and one effect."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from deltaworks.errors import RequestError

MOST_KEPT = 1000
"""How many answers are remembered; the oldest are forgotten."""


class Answered:
    """The answers to requests that came with an `Idempotency-Key`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: OrderedDict[tuple[str, str], tuple[object, dict[str, Any]]] = OrderedDict()

    def once(self, who: str, key: str | None, asked: object, answer: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return the answer to a request; the one that was given before if its key was used before.

        Args:
            who: keys of others mean nothing.
            key: none: every request is a new one.
            asked: what is asked for.
            answer: does it. Nobody else is answered meanwhile.

        Raises:
            RequestError: the key was used for another request.
        """
        if key is None:
            return answer()
        with self._lock:
            known = self._answers.get((who, key))
            if known is not None:
                if known[0] != asked:
                    raise RequestError(f"Idempotency-Key {key!r} was used for another request; take a new one.")
                return known[1]
            found = answer()
            self._answers[who, key] = asked, found
            while len(self._answers) > MOST_KEPT:
                self._answers.popitem(last=False)
            return found
