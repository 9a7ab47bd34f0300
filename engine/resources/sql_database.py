"""SqlDatabase: a database that queries are read from, and frames written to."""

from __future__ import annotations

import importlib
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, Literal

import polars as pl
from pydantic import Field, SecretStr, field_validator

from deltaworks.engine.definitions.resources import Resource
from deltaworks.errors import InvalidSettings, RequestError

WRITES = "deltaworks_writes"
"""The table of a database that keeps the idempotency keys of what was appended."""

_STAGED = "deltaworks_staged"
_PACKAGES = {"postgresql": "postgresql", "postgres": "postgresql", "sqlite": "sqlite"}
_EXTRAS = {"postgresql": "postgres", "sqlite": "sqlite"}
_PLACEHOLDERS = {"postgresql": "$1", "sqlite": "?"}


class WriteMode(StrEnum):
    """What becomes of the rows that a table has already."""

    APPEND = "append"
    """They stay; with an idempotency key what was appended once is not appended again."""
    REPLACE = "replace"
    """All are deleted; the table itself stays, with its indexes and its grants."""
    UPSERT = "upsert"
    """Those with the same keys are deleted, the others stay."""


class SqlDatabase(Resource):
    """A database, told by its URI: `postgresql://user:password@host/name`, `sqlite:////absolute/path.db`.

    Reading takes any database that Polars reads by ADBC or connectorx. Writing takes PostgreSQL and SQLite, through the
    packages of the extras `deltaworks[postgres]` and `deltaworks[sqlite]`. Each call opens a connection of its own, so
    threads may share the resource.
    """

    uri: SecretStr
    """Give it as an `EnvVar`: it holds the password."""
    engine: Literal["adbc", "connectorx"] = Field(default="adbc")
    """What queries are read by; connectorx needs its package, and pyarrow."""

    @field_validator("uri")
    @classmethod
    def _has_scheme(cls, uri: SecretStr) -> SecretStr:
        if "://" not in uri.get_secret_value():
            raise ValueError("it is no URI; write it like postgresql://user:password@host/name")
        return uri

    def read(self, query: str, parameters: Sequence[object] = ()) -> pl.DataFrame:
        """Return what a query gives.

        Args:
            query: in the database's own SQL.
            parameters: what stands for the placeholders of the query, `$1` in PostgreSQL and `?` in SQLite; ADBC only.
        """
        uri, options = self.uri.get_secret_value(), {"parameters": tuple(parameters)}
        if not parameters:
            return pl.read_database_uri(query, uri, engine=self.engine)
        if self.engine != "adbc":
            raise RequestError("SqlDatabase: connectorx takes no parameters; read by engine='adbc'.")
        return pl.read_database_uri(query, uri, engine="adbc", execute_options=options)

    def scan(self, query: str, parameters: Sequence[object] = ()) -> pl.LazyFrame:
        """Return what a query gives, as assets return it. The query runs at once, and its result is held in memory."""
        return self.read(query, parameters).lazy()

    def execute(self, statement: str, parameters: Sequence[object] = ()) -> None:
        """Run a statement that gives no rows, in a transaction of its own."""
        with self._transaction() as cursor:
            cursor.execute(statement, tuple(parameters))

    def write(
        self,
        frame: pl.DataFrame | pl.LazyFrame,
        table: str,
        *,
        mode: WriteMode | Literal["append", "replace", "upsert"] = WriteMode.APPEND,
        keys: Sequence[str] = (),
        idempotency_key: str | None = None,
    ) -> int:
        """Write rows to a table in one transaction, and return how many were written.

        A table that is not there is made, with the columns of the frame. Replacing and upserting may be done again with
        the same result; appending only with a key, such as `f"{attempt.run_id}/{attempt.step}"`, which is kept in the
        table `deltaworks_writes` by the same transaction.

        Args:
            frame: the rows; its columns are found in the table by their names.
            table: its name, or schema and name joined by a dot.
            mode: what becomes of the rows that are there.
            keys: to upsert: the columns by which rows are the same.
            idempotency_key: to append: what this is done once for.

        Raises:
            RequestError: the arguments do not go together, or rows of the frame have the same or null keys.
        """
        df, how = frame.lazy().collect(), WriteMode(mode)
        _refuse_misfits(df, table, how, keys, idempotency_key)
        schema, _, name = table.rpartition(".")
        place: dict[str, Any] = {"db_schema_name": schema} if schema else {}
        with self._transaction() as cursor:
            cursor.adbc_ingest(name, df.clear(), mode="create_append", **place)
            if idempotency_key is not None and not self._is_first(cursor, idempotency_key):
                return 0
            if how is WriteMode.REPLACE:
                cursor.execute(f"DELETE FROM {_quoted(table)}")  # noqa: S608 # nosec B608 - the name is quoted
            elif how is WriteMode.UPSERT:
                cursor.adbc_ingest(_STAGED, df.select(keys), mode="create", temporary=True)
                same = " AND ".join(f"{_STAGED}.{_name(key)} = {_quoted(table)}.{_name(key)}" for key in keys)
                cursor.execute(
                    f"DELETE FROM {_quoted(table)} WHERE EXISTS (SELECT 1 FROM {_STAGED} WHERE {same})"  # noqa: S608 # nosec B608 - the names are quoted
                )
                cursor.execute(f"DROP TABLE {_STAGED}")
            cursor.adbc_ingest(name, df, mode="append", **place)
        return df.height

    def _is_first(self, cursor: Any, key: str) -> bool:
        """Note an idempotency key, and return whether nobody had noted it before."""
        mark = _PLACEHOLDERS[self._driver]
        cursor.execute(f"CREATE TABLE IF NOT EXISTS {WRITES} (idempotency_key TEXT PRIMARY KEY)")
        cursor.execute(
            f"INSERT INTO {WRITES} VALUES ({mark}) ON CONFLICT DO NOTHING RETURNING idempotency_key",  # noqa: S608 # nosec B608 - a placeholder
            (key,),
        )
        return not pl.DataFrame(cursor.fetch_arrow()).is_empty()

    @property
    def _driver(self) -> str:
        """The database by the name of its driver."""
        scheme = self.uri.get_secret_value().partition("://")[0].partition("+")[0]
        if scheme not in _PACKAGES:
            raise RequestError(f"SqlDatabase writes to {' and '.join(_EXTRAS)}, not to {scheme}.")
        return _PACKAGES[scheme]

    @contextmanager
    def _transaction(self) -> Generator[Any]:
        """Yield a cursor; what is done by it is committed together, or not at all."""
        driver = self._driver
        try:
            dbapi: Any = importlib.import_module(f"adbc_driver_{driver}.dbapi")
        except ModuleNotFoundError as error:
            raise InvalidSettings(
                f"SqlDatabase reaches {driver} through a package that is not installed: "
                f"pip install 'deltaworks[{_EXTRAS[driver]}]'"
            ) from error
        uri = self.uri.get_secret_value()
        place = uri.partition("://")[2].removeprefix("/") if driver == "sqlite" else uri
        with dbapi.connect(place) as connection, connection.cursor() as cursor:
            try:
                yield cursor
            except BaseException:
                connection.rollback()
                raise
            connection.commit()


def _refuse_misfits(
    df: pl.DataFrame, table: str, mode: WriteMode, keys: Sequence[str], idempotency_key: str | None
) -> None:
    if (mode is WriteMode.UPSERT) != bool(keys):
        raise RequestError(f"Writing {table}: keys say which rows are the same, for mode='upsert' and only for it.")
    if idempotency_key is not None and mode is not WriteMode.APPEND:
        raise RequestError(f"Writing {table}: mode={mode.value!r} may be done again, so it takes no idempotency_key.")
    missing = [key for key in keys if key not in df.columns]
    if missing:
        raise RequestError(f"Writing {table}: the frame has no column {missing[0]!r}; it has {', '.join(df.columns)}.")
    if keys and df.select(pl.any_horizontal(pl.col(keys).is_null().any())).item():
        raise RequestError(f"Writing {table}: rows of the frame have null in {', '.join(keys)}, so none is the same.")
    if keys and df.select(keys).is_duplicated().any():
        raise RequestError(f"Writing {table}: several rows of the frame have the same {', '.join(keys)}.")


def _quoted(table: str) -> str:
    return ".".join(_name(part) for part in table.rsplit(".", 1))


def _name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
