"""Attended: do what may take long, such as calling an author's checks, while something else goes on now and then."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

T = TypeVar("T")


def attended(work: Callable[[], T], attend: Callable[[], None], every_s: float) -> T:
    """Return what `work` returns; until then call `attend`, every so many seconds."""
    with ThreadPoolExecutor(1, thread_name_prefix="deltaworks-attended") as pool:
        future = pool.submit(work)
        while not wait([future], every_s).done:
            attend()
        return future.result()
