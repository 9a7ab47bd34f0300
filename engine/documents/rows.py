"""Rows: a look at the data of a table or a view, as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl


def rows_json(asset: str, version: int | None, df: pl.DataFrame, total: int | None) -> dict[str, Any]:
    """Return rows that are shown of an asset, and how many it has if that is known; bytes are hexadecimal."""
    # Imported here: --help must not load Polars.
    import polars as pl

    return {
        "asset": asset,
        "version": version,
        "total_rows": total,
        "columns": [{"name": column, "dtype": str(dtype)} for column, dtype in df.schema.items()],
        "rows": json.loads(df.with_columns(pl.col(pl.Binary).bin.encode("hex")).write_json()),
    }
