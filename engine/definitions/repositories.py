"""Repository: a name for definitions that belong together, as a team or a lake's layer has them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from deltaworks.errors import InvalidDefinition, Place


@dataclass(frozen=True, slots=True)
class Repository:
    """A named unit of definitions."""

    name: str
    description: str
    assets: tuple[str, ...]
    """The keys of its assets."""
    where: Place


def distinct(repositories: Iterable[Repository]) -> tuple[Repository, ...]:
    """Return repositories, each once.

    Raises:
        InvalidDefinition: two have the same name.
    """
    known: dict[str, Repository] = {}
    for each in repositories:
        other = known.setdefault(each.name, each)
        if other != each:
            raise InvalidDefinition(
                f"repository {each.name!r} is defined twice; the other definition is at {other.where}", where=each.where
            )
    return tuple(known.values())
