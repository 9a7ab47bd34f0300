"""External asset: a Delta table that somebody else writes, as an upstream.

Its commits are events: what they change makes stale what is made from it here. It is only read.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import polars as pl

from deltaworks.engine.definitions.asset import Asset, AssetKind, complete, named, read_columns
from deltaworks.engine.definitions.frames import FrameType
from deltaworks.engine.definitions.freshness import FreshnessPolicy
from deltaworks.engine.definitions.keys import KeyLike
from deltaworks.engine.definitions.partitions.partition_columns import PartitionBy
from deltaworks.engine.definitions.partitions.protocols import Partitions, Unpartitioned
from deltaworks.engine.definitions.policies import BackfillPolicy
from deltaworks.engine.definitions.signature import Signature
from deltaworks.errors import DeltaworksError, InvalidDefinition, Place, RequestError
from deltaworks.io.store import place
from deltaworks.validation import is_model


def external_asset(
    name: KeyLike,
    *,
    uri: str | Path,
    storage: str | None = None,
    partitions: Partitions | None = None,
    partition_by: PartitionBy | None = None,
    model: type | None = None,
    description: str = "",
    group: str = "default",
    owners: Sequence[str] = (),
    tags: Mapping[str, str] | None = None,
    freshness: FreshnessPolicy | None = None,
) -> Asset[[], pl.LazyFrame]:
    """Define a Delta table that others write as an upstream of assets; nothing of it is ever written here.

    A commit by others makes stale what is made from the partitions that it changed. Old commits may be deleted by the
    table's owner: what the lake has read of them before, it remembers.

    Args:
        name: the asset key.
        uri: the table's folder: a path, from the folder of the module that defines the asset, or a URI: `file://`,
            `s3://`, `gs://` or `az://`.
        storage: the profile of the settings, `[storage.NAME]`, by which an object store is reached; none: as the
            environment of the process says.
        partitions: how the table is partitioned; none: it counts as one partition, however its files are cut.
        partition_by: the table's partition column; one for each dimension, in the table's order.
        model: the pandera model that its readers rely on: its columns and dtypes are compared with the table's before
            a run. More columns than it names are fine, and its rules are not checked.
        description: what the table is.
        group: a word to select assets by.
        owners: people or teams.
        tags: words to select assets by.
        freshness: how old its last commit may be; of partitions of time, how long after its end one may be missing.

    Raises:
        InvalidDefinition: the definition does not make sense, or the URI is none that can be opened.
    """
    caller = inspect.stack(context=0)[1]
    where = Place(caller.filename, caller.lineno)
    key = named(name, where)
    columns = read_columns(AssetKind.EXTERNAL, partition_by, partitions, key, where)
    try:
        if model is not None and not is_model(model):
            raise InvalidDefinition(f"model must be a pandera.polars DataFrameModel, not {model!r}")
        computed = next((column for column in columns if column.expression is not None), None)
        if computed is not None:
            raise InvalidDefinition(
                f"partition_by={computed.expression} must be the name of one of the table's columns"
            )
        folder = _folder(uri, Path(caller.filename).parent)
    except DeltaworksError as error:
        reason = error.reason if isinstance(error, InvalidDefinition) else str(error)
        raise InvalidDefinition(f"external {str(key)!r}: {reason}", where=where, asset=str(key)) from error
    return complete(
        Asset(
            key=key,
            function=_not_here(str(key)),
            signature=Signature(upstreams=(), returns=FrameType(model, is_lazy=True)),
            where=where,
            partitions=Unpartitioned() if partitions is None else partitions,
            partition_columns=columns,
            backfill=BackfillPolicy(),
            retry=None,
            description=description,
            group=group,
            owners=tuple(owners),
            tags=dict(tags or {}),
            code_version=None,
            location=str(folder),
            storage=storage,
            kind=AssetKind.EXTERNAL,
            freshness=freshness,
        )
    )


_SLASHES = 3
"""How many there are in the URI of a folder in a bucket, at least."""


def _folder(uri: str | Path, beside: Path) -> Path | str:
    text = str(uri)
    if not text:
        raise InvalidDefinition("uri is empty; it names the table's folder")
    folder = place(text if "://" in text else str(beside / Path(text).expanduser()), "table")
    if folder == folder.parent if isinstance(folder, Path) else folder.count("/") < _SLASHES:
        raise InvalidDefinition(f"uri={text!r} is no folder of a table")
    return folder


def _not_here(key: str) -> Callable[[], pl.LazyFrame]:
    def call() -> pl.LazyFrame:
        raise RequestError(f"{key} is not made by a function: others write it. Read it by dw.read(..., lake=...).")

    return call
