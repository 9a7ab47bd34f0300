"""Opening: where the table of an asset lies, and how it is read there.

The lake's own tables lie below its root. What others write lies anywhere and is only read: whoever asks for the table
of an asset asks here, and nowhere else is it known where that is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from deltaworks.engine.definitions.asset import Asset, AssetKind
from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.errors import InvalidDefinition, LogGap, RequestError, StorageError, TableMismatch, VersionGone
from deltaworks.io.external import External
from deltaworks.io.history import history
from deltaworks.io.index import load_indexed, load_table
from deltaworks.io.log import Commit
from deltaworks.io.memory import as_known, load_external, remember, remember_if_due
from deltaworks.io.store import Store, split_place
from deltaworks.io.table import Table


def open_latest(lake: Store, asset: Asset[..., Any]) -> Table:
    """Read the table of an asset at its latest version.

    Raises:
        LogGap: a commit is missing or damaged.
        TableMismatch: others write it, and it cannot be read here or is not partitioned as its asset says.
    """
    if asset.kind is not AssetKind.EXTERNAL:
        return load_table(lake, asset.table_name)
    table = _load(lake, asset)
    if table.exists:
        table.schema()
        _verify_partitions(asset, table)
    return table


def open_and_keep(lake: Store, asset: Asset[..., Any]) -> Table:
    """Read the table of an asset as `open_latest`, and keep what was read for those who come next, if that is due.

    An absent lake stays absent: nothing in it hangs on what was read.

    Raises:
        LogGap: a commit is missing or damaged.
        TableMismatch: others write it, and it cannot be read here or is not partitioned as its asset says.
    """
    if asset.kind is not AssetKind.EXTERNAL:
        return load_indexed(lake, asset.table_name)
    table = open_latest(lake, asset)
    if lake.has_folder(""):
        remember_if_due(table)
    return table


def open_version(lake: Store, asset: Asset[..., Any], version: int | None = None) -> Table:
    """Read the log of an asset's table, to its end or to one version, whatever is kept of it.

    Raises:
        VersionGone: it has no such version.
        LogGap: a commit is missing or damaged.
    """
    store, name = place_of_table(lake, asset)
    if asset.kind is not AssetKind.EXTERNAL:
        return Table.read(store, name, version)
    try:
        return Table.read(store, name, version, as_known(store, name, external_of(lake, asset)))
    except LogGap as error:
        raise _told_as_external(asset, error) from error
    except VersionGone as error:
        raise VersionGone(str(asset.key), error.version, error.latest, error.earliest) from error


def open_history(lake: Store, asset: Asset[..., Any], *, before: int | None = None) -> Iterator[Commit]:
    """Yield the commits of an asset's table, newest first, as far as its log goes back; see `history`.

    `before`: only commits of versions below this one.

    Raises:
        LogGap: a commit is missing or damaged.
    """
    external = _load(lake, asset) if asset.kind is AssetKind.EXTERNAL else None
    return history(*place_of_table(lake, asset), external, before=before)


def log_folder(lake: Store, asset: Asset[..., Any]) -> tuple[Store, str]:
    """Return where the commits of an asset's table lie, each a file of this folder."""
    store, name = place_of_table(lake, asset)
    return store, f"{name}/_delta_log"


def no_table(lake: Store, asset: Asset[..., Any]) -> Table:
    """Return the table of an asset as it was before there was one."""
    external = external_of(lake, asset) if asset.kind is AssetKind.EXTERNAL else None
    return Table(*place_of_table(lake, asset), external)


def place_of_table(lake: Store, asset: Asset[..., Any]) -> tuple[Store, str]:
    """Return the store that the table of an asset lies in, and its folder there."""
    if asset.kind is not AssetKind.EXTERNAL:
        return lake, asset.table_name
    root, name = split_place(str(asset.location))
    return lake.elsewhere(root, asset.storage), name


def keep_what_is_read(table: Table) -> None:
    """Make sure that the lake knows later what a table was when it was read from.

    Its owner may delete the commits, so without that nobody could tell what changed since.

    Raises:
        StorageError: the lake cannot be written.
    """
    if table.external is not None and (table.read_bytes or not table.is_indexed):
        remember(table)


def external_of(lake: Store, asset: Asset[..., Any]) -> External:
    """Return what the table of an asset that others write is to a lake."""
    return External(lake, str(asset.key), is_whole=not asset.partition_columns)


def refuse_external(asset: Asset[..., Any], deed: str) -> None:
    """Make sure that an asset's table is not one that others write.

    Raises:
        RequestError: it is; `deed` says what cannot be done to it.
    """
    if asset.kind is AssetKind.EXTERNAL:
        raise RequestError(f"{asset.key} cannot be {deed}: others write {asset.location}, and here it is only read.")


def refuse_own_tables(definitions: Definitions, lake: Store) -> None:
    """Make sure that no table that others write shares its folder with one of the lake's own.

    Raises:
        InvalidDefinition: it is one, or lies inside of one, or one or the whole lake lies inside of it.
    """
    without = (AssetKind.EXTERNAL, AssetKind.VIEW)
    own = {lake.uri(asset.table_name): asset for asset in definitions.assets if asset.kind not in without}
    within = {folder: asset for place, asset in own.items() for folder in _above(place)}
    for asset in definitions.assets:
        if asset.kind is AssetKind.EXTERNAL:
            problem = _overlap(str(asset.location), lake, own, within)
            if problem is not None:
                raise InvalidDefinition(
                    f"external {str(asset.key)!r}: {problem}", where=asset.where, asset=str(asset.key)
                )


def _overlap(
    folder: str,
    lake: Store,
    own: Mapping[str, Asset[..., Any]],
    within: Mapping[str, Asset[..., Any]],
) -> str | None:
    """Say what a folder that others write shares with a lake, whose assets are given by folder and by what is above."""
    other = next((own[each] for each in (folder, *_above(folder)) if each in own), None)
    if other is not None:
        named = f"asset {str(other.key)!r} ({other.where})"
        return f"{folder} is the folder of {named}, or lies in it; read that asset instead"
    root = lake.uri("")
    if folder in (root, *_above(root)):
        return f"the lake is at or below {folder}, where only others write; put the lake somewhere else"
    if folder in within:
        other = within[folder]
        return (
            f"asset {str(other.key)!r} ({other.where}) has its folder in {folder}, where only others write; give that "
            "asset another name or location"
        )
    return None


def _above(place: str) -> list[str]:
    """Return the folders, or the prefixes of a bucket, that a place lies in."""
    top, is_uri, path = place.rpartition("://")
    return [f"{top}{is_uri}{folder}" for folder in map(str, PurePosixPath(path).parents) if folder != "."]


def _load(lake: Store, asset: Asset[..., Any]) -> Table:
    try:
        return load_external(*place_of_table(lake, asset), external_of(lake, asset))
    except LogGap as error:
        raise _told_as_external(asset, error) from error


def _verify_partitions(asset: Asset[..., Any], table: Table) -> None:
    assert table.metadata is not None, "a table that exists has metadata"
    if not asset.partition_columns:
        return
    wanted = tuple(column.name for column in asset.partition_columns)
    found = table.metadata.partition_columns
    where = f"external table {asset.location} (version {table.version})"
    if wanted != found:
        raise TableMismatch(
            f"{where}: it is partitioned by {_named(found)}, but its asset {asset.key} ({asset.where}) says "
            f"partition_by {_named(wanted)}. Say what it is, in the table's order; or leave partitions out, and the "
            "table counts as one partition."
        )
    schema = table.schema()
    for column, dimension in zip(wanted, asset.partitions.dimensions, strict=True):
        problem = dimension.column_problem(schema[column])
        if problem:
            raise TableMismatch(f"{where}: its partition column {column!r} {problem} ({asset.key}, {asset.where}).")


def _named(columns: tuple[str, ...]) -> str:
    return ", ".join(map(repr, columns)) or "no column"


def _told_as_external(asset: Asset[..., Any], error: LogGap) -> StorageError:
    return StorageError(
        f"external table {asset.location}: version {error.version} of its log {error.problem}, so nothing can be said "
        f"about {asset.key}; those who write it must restore it."
    )
