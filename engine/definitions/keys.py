"""AssetKey: the name of a table, and the folder it lies in below the lake's root."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from deltaworks.errors import InvalidDefinition

_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,99}")


@dataclass(frozen=True, slots=True, order=True)
class AssetKey:
    """A name of one or more parts, written with slashes: `raw/flights`."""

    path: str

    def __post_init__(self) -> None:
        """Refuse names that are hidden, leave the lake, or cannot be a folder everywhere."""
        for part in self.parts:
            if not _PART.fullmatch(part):
                raise InvalidDefinition(
                    f"asset key {self.path!r} has the part {part!r}; a part starts with a letter or a digit and has "
                    "only letters, digits, '_', '-' and '.', at most 100 of them",
                    asset=self.path,
                )

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts between the slashes; at least one."""
        return tuple(self.path.split("/"))

    def __str__(self) -> str:
        return self.path


@dataclass(frozen=True, slots=True, order=True)
class CheckKey(AssetKey):
    """The name of an asset check: its asset's and its own, `flights:not_half_empty`. It is the key of no asset."""

    def __post_init__(self) -> None:
        """Take the name as it is: no folder is called so."""


def name_problem(name: object) -> str | None:
    """Say why an asset check cannot have a name, or none if it can."""
    if isinstance(name, str) and _PART.fullmatch(name):
        return None
    return (
        f"name={name!r} must start with a letter or a digit and have only letters, digits, '_', '-' and '.', at most "
        "100 of them"
    )


def location_problem(location: str) -> str | None:
    """Say why a table cannot lie in a folder, or none if it can."""
    if "://" in location or location.startswith(("/", "~")):
        return f"location={location!r} must be a folder below the lake, such as 'old/name'; no other is supported yet"
    for part in location.split("/"):
        if not _PART.fullmatch(part):
            return (
                f"location={location!r} has the part {part!r}; a part starts with a letter or a digit and has only "
                "letters, digits, '_', '-' and '.', at most 100 of them"
            )
    return None


KeyLike: TypeAlias = str | AssetKey
"""What an author may write where an asset key is meant."""


def as_key(key: KeyLike) -> AssetKey:
    """Return the key that an author wrote as text or as a key."""
    return key if isinstance(key, AssetKey) else AssetKey(str(key))
