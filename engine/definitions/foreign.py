"""Foreign: what is known of an asset whose code is in another code location."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CodeParts:
    """What of a code version only the code tells: not how the asset is joined to others, nor its partitions."""

    reach: tuple[str, ...]
    """The function, and everything of the project that it reaches."""
    columns: tuple[str, ...]
    """Those of its model."""
    rules: tuple[str, ...]
    """The rules that leave rows out."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """Where the code of an asset is, and what stands for it elsewhere."""

    location: str
    code: str | CodeParts
    """Its code version; or, where its inputs hang on what other locations define, what that is made of without them."""
    takes_config: bool = False
    """Whether the config of a run may say something to it."""
    config_hash: str | None = None
    """What stands for the project's config of it, if partitions of another one are stale."""
