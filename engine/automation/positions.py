"""Positions: how far the logs of tables were read, as the cursor of a sensor says it.

A cursor is a JSON object by asset key. Beside the version stand what tells the table and the very commit, so that a
table that was made anew, or put back, is not taken for the one that was read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deltaworks.errors import RequestError, StorageError


@dataclass(frozen=True, slots=True)
class Position:
    """How far the log of a table was read."""

    version: int
    """-1: nothing; there was no table."""
    table_id: str | None = None
    """Delta's id of the table; none: somebody set the cursor, and any table will do."""
    digest: str | None = None
    """Of the version's commit file; none as for the id, or its owner has deleted it."""


def read_positions(whose: str, cursor: str | None) -> dict[str, Position]:
    """Return the positions in a cursor by asset key; none of a table that it does not name.

    Raises:
        StorageError: it is no cursor of a sensor on commits.
    """
    if cursor is None:
        return {}
    try:
        document: Mapping[str, Any] = json.loads(cursor)
        return {key: _read(each) for key, each in document.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StorageError(
            f"{whose}: its cursor {cursor!r} names no versions of tables; set another one by `deltaworks sensor cursor`"
        ) from error


def write_positions(positions: Mapping[str, Position]) -> str:
    """Return a cursor that names positions."""
    return json.dumps(
        {
            key: {"version": each.version, "table_id": each.table_id, "digest": each.digest}
            for key, each in sorted(positions.items())
        }
    )


def set_versions(whose: str, assets: Sequence[str], cursor: str | None, wanted: str) -> str:
    """Return a cursor with versions as somebody wants them: `12` for the only table, else `asset=12,other=7`.

    Raises:
        RequestError: a version or an asset is none.
        StorageError: the old cursor cannot be read.
    """
    positions = read_positions(whose, cursor)
    for part in wanted.split(","):
        key, _, version = part.rpartition("=") if "=" in part or len(assets) > 1 else (assets[0], "", part)
        if key not in assets or not version.removeprefix("-").isdigit() or int(version) < -1:
            example = "12" if len(assets) == 1 else f"{assets[0]}=12"
            raise RequestError(
                f"{whose}: {part!r} is no version of {' or '.join(assets)}; write {example}, the last version that "
                "counts as seen, or -1 for none."
            )
        positions[key] = Position(int(version))
    return write_positions(positions)


def _read(document: Mapping[str, Any]) -> Position:
    return Position(int(document["version"]), document.get("table_id"), document.get("digest"))
