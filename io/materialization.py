"""Materialization: what the log says that made the content of partitions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from deltaworks.io.record import Pin, Restored


@dataclass(frozen=True, slots=True)
class Materialization:
    """Partitions of one commit that were made, or restored as made, by the same code from the same versions."""

    version: int
    run_id: str
    source: str | None
    """The hash of the code that made them; none: they were observed, or others wrote what was restored."""
    override: str | None
    """The code version that the author set instead."""
    inputs: Mapping[str, Pin]
    """By Delta table id."""
    restored_from: Restored | None = None
    """Where a rollback took their content from; source and inputs are those of that change."""
    config_hash: str | None = None
    """What stands for the config that the function was given; none: it took none."""

    @property
    def content_from(self) -> Restored:
        """The change that brought their content about: this one, or that which a rollback restored."""
        return self.restored_from or Restored(self.version, self.run_id)
