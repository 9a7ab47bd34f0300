"""Source: data without a log, such as an API or a folder of files, of which only the version can be told.

A run asks first which version there is of each partition and keeps the answer in a small Delta table; what is made from
a partition is stale when its version is another one. The data itself is read by those who use it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ParamSpec, TypeAlias, TypeVar, overload

from deltaworks.engine.definitions.asset import Asset, AssetKind, complete, named
from deltaworks.engine.definitions.automation.sensor import LONGEST_INTERVAL_S
from deltaworks.engine.definitions.files import Files, KeyOfPath, read_files
from deltaworks.engine.definitions.frames import FrameType
from deltaworks.engine.definitions.freshness import FreshnessPolicy
from deltaworks.engine.definitions.keys import AssetKey, KeyLike
from deltaworks.engine.definitions.partitions.protocols import Partitions, Unpartitioned
from deltaworks.engine.definitions.policies import BackfillPolicy
from deltaworks.engine.definitions.signature import Signature, place_of, read_signature
from deltaworks.errors import InvalidDefinition, Place
from deltaworks.validation import observed_model

Version: TypeAlias = str | int
"""What differs whenever the data does: a number, a time as text, an e-tag, a digest."""

P = ParamSpec("P")
R = TypeVar("R", bound=Version | Mapping[str, Version])
T = TypeVar("T")


@overload
def observable_source(function: Callable[P, R], /) -> Asset[P, R]: ...


@overload
def observable_source(
    *,
    name: KeyLike | None = None,
    partitions: Partitions | None = None,
    group: str = "default",
    owners: Sequence[str] = (),
    tags: Mapping[str, str] | None = None,
    location: str | None = None,
    freshness: FreshnessPolicy | None = None,
    interval_s: float | None = None,
) -> Callable[[Callable[P, R]], Asset[P, R]]: ...


def observable_source(
    function: Callable[P, R] | None = None,
    /,
    *,
    name: KeyLike | None = None,
    partitions: Partitions | None = None,
    group: str = "default",
    owners: Sequence[str] = (),
    tags: Mapping[str, str] | None = None,
    location: str | None = None,
    freshness: FreshnessPolicy | None = None,
    interval_s: float | None = None,
) -> Asset[P, R] | Callable[[Callable[P, R]], Asset[P, R]]:
    """Define data without a log by the function that tells its version.

    The function may ask for a `Logger` and for resources by type. It returns a version, which is a text or a whole
    number; with partitions, the version of each by its key. A key that it does not return any more is gone. Every run
    calls it before it decides what else there is to do, and daemons as often as `interval_s` says.

    Args:
        function: what `@observable_source` without parentheses decorates.
        name: the asset key; none: the function's name.
        partitions: how the data is cut; none: it has one version as a whole.
        group: a word to select assets by.
        owners: people or teams.
        tags: words to select assets by.
        location: the folder below the lake of the table of its versions, where that is not told by the key.
        freshness: how old the last change that was observed may be; of partitions of time, how long after its end one
            may be missing.
        interval_s: how often daemons observe it; none: only runs do.

    Raises:
        DefinitionError: the definition does not make sense; the message has file and line.
    """
    here = inspect.currentframe()
    caller = here.f_back if here is not None else None
    scope = caller.f_locals if caller is not None else {}

    def define(function: Callable[P, R]) -> Asset[P, R]:
        if not inspect.isfunction(function) or inspect.iscoroutinefunction(function):
            raise InvalidDefinition(f"observable_source decorates a plain function, not {function!r}")
        where = place_of(function)
        key = named(function.__name__ if name is None else name, where)
        rows = _rows(partitions, has_files=False)
        signature = read_signature(function, str(key), scope, returns=rows)
        return _complete(
            key,
            function,
            signature,
            where,
            partitions,
            group,
            owners,
            tags,
            location,
            inspect.getdoc(function) or "",
            freshness=freshness,
            interval_s=interval_s,
        )

    return define if function is None else define(function)


def file_source(
    name: KeyLike,
    pattern: str | Path,
    *,
    partitions: Partitions | None = None,
    key: KeyOfPath | None = None,
    description: str = "",
    group: str = "default",
    owners: Sequence[str] = (),
    tags: Mapping[str, str] | None = None,
    location: str | None = None,
    freshness: FreshnessPolicy | None = None,
    interval_s: float | None = None,
) -> Asset[[str], str | None]:
    """Define data by its files, whose sizes and times, or the tags that an object store gives them, are its versions.

    What is made from it reads a frame with a row for each file of its partitions, whose column `path` can be scanned.
    Calling it with the path of a file, below the pattern's fixed part, returns the file's partition key.

    Args:
        name: the asset key.
        pattern: the files: a path, from the folder of the module that defines the source, or a URI such as
            `s3://bucket/data/*.csv`; `*`, `?` and `[...]` stand for parts of a name, `**` for any folders.
        partitions: how the files are cut; none: they have one version as a whole.
        key: what tells a file's partition: a regular expression that is searched in its path below the pattern's fixed
            part, with one group or one that is named `key`; or a function of that path.
        description: what the data is.
        group: a word to select assets by.
        owners: people or teams.
        tags: words to select assets by.
        location: the folder below the lake of the table of its versions, where that is not told by the key.
        freshness: how old the last change that was observed may be; of partitions of time, how long after its end one
            may be missing.
        interval_s: how often daemons observe it; none: only runs do.

    Raises:
        InvalidDefinition: the pattern or the key is none, or there is a key without partitions.
    """
    caller = inspect.stack(context=0)[1]
    where = Place(caller.filename, caller.lineno)
    asset_key = named(name, where)
    try:
        if (partitions is None) is not (key is None):
            given, lacks = ("key", "partitions") if partitions is None else ("partitions", "key")
            raise InvalidDefinition(f"{given} is given, but not {lacks}; a file belongs to a partition by its key")
        files = read_files(pattern, Path(caller.filename).parent, key)
    except InvalidDefinition as error:
        raise InvalidDefinition(
            f"source {str(asset_key)!r}: {error.reason}", where=where, asset=str(asset_key)
        ) from error

    def key_of(path: str) -> str | None:
        return None if files.key is None else files.key(path)

    signature = Signature(upstreams=(), returns=_rows(partitions, has_files=True))
    return _complete(
        asset_key,
        key_of,
        signature,
        where,
        partitions,
        group,
        owners,
        tags,
        location,
        description,
        files,
        freshness=freshness,
        interval_s=interval_s,
    )


def _rows(partitions: object, *, has_files: bool) -> FrameType:
    return FrameType(observed_model(has_partitions=partitions is not None, has_files=has_files), is_lazy=True)


def _complete(
    key: AssetKey,
    function: Callable[P, T],
    signature: Signature,
    where: Place,
    partitions: Partitions | None,
    group: str,
    owners: Sequence[str],
    tags: Mapping[str, str] | None,
    location: str | None,
    description: str,
    files: Files | None = None,
    *,
    freshness: FreshnessPolicy | None,
    interval_s: float | None,
) -> Asset[P, T]:
    problem = _problem(signature, partitions, interval_s)
    if problem:
        raise InvalidDefinition(f"source {str(key)!r}: {problem}", where=where, asset=str(key))
    return complete(
        Asset(
            key=key,
            function=function,
            signature=signature,
            where=where,
            partitions=Unpartitioned() if partitions is None else partitions,
            partition_columns=(),
            backfill=BackfillPolicy(),
            retry=None,
            description=description,
            group=group,
            owners=tuple(owners),
            tags=dict(tags or {}),
            code_version=None,
            location=location,
            kind=AssetKind.SOURCE,
            files=files,
            freshness=freshness,
            interval_s=interval_s,
        )
    )


def _problem(signature: Signature, partitions: Any, interval_s: Any) -> str | None:
    if signature.upstreams:
        return (
            f"argument {signature.upstreams[0].argument!r} is a frame, but a source is made from nothing; it may ask "
            "for a Logger and resources"
        )
    if signature.partition is not None:
        return (
            f"argument {signature.partition!r} is a Partition, but one call tells the versions of all; return them by "
            "key"
        )
    if partitions is not None and not isinstance(getattr(partitions, "dimensions", None), tuple):
        return f"partitions must be a definition such as DailyPartitions(start=...), not {partitions!r}"
    if interval_s is not None and not (isinstance(interval_s, int | float) and 0 < interval_s <= LONGEST_INTERVAL_S):
        return f"interval_s must be more than 0 and at most {LONGEST_INTERVAL_S:,.0f} seconds, not {interval_s!r}"
    return None
