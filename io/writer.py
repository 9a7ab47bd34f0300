"""Writer: who made a version of a table."""

from __future__ import annotations

from dataclasses import dataclass

from deltaworks.io.record import Kind


@dataclass(frozen=True, slots=True)
class Writer:
    """Who made a version."""

    run_id: str | None
    """None: an outside writer."""
    operation: str
    engine_info: str
    timestamp_ms: int
    kind: Kind | None = None
    """What a commit with a record was made for."""

    def __str__(self) -> str:
        if self == UNTOLD:
            return "commits that its owner has deleted"
        return f"run {self.run_id}" if self.run_id else f"an outside writer ({self.operation}, {self.engine_info})"


UNTOLD = Writer(None, "", "", 0)
"""Whoever wrote what a cleaned log begins with."""
