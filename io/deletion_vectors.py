"""Deletion vectors: which rows of a table's files count as deleted. delta-rs reads them.

Source: Delta protocol, "Deletion Vectors".
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

import polars as pl
from deltalake import DeltaTable

from deltaworks.errors import TableMismatch
from deltaworks.io.store import Store
from deltaworks.io.stores.reason import reason


def deleted_rows(store: Store, name: str, version: int) -> dict[str, pl.Series]:
    """Return the positions of the deleted rows (UInt32), counted from 0, by the path of their file.

    Cost: delta-rs reads the state of the whole table, and the deletion vectors of all files.

    Raises:
        TableMismatch: it cannot read them.
    """
    try:
        delta = DeltaTable(store.uri(name), version=version, storage_options=store.delta_options)
        vectors: Any = delta.deletion_vectors()
    except Exception as error:  # delta-rs raises bare ones too
        said = reason(error)
        raise TableMismatch(
            f"table {store.uri(name)} (version {version}): its deletion vectors cannot be read: {said}"
        ) from error
    found: dict[str, pl.Series] = {}
    df = pl.DataFrame(vectors)
    for path, kept in zip(df["filepath"], df["selection_vector"], strict=True):
        text = str(path)
        found[unquote(urlsplit(text).path if store.is_local else text)] = (~kept).arg_true()
    return found
