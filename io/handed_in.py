"""HandedIn: where other engines put Parquet files for a call of a run, until they are audited and written again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import polars as pl

from deltaworks.errors import RunError
from deltaworks.io.store import ENGINE_FOLDER, Store
from deltaworks.io.stores.reason import reason
from deltaworks.io.stores.stored_file import StoredFile
from deltaworks.io.sweep import Runs

_FOLDER = f"{ENGINE_FOLDER}/staging"


def handed_in_folder(asset: str, run_id: str, number: int) -> str:
    """Return the folder of a call, below the lake's root; `number` is unique in the run."""
    return f"{_FOLDER}/{asset}/{run_id}-{number}"


def schema_of_file(store: Store, path: str) -> pl.Schema:
    """Return the columns of a Parquet file.

    Raises:
        RunError: it is none.
    """
    uri = store.uri(path)
    try:
        return pl.scan_parquet(
            uri, glob=False, hive_partitioning=False, storage_options=store.polars_options
        ).collect_schema()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise RunError(f"staged file {uri} cannot be read as Parquet: {reason(error)}") from error


def stray_handed_in(store: Store, asset: str, before: dt.datetime, runs: Runs) -> list[StoredFile]:
    """Return the files of calls that died, old enough, of runs that work no longer."""
    folder = f"{_FOLDER}/{asset}"
    return [
        file
        for file in store.files(folder)
        if file.modified_at < before and _run_id(file.path.removeprefix(f"{folder}/")) not in runs.live
    ]


def drop_folders_of_calls(store: Store, asset: str, deleted: Iterable[StoredFile]) -> None:
    """Remove the folders of calls whose files were deleted, as far as nothing is left in them.

    Raises:
        StorageError: the lake cannot be written.
    """
    above = f"{_FOLDER}/{asset}/"
    calls = {file.path.removeprefix(above).partition("/")[0] for file in deleted if file.path.startswith(above)}
    for call in calls:
        store.drop_empty_folders(f"{above}{call}")


def _run_id(path: str) -> str:
    return path.partition("/")[0].rpartition("-")[0]
