"""HandedIn: Parquet files that an asset's function had another engine write, read as if it had returned their rows."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

import polars as pl

from deltaworks.engine.definitions.asset import Asset
from deltaworks.engine.definitions.staged_files import Staging
from deltaworks.engine.execution.task import Task
from deltaworks.errors import RunError, StorageError
from deltaworks.io.handed_in import handed_in_folder, schema_of_file
from deltaworks.io.partition_values import NULL_KEY, typed
from deltaworks.io.store import Store
from deltaworks.validation import declare


@dataclass(frozen=True, slots=True)
class HandedIn:
    """The folder of one call."""

    store: Store
    folder: str
    """Below the lake's root."""

    @property
    def staging(self) -> Staging:
        """What the function is told."""
        return Staging(self.store.uri(self.folder))

    def rows(
        self, asset: Asset[..., Any], paths: Sequence[str | Path], expected: int | None, where: str
    ) -> pl.LazyFrame:
        """Return the rows of files, lazily.

        Raises:
            RunError: one lies elsewhere, or has other columns than the model; or they have not as many rows as is said.
        """
        found = list(dict.fromkeys(path for each in paths for path in self._files(str(each), where)))
        schema = _schema(asset, where)
        parts: dict[tuple[tuple[str, str], ...], list[str]] = {}
        for path in found:
            values = _values(path.removeprefix(f"{self.folder}/"), schema)
            self._refuse_misfit(path, values, schema, where)
            parts.setdefault(tuple(values.items()), []).append(self.store.uri(path))
        frames = [
            pl.scan_parquet(uris, glob=False, hive_partitioning=False, storage_options=self.store.polars_options)
            .with_columns(_literal(column, value, schema, where) for column, value in values)
            .select(schema.names())
            for values, uris in parts.items()
        ]
        lf = pl.concat(frames) if frames else pl.LazyFrame(schema=schema)
        rows = None if expected is None else lf.select(pl.len()).collect().item()
        if rows != expected:
            raise RunError(f"{where}: the staged files have {rows:,} rows, expected {expected:,} as the function said")
        return lf

    def _files(self, path: str, where: str) -> Iterator[str]:
        """Yield the Parquet files that a path stands for, below the lake's root."""
        home = self.store.uri(self.folder)
        inside = path.removeprefix(home).lstrip("/") if path == home or path.startswith(f"{home}/") else path
        if "://" in inside or inside.startswith("/") or ".." in PurePosixPath(inside).parts:
            raise RunError(f"{where}: staged file {path} does not lie in {home}; write it into staging.folder")
        below = str(PurePosixPath(self.folder, inside))
        inner = sorted(each for each in self.store.list(below) if _is_meant(each.removeprefix(f"{below}/")))
        if inner or below == self.folder:
            yield from inner
        elif self.store.has_folder(below) or self.store.size_bytes(below) is None:
            raise RunError(f"{where}: staged file {path} is neither a file nor a folder with *.parquet files")
        else:
            yield below

    def _refuse_misfit(self, path: str, values: Mapping[str, str], schema: pl.Schema, where: str) -> None:
        found = {**schema_of_file(self.store, path), **{column: schema[column] for column in values}}
        problems = [f"lacks column {name!r} ({dtype})" for name, dtype in schema.items() if name not in found]
        problems += [
            f"has column {name!r} as {found[name]}, expected {dtype}"
            for name, dtype in schema.items()
            if found.get(name, dtype) != dtype
        ]
        problems += [f"has column {name!r}, which the model does not" for name in found if name not in schema]
        if problems:
            raise RunError(
                f"{where}: staged file {path.removeprefix(f'{self.folder}/')} {'; '.join(problems)}. Nothing is cast: "
                "write it with the columns of the model."
            )


@contextmanager
def handed_in(store: Store, asset: Asset[..., Any], task: Task) -> Generator[HandedIn | None]:
    """Hand out a folder for a call, and delete it afterwards; none: the function does not ask for one."""
    if asset.signature.staging is None:
        yield None
        return
    folder = handed_in_folder(str(asset.key), task.run_id, task.file_number)
    store.make_folder(folder)
    try:
        yield HandedIn(store, folder)
    finally:
        with suppress(StorageError):  # `maintain` deletes what is left
            for file in list(store.files(folder)):
                store.delete(file.path)
            store.drop_empty_folders(folder)


def _schema(asset: Asset[..., Any], where: str) -> pl.Schema:
    declared = declare(asset.model) if asset.model is not None else None
    if declared is None or declared.patterns:
        raise RunError(f"{where}: staged files are compared with a model that names all columns ({asset.where})")
    return pl.Schema(declared.schema())


def _is_meant(path: str) -> bool:
    """Return whether a file of a folder is part of the result, by its path there.

    What begins with `_` or `.` is an engine's own, as it is for every reader of such folders: tasks of Spark that
    failed, or ran twice, leave their files in `_temporary`.
    """
    parts = PurePosixPath(path).parts
    return path.endswith(".parquet") and not any(part[0] in "_." and "=" not in part for part in parts)


def _values(path: str, schema: pl.Schema) -> dict[str, str]:
    """Return what the names of a file's folders say of its rows."""
    parts = (part.partition("=") for part in PurePosixPath(path).parts[:-1])
    return {column: value for column, found, value in parts if found and column in schema}


def _literal(column: str, value: str, schema: pl.Schema, where: str) -> pl.Expr:
    if value == NULL_KEY:
        return pl.lit(None, schema[column]).alias(column)
    try:
        return pl.lit(typed(pl.Series([unquote(value)]), schema[column]).item(), schema[column]).alias(column)
    except (pl.exceptions.PolarsError, ValueError) as error:
        raise RunError(f"{where}: folder {column}={value} of staged files is no {schema[column]}") from error
