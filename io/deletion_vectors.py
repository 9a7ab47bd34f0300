"""Deletion vectors: which rows of a table's files count as deleted. delta-rs reads them.

Source: Delta protocol, "Deletion Vectors".
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

import polars as pl
from deltalake import DeltaTable

from deltaworks.errors import TableMismatch


def deleted_rows(uri: str, version: int) -> dict[str, pl.Series]:
    """Return the positions of the deleted rows (UInt32), counted from 0, by the path of their file.

    Cost: delta-rs reads the state of the whole table, and the deletion vectors of all files.

    Raises:
        TableMismatch: it cannot read them.
    """
    try:
        vectors: Any = DeltaTable(uri, version=version).deletion_vectors()
    except Exception as error:  # delta-rs raises bare ones too
        reason = str(error).partition("\n")[0]  # a backtrace follows
        raise TableMismatch(
            f"table {uri} (version {version}): its deletion vectors cannot be read: {reason}"
        ) from error
    found: dict[str, pl.Series] = {}
    df = pl.DataFrame(vectors)
    for path, kept in zip(df["filepath"], df["selection_vector"], strict=True):
        found[unquote(urlsplit(str(path)).path)] = (~kept).arg_true()
    return found
