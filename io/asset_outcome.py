"""AssetOutcome: how far a run has come with one asset, while it goes on and at its end."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AssetOutcome:
    """How far a run has come with one asset."""

    asset: str
    planned: int
    """How many partitions; what is in none of the others is not settled yet."""
    materialized: int = 0
    failed: int = 0
    skipped: int = 0
    calls: int = 0
    """How many calls of its function gave partitions that could be committed."""
    calls_s: float = 0.0
    """How long these took together; several of them at a time may have."""
    rows: int = 0
    """How many rows its commits have made visible."""
    rate: float | None = None
    """How many partitions a second its calls have given, since the first one began; none: none has."""
    left_s: float | None = None
    """How long the rest takes at this rate; none: nothing is left, or nobody knows."""
    current: str | None = None
    """The partitions of its oldest call that goes on, as messages call them; none: none does."""
    still_failing: int = 0
    """How many others of its partitions failed when tried last, in earlier runs, and were not changed since."""
