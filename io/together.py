"""Together: requests to an object store that wait for their replies at the same time, since each waits for long."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from typing import Final, TypeVar

from deltaworks.io.store import Store

AT_ONCE: Final = 16
"""How many things are done at the same time at most."""

WITHIN: Final = 4
"""How many by each of those that are done at the same time themselves."""


class _Here(threading.local):
    """What a thread knows of itself."""

    is_within = False
    """Whether it is one of those that work ahead."""

    def enter(self) -> None:
        self.is_within = True


_HERE = _Here()

T = TypeVar("T")
R = TypeVar("R")


def together(store: Store, work: Callable[[T], R], items: Iterable[T], *, eager: bool = True) -> Generator[R]:
    """Yield what `work` makes of each item, in the items' order: on a local disk one after the other.

    In an object store several threads work ahead of whoever takes the results; close this to let them stop.

    Args:
        store: what `work` asks.
        work: may be called in any thread, and its error is raised where its result would be.
        items: may go on for ever.
        eager: whether all results are wanted. If not, the more are on their way the more were taken, so that little is
            asked for in vain.
    """
    if store.is_local:
        yield from map(work, items)
        return
    rest = iter(items)
    taken, most = 0, WITHIN if _HERE.is_within else AT_ONCE
    with ThreadPoolExecutor(most, "deltaworks-store", initializer=_HERE.enter) as pool:
        begun: deque[Future[R]] = deque()
        try:
            while True:
                width = most if eager else min(most, max(1, taken // 2))
                begun.extend(pool.submit(work, item) for item in islice(rest, width - len(begun)))
                if not begun:
                    return
                yield begun.popleft().result()
                taken += 1
        finally:
            for each in begun:
                each.cancel()


def sizes_of(store: Store, paths: Iterable[str]) -> Generator[int | None]:
    """Yield how large files are, in the order of their paths; none for one that is not there."""
    return together(store, store.size_bytes, paths)


def until_none(store: Store, work: Callable[[T], R | None], items: Iterable[T]) -> Generator[R]:
    """Yield what `work` makes of each item as far as it makes something of each."""
    with closing(together(store, work, items, eager=False)) as results:
        for result in results:
            if result is None:
                return
            yield result
