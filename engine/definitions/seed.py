"""Seed: a small file of the project as a table: a list of regions, a mapping of codes, the holidays of a year.

It is an asset whose code is the file: its content stands for the code version, so a changed file makes the table stale
like a changed function would, and nothing else does.
"""

from __future__ import annotations

import hashlib
import inspect
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from deltaworks.engine.definitions.asset import Asset, AssetKind, complete, named
from deltaworks.engine.definitions.frames import FrameType
from deltaworks.engine.definitions.keys import KeyLike
from deltaworks.engine.definitions.partitions.protocols import Unpartitioned
from deltaworks.engine.definitions.policies import BackfillPolicy
from deltaworks.engine.definitions.signature import Signature
from deltaworks.errors import InvalidDefinition, Place
from deltaworks.validation import declare, is_model

MAX_BYTES = 64 * 1024 * 1024
"""A seed is read whole by every command that loads the project; what is larger is data."""

_SUFFIXES = (".csv", ".parquet")


def seed(
    name: KeyLike,
    path: str | Path,
    *,
    model: type | None = None,
    description: str = "",
    group: str = "default",
    owners: Sequence[str] = (),
    tags: Mapping[str, str] | None = None,
    location: str | None = None,
) -> Asset[[], pl.LazyFrame]:
    """Define a table by a CSV or Parquet file of the project.

    Args:
        name: the asset key.
        path: the file, from the folder of the module that defines the seed.
        model: the pandera model of its rows; it gives the columns of a CSV their dtypes.
        description: what the table is.
        group: a word to select assets by.
        owners: people or teams.
        tags: words to select assets by.
        location: the table's folder below the lake, for a table that is older than the asset's name.

    Raises:
        InvalidDefinition: there is no such file, it is neither CSV nor Parquet, or it is larger than `MAX_BYTES`.
    """
    caller = inspect.stack(context=0)[1]
    where = Place(caller.filename, caller.lineno)
    key = named(name, where)
    file = Path(caller.filename).parent / path
    problem = _problem(file, model)
    if problem:
        raise InvalidDefinition(f"seed {str(key)!r}: {problem}", where=where, asset=str(key))
    digest = _digest(file.read_bytes())
    return complete(
        Asset(
            key=key,
            function=_reader(file, digest, model),
            signature=Signature(upstreams=(), returns=FrameType(model, is_lazy=True)),
            where=where,
            partitions=Unpartitioned(),
            partition_columns=(),
            backfill=BackfillPolicy(),
            retry=None,
            description=description,
            group=group,
            owners=tuple(owners),
            tags=dict(tags or {}),
            code_version=f"seed {digest}",
            location=location,
            kind=AssetKind.SEED,
        )
    )


def _problem(file: Path, model: Any) -> str | None:
    if model is not None and not is_model(model):
        return f"model must be a pandera.polars DataFrameModel, not {model!r}"
    if file.suffix.lower() not in _SUFFIXES:
        return f"{file} is neither .csv nor .parquet"
    if not file.is_file():
        return f"there is no file {file}; put it back, or take the seed out of the code"
    if file.stat().st_size > MAX_BYTES:
        return (
            f"{file} has {file.stat().st_size:,} bytes, but a seed has at most {MAX_BYTES:,}; write an asset that "
            "scans the file"
        )
    return None


def _reader(file: Path, digest: str, model: type | None) -> Callable[[], pl.LazyFrame]:
    def read() -> pl.LazyFrame:
        content = file.read_bytes()
        if _digest(content) != digest:
            raise ValueError(f"{file} changed after the project was loaded; run the command again")
        if file.suffix.lower() == ".parquet":
            return pl.read_parquet(io.BytesIO(content)).lazy()
        dtypes = {} if model is None else dict(declare(model).schema())
        return pl.read_csv(io.BytesIO(content), schema_overrides=dtypes, try_parse_dates=model is None).lazy()

    read.__name__ = file.name  # as status tells what changed
    return read


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
