"""Freed memory: what a process has let go of and its allocator keeps, for one that goes on for long."""

from __future__ import annotations

import ctypes
import gc


def give_back() -> None:
    """Give freed memory back to the system, where its allocator has a call for that; elsewhere nothing happens.

    To compile a large module takes several times its size for a moment, and glibc keeps all of that.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
