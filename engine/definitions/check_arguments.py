"""Check arguments: what the built-in checks refuse, where the author asks for one."""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeGuard, cast

from deltaworks.engine.definitions.asset_check import Site
from deltaworks.errors import InvalidDefinition


def refuse_unless(condition: bool, problem: str, site: Site) -> None:
    """Make sure that an argument makes sense.

    Raises:
        InvalidDefinition: it does not.
    """
    if not condition:
        raise InvalidDefinition(problem, where=site.where)


def refuse_comparison(max_change: object, trailing: object, site: Site) -> None:
    """Make sure that a change from earlier partitions can be judged.

    Raises:
        InvalidDefinition: by neither a fraction nor a count of partitions.
    """
    is_fraction = isinstance(max_change, int | float) and not isinstance(max_change, bool) and max_change > 0
    refuse_unless(is_fraction, f"max_change must be a number above 0, not {max_change!r}", site)
    is_count = isinstance(trailing, int) and not isinstance(trailing, bool) and trailing > 0
    refuse_unless(is_count, f"trailing must be a whole number above 0, not {trailing!r}", site)


def refuse_other_than_column(argument: str, name: object, site: Site) -> None:
    """Make sure that an argument is the name of a column.

    Raises:
        InvalidDefinition: it is something else.
    """
    refuse_unless(isinstance(name, str) and bool(name), f"{argument} must be the name of a column, not {name!r}", site)


def is_some(values: object) -> TypeGuard[Collection[object]]:
    """Return whether there are several values, and at least one."""
    if not isinstance(values, Collection) or isinstance(values, str | bytes):
        return False
    return len(cast("Collection[object]", values)) > 0


def are_names(values: object) -> bool:
    """Return whether there are several texts, and at least one."""
    return is_some(values) and all(isinstance(each, str) for each in values)
