"""ObjectFiles: files below a local folder or in an object store, to be read and written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

import polars as pl
from pydantic import SecretStr

from deltaworks.engine.definitions.files import read_files
from deltaworks.engine.definitions.resources import Resource
from deltaworks.errors import RequestError
from deltaworks.io.files import ALLOW_HTTP, list_files, read_file, write_file

_SCANS: Mapping[str, Callable[..., pl.LazyFrame]] = {
    ".parquet": pl.scan_parquet,
    ".csv": pl.scan_csv,
    ".ndjson": pl.scan_ndjson,
    ".jsonl": pl.scan_ndjson,
}
_WRITES: Mapping[str, Callable[[pl.DataFrame, BytesIO], object]] = {
    ".parquet": pl.DataFrame.write_parquet,
    ".csv": pl.DataFrame.write_csv,
    ".ndjson": pl.DataFrame.write_ndjson,
    ".jsonl": pl.DataFrame.write_ndjson,
}


class ObjectFiles(Resource):
    """Files below a folder or a URI such as `s3://bucket/prefix`; paths and patterns are relative to it.

    Credentials that are not given come from the environment of the process, as in `AWS_ACCESS_KEY_ID`.
    """

    uri: str
    """A local folder, or `s3://`, `gs://`, `az://`."""
    access_key_id: SecretStr | None = None
    secret_access_key: SecretStr | None = None
    region: str | None = None
    endpoint: str | None = None
    """Of a store that speaks the S3 protocol elsewhere: `http://127.0.0.1:9000`."""

    def list(self, pattern: str = "**") -> list[str]:
        """Return the paths that match a pattern, sorted: `*.csv`, `2024/**/*.parquet`.

        Raises:
            StorageError: the files cannot be listed.
        """
        files = read_files(f"{self._base}/{pattern}", Path.cwd(), None)
        found = list_files(files.base, files.matches, is_deep=files.is_deep, options=self._options())
        inner = files.base.removeprefix(self._base).strip("/")
        return sorted(f"{inner}/{each.path}".lstrip("/") for each in found)

    def scan(self, pattern: str, **options: Any) -> pl.LazyFrame:
        """Return the rows of the files that match a pattern, lazily: Parquet, CSV or NDJSON, as their names end.

        Args:
            pattern: see `list`.
            options: for Polars' function of the format, as in `pl.scan_csv(separator=";")`.

        Raises:
            RequestError: no file matches, or its name does not tell a format.
            StorageError: the files cannot be listed.
        """
        paths = self.list(pattern)
        if not paths:
            raise RequestError(f"No file matches {self._base}/{pattern}.")
        scan = _SCANS[_format(paths[0], _SCANS)]
        return scan([f"{self._base}/{path}" for path in paths], storage_options=self._options() or None, **options)

    def read(self, path: str) -> bytes:
        """Return what a file holds.

        Raises:
            StorageError: it is not there, or cannot be read.
        """
        return read_file(self._base, path, self._options())

    def write(self, path: str, content: bytes | pl.DataFrame | pl.LazyFrame) -> None:
        """Write a file: others see all of it, or what was there before. To write it again does no harm.

        Args:
            path: of the file; a frame is written as its name ends: Parquet, CSV or NDJSON.
            content: bytes, or rows, which are held in memory.

        Raises:
            RequestError: the name does not tell a format.
            StorageError: it cannot be written.
        """
        if not isinstance(content, bytes):
            buffer = BytesIO()
            _WRITES[_format(path, _WRITES)](content.lazy().collect(), buffer)
            content = buffer.getvalue()
        write_file(self._base, path, content, self._options())

    @property
    def _base(self) -> str:
        return self.uri.rstrip("/") if "://" in self.uri else str(Path(self.uri).expanduser().absolute())

    def _options(self) -> dict[str, str]:
        """Return what an object store is reached with, as obstore and Polars call it."""
        if "://" not in self.uri:
            return {}
        secrets = {"access_key_id": self.access_key_id, "secret_access_key": self.secret_access_key}
        plain = {"region": self.region, "endpoint": self.endpoint}
        found = {name: each.get_secret_value() for name, each in secrets.items() if each is not None}
        found |= {name: each for name, each in plain.items() if each is not None}
        if self.endpoint is not None and self.endpoint.startswith("http://"):
            found[ALLOW_HTTP] = "true"
        return found


def _format(path: str, known: Mapping[str, object]) -> str:
    ending = PurePosixPath(path).suffix.lower()
    if ending not in known:
        raise RequestError(f"{path!r} does not tell a format; let its name end in {', '.join(known)}.")
    return ending
