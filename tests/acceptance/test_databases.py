"""Databases: queries become frames, frames become tables once, and passwords are written nowhere."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from pydantic import SecretStr, ValidationError

from deltaworks import EnvVar
from deltaworks.errors import InvalidSettings, RequestError
from deltaworks.resources import SqlDatabase
from tests import postgres
from tests.acceptance.conftest import Here, Project
from tests.postgres import Postgres

pytest.importorskip("adbc_driver_postgresql", reason="the drivers of the dev group are not installed")

EXAMPLE = Path(__file__).parents[2] / "examples" / "databases"
PASSWORD = "canary/p@ss"
"""In a URI it is spelled otherwise; neither spelling may be found anywhere."""

ORDERS = pl.DataFrame(
    {
        "day": [dt.date(2024, 1, 1), dt.date(2024, 1, 1), dt.date(2024, 1, 2)],
        "customer": ["ann", "bob", "ann"],
        "amount": [10.0, 2.5, 4.0],
    }
)


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    programs = postgres.programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed; `apt-get install postgresql` brings it")
    with postgres.serving(programs, PASSWORD) as found:
        yield found


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> SqlDatabase:
    """A database without tables."""
    if request.param == "sqlite":
        return SqlDatabase(uri=SecretStr(f"sqlite:///{tmp_path / 'data.db'}"))
    server: Postgres = request.getfixturevalue("server")
    name = f"t{uuid4().hex}"
    create(server, name)
    return SqlDatabase(uri=SecretStr(server.uri(name)))


def create(server: Postgres, name: str) -> None:
    import adbc_driver_postgresql.dbapi as dbapi

    with dbapi.connect(server.uri(), autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")


def people(**by_name: int) -> pl.DataFrame:
    return pl.DataFrame({"name": list(by_name), "n": list(by_name.values())})


def held(database: SqlDatabase, table: str = "people") -> list[tuple[Any, ...]]:
    return database.read(f"SELECT * FROM {table} ORDER BY 1, 2").rows()


def test_a_frame_that_was_written_is_read_again_with_its_values(database: SqlDatabase) -> None:
    assert database.write(ORDERS.lazy(), "orders") == 3

    mark = "$1" if "postgresql" in database.uri.get_secret_value() else "?"
    found = database.scan(f"SELECT customer, amount FROM orders WHERE amount > {mark}", (3.0,)).collect()

    assert_frame_equal(found.sort("amount"), pl.DataFrame({"customer": ["ann", "ann"], "amount": [4.0, 10.0]}))


def test_appending_with_a_key_is_done_once_and_without_each_time(database: SqlDatabase) -> None:
    assert database.write(people(ann=1), "people", idempotency_key="run/export") == 1
    assert database.write(people(ann=1), "people", idempotency_key="run/export") == 0
    assert database.write(people(ann=1), "people", idempotency_key="run/other") == 1
    assert database.write(people(bob=2), "people") == 1

    assert held(database) == [("ann", 1), ("ann", 1), ("bob", 2)]


def test_replacing_and_upserting_may_be_done_again(database: SqlDatabase) -> None:
    for _ in range(2):
        database.write(people(ann=1, bob=2), "people", mode="replace")
    for _ in range(2):
        database.write(people(bob=3, cid=4), "people", mode="upsert", keys=["name"])

    assert held(database) == [("ann", 1), ("bob", 3), ("cid", 4)]


def test_a_write_that_fails_changes_nothing(database: SqlDatabase) -> None:
    database.execute("CREATE TABLE people (name TEXT NOT NULL, n BIGINT NOT NULL)")
    database.write(people(ann=1), "people")
    broken = pl.DataFrame({"name": ["bob", "cid"], "n": [2, None]})

    with pytest.raises(Exception, match=r"(?i)null"):
        database.write(broken, "people", mode="replace")
    with pytest.raises(Exception, match=r"(?i)null"):
        database.write(broken, "people", idempotency_key="once")

    assert held(database) == [("ann", 1)]
    assert database.write(people(bob=2), "people", idempotency_key="once") == 1


@pytest.mark.parametrize(
    ("df", "asked", "told"),
    [
        (people(ann=1), {"mode": "upsert"}, "keys say which rows are the same"),
        (people(ann=1), {"keys": ["name"]}, "keys say which rows are the same"),
        (people(ann=1), {"mode": "upsert", "keys": ["nam"]}, "the frame has no column 'nam'; it has name, n"),
        (pl.concat([people(ann=1)] * 2), {"mode": "upsert", "keys": ["name"]}, "several rows of the frame have the"),
        (pl.DataFrame({"name": [None], "n": [1]}), {"mode": "upsert", "keys": ["name"]}, "rows of the frame have null"),
        (people(ann=1), {"mode": "replace", "idempotency_key": "k"}, "mode='replace' may be done again"),
    ],
)
def test_what_does_not_go_together_is_refused(df: pl.DataFrame, asked: Any, told: str, tmp_path: Path) -> None:
    database = SqlDatabase(uri=SecretStr(f"sqlite:///{tmp_path / 'data.db'}"))

    with pytest.raises(RequestError, match=told):
        database.write(df, "people", **asked)


def test_a_database_that_cannot_be_reached_is_refused_by_what_is_missing() -> None:
    with pytest.raises(ValidationError, match="it is no URI"):
        SqlDatabase(uri=SecretStr("shop.db"))
    with pytest.raises(RequestError, match="writes to postgresql and sqlite, not to duckdb"):
        SqlDatabase(uri=SecretStr("duckdb:///shop.db")).write(people(ann=1), "people")
    with pytest.raises(InvalidSettings, match="environment variable SHOP_URI, which is not set"):
        SqlDatabase(uri=EnvVar("SHOP_URI")).resolve({})


def secrets_in(folder: Path) -> list[Path]:
    spellings = (b"canary/p@ss", b"canary%2Fp%40ss", b"canary")
    return [
        file for file in folder.rglob("*") if file.is_file() and any(each in file.read_bytes() for each in spellings)
    ]


def test_an_asset_reads_from_one_database_and_an_op_exports_to_the_other(server: Postgres, tmp_path: Path) -> None:
    """The password is in nothing that is kept or shown, neither when all goes well nor when nobody lets us in."""
    shutil.copytree(EXAMPLE, tmp_path / "project", ignore=shutil.ignore_patterns("lake", "__pycache__"))
    module = tmp_path / "project" / "shop.py"
    module.write_text(module.read_text() + LEAKY)
    project, here = Project(tmp_path / "project"), Here(tmp_path / "project", "shop.py")
    for name in ("shop", "reports"):
        create(server, name)
    SqlDatabase(uri=SecretStr(server.uri("shop"))).write(ORDERS, "orders")
    uris = {"SHOP_URI": server.uri("shop"), "REPORTS_URI": server.uri("reports")}
    wrong = uris | {"SHOP_URI": server.uri("shop", password="canary of another mine")}

    made = project.run("backfill", "orders", "revenue", "--executor", "processes", "--workers", "1", **uris)
    told = [
        made,
        *(here.run("job", "run", "publish", **uris) for _ in range(2)),
        refused := here.run("materialize", "orders", "--partition", "2024-01-03", "--debug", **wrong),
        leaked := here.run("materialize", "leaky", "--debug", **uris),
        logs := here.run("runs", "logs", **uris),
        opened := here.run("job", "run", "never", "--debug", **uris),
        spoken := here.run("job", "run", "told", **uris),
        here.run("runs", "show", "--json", **uris),
        here.run("list", "resources", **uris),
        project.run("settings", "--environment", "prod", PROD_REPORTS_URI=uris["REPORTS_URI"]),
    ]

    assert [each.code for each in told] == [0, 0, 0, 1, 1, 0, 1, 0, 0, 0, 0], [each.err for each in told]
    reports = SqlDatabase(uri=SecretStr(server.uri("reports")))
    assert held(reports, "revenue") == [(dt.date(2024, 1, 1), 2, 12.5), (dt.date(2024, 1, 2), 1, 4.0)]
    assert "password authentication failed" in refused.err + refused.out
    assert "printed $SHOP_URI" in leaked.out + leaked.err
    assert "raised $SHOP_URI" in leaked.out + leaked.err
    assert "resource NeverOpen could not be made ready: ValueError: not with $SHOP_URI" in opened.err
    assert "told $SHOP_URI" in spoken.err
    assert "logged $SHOP_URI" in logs.out
    assert [each for each in told if "canary" in each.out + each.err] == []
    assert secrets_in(tmp_path / "project") == []


LEAKY = '''

class NeverOpen(dw.Resource):
    """It says more than it should when it cannot be made ready."""

    uri: str

    def for_run(self):  # type: ignore[no-untyped-def]
        raise ValueError(f"not with {self.uri}")


never_open = NeverOpen(uri=dw.EnvVar("SHOP_URI"))


@dw.op
def opening(never_open: NeverOpen) -> None:
    """Never called."""


@dw.job
def never() -> None:
    """Fail at once."""
    opening()


@dw.op
def telling(shop: SqlDatabase) -> None:
    """Print what it knows."""
    print("told", shop.uri.get_secret_value())


@dw.job
def told() -> None:
    """Tell."""
    telling()


@dw.asset
def leaky(shop: SqlDatabase, log: dw.Logger) -> pl.LazyFrame:
    """Tell all that it knows."""
    print("printed", shop.uri.get_secret_value())
    log.warning("logged %s", shop.uri.get_secret_value())
    raise ValueError("raised " + shop.uri.get_secret_value())
'''
