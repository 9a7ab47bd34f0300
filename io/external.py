"""External: a Delta table that others write, as a lake knows it. Nothing is ever written into its folder."""

from __future__ import annotations

from dataclasses import dataclass

from deltaworks.io.store import Store


@dataclass(frozen=True, slots=True)
class External:
    """What a table that others write is to a lake."""

    lake: Store
    """Where what its log may cease to tell is kept."""
    key: str
    """Of its asset: what is kept of it is kept under this name."""
    is_whole: bool
    """Whether it counts as one partition, however its files are cut."""
    epoch: int = 1
    """Which of the histories is there now that the lake has seen; its owner may put back an older state of the table,
    whose next version has the number of one that was read and another content."""
