"""Folded: runs of days gone by as Parquet, one file a month, beside the ledger's objects for the runs of late.

One object a run is quick to write and slow to read by the thousand. A fold writes the Parquet file first and deletes
the objects then; a run that is found in both counts once, as its object says it.
"""

from __future__ import annotations

import datetime as dt
import io
import json
from collections.abc import Iterator, Mapping

import polars as pl

from deltaworks.errors import StorageError
from deltaworks.io.dtypes import Json
from deltaworks.io.store import ENGINE_FOLDER, Store

FOLDER = f"{ENGINE_FOLDER}/ledger/folded"

_INSTANT = pl.Datetime("us", "UTC")

_FAILURE = pl.Struct(
    {
        "asset": pl.String(),
        "partition": pl.String(),
        "error": pl.String(),
        "table_version": pl.Int64(),
        "table_id": pl.String(),
    }
)

_STEP = pl.Struct(
    {
        "asset": pl.String(),
        "planned": pl.Int64(),
        "materialized": pl.Int64(),
        "failed": pl.Int64(),
        "skipped": pl.Int64(),
        "calls": pl.Int64(),
        "calls_s": pl.Float64(),
        "rows": pl.Int64(),
        "rate": pl.Float64(),
        "left_s": pl.Float64(),
        "current": pl.String(),
    }
)

_ATTEMPT = pl.Struct(
    {
        "number": pl.Int64(),
        "status": pl.String(),
        "started_at": pl.String(),
        "ended_at": pl.String(),
        "materialized": pl.Int64(),
        "failed": pl.Int64(),
        "skipped": pl.Int64(),
        "commits": pl.Int64(),
    }
)

_CHECK_FAILURE = pl.Struct(
    {
        "asset": pl.String(),
        "partition": pl.String(),
        "check": pl.String(),
        "severity": pl.String(),
        "problem": pl.String(),
        "version": pl.Int64(),
        "metadata": pl.String(),
    }
)
"""The metadata is JSON: its values are of several types."""

SCHEMA = pl.Schema(
    {
        "run_id": pl.String(),
        "status": pl.String(),
        "command": pl.String(),
        "started_at": _INSTANT,
        "ended_at": _INSTANT,
        "materialized": pl.Int64(),
        "failed": pl.Int64(),
        "skipped": pl.Int64(),
        "commits": pl.Int64(),
        "failures": pl.List(_FAILURE),
        "observed": pl.List(pl.String()),
        "heartbeat_at": _INSTANT,
        "host": pl.String(),
        "pid": pl.Int64(),
        "kind": pl.String(),
        "replaced": pl.Int64(),
        "dropped": pl.Int64(),
        "quarantined": pl.Int64(),
        "born": pl.String(),
        "user": pl.String(),
        "priority": pl.Int64(),
        "tags": pl.List(pl.String()),
        "reason": pl.String(),
        "waits_for": pl.String(),
        "attempt": pl.Int64(),
        "attempt_started_at": _INSTANT,
        "steps": pl.List(_STEP),
        "earlier": pl.List(_ATTEMPT),
        "checks_passed": pl.Int64(),
        "check_failures": pl.List(_CHECK_FAILURE),
        "job": pl.String(),
        "job_partition": pl.String(),
        "config": pl.String(),
        "tick": pl.String(),
        "executor": pl.String(),
        "workers": pl.Int64(),
        "memory_mb": pl.Float64(),
        "dashboard": pl.String(),
    }
)
"""One row a run, by start; a column for each key of its object. Instants are in UTC, the config is JSON."""

_INSTANTS = tuple(name for name, dtype in SCHEMA.items() if dtype == _INSTANT)


def fold(store: Store, runs: Mapping[str, Json]) -> None:
    """Add runs to the Parquet files of their months, in place of what the files said of the same runs.

    Args:
        store: the lake.
        runs: the documents, by run id; every key of theirs is a column of `SCHEMA`.

    Raises:
        StorageError: the lake cannot be written, or a file that is there is damaged.
    """
    months: dict[str, list[Json]] = {}
    for document in runs.values():
        checks = [each | {"metadata": json.dumps(each["metadata"])} for each in document.get("check_failures") or ()]
        row = document | {name: _instant(document.get(name)) for name in _INSTANTS} | {"check_failures": checks}
        row["config"] = json.dumps(document.get("config") or {})
        months.setdefault(f"{row['started_at']:%Y-%m}", []).append(row)
    for month, rows in sorted(months.items()):
        path = f"{FOLDER}/{month}.parquet"
        df = pl.DataFrame(rows, schema=SCHEMA, orient="row").select(SCHEMA.names())
        before = _read(store, path)
        if before is not None:
            df = pl.concat([before, df]).unique("run_id", keep="last")
        buffer = io.BytesIO()
        df.sort("started_at", "run_id").write_parquet(buffer, compression="zstd")
        store.put(path, buffer.getvalue())


def paths(store: Store) -> Iterator[str]:
    """Yield where the files are."""
    return (path for path in store.list(FOLDER) if path.endswith(".parquet"))


def find(store: Store, run_id: str) -> str | None:
    """Return the file that a run is in; none if it is in none.

    Raises:
        StorageError: a file is damaged.
    """
    for path in sorted(paths(store), reverse=True):
        content = store.read(path)
        try:
            if content is not None and run_id in pl.read_parquet(io.BytesIO(content), columns=["run_id"])["run_id"]:
                return path
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError) as error:
            raise damaged(store, path, error) from error
    return None


def read_fold(store: Store, path: str) -> list[Json]:
    """Return the documents of the runs in a file.

    Raises:
        StorageError: it is damaged.
    """
    df = _read(store, path)
    rows: list[Json] = [] if df is None else df.to_dicts()
    for row in rows:
        row |= {name: None if row[name] is None else row[name].isoformat() for name in _INSTANTS}
        checks: list[Json] = row["check_failures"] or []
        row["check_failures"] = [each | {"metadata": json.loads(each["metadata"])} for each in checks]
        row["config"] = json.loads(row["config"] or "{}")
    return rows


def _read(store: Store, path: str) -> pl.DataFrame | None:
    """Read a file; columns that it lacks, since an older engine wrote it, are null. None: it is not there."""
    content = store.read(path)
    if content is None:
        return None
    try:
        df = pl.read_parquet(io.BytesIO(content))
        lacking = (pl.lit(None, dtype).alias(name) for name, dtype in SCHEMA.items() if name not in df.columns)
        df = df.with_columns(lacking).select(SCHEMA.names()).cast(SCHEMA)
        if df.select(pl.any_horizontal(pl.col("run_id", "status", "command", "started_at").has_nulls())).item():
            raise ValueError("a run lacks its id, status, command or start")
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError) as error:
        raise damaged(store, path, error) from error
    return df


def damaged(store: Store, path: str, error: BaseException) -> StorageError:
    """Return what is raised when a file cannot be read."""
    reason = " ".join(str(error).split())
    return StorageError(
        f"ledger file {store.uri(path)} is damaged ({type(error).__name__}: {reason}); delete it: only the history of "
        "the runs in it is lost"
    )


def _instant(text: str | None) -> dt.datetime | None:
    return None if text is None else dt.datetime.fromisoformat(text).astimezone(dt.UTC)
