"""Turns: what costs the server much is done one at a time for each client; who asks for more waits."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

import anyio


class Turns:
    """Who is at it, and who waits; no thread is held by waiting."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, anyio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def of(self, who: str) -> AsyncGenerator[None]:
        """Wait until nothing else is done for a client, and keep others of its requests waiting during the block."""
        lock = self._locks.setdefault(who, anyio.Lock())
        async with lock:
            yield
