"""Previews: the first rows of a table cost no more the larger it is, and nobody waits for them for ever."""

import contextlib
import datetime as dt
import os

import pytest

from deltaworks.engine.workspace.project import Origin
from deltaworks.errors import RequestError, StorageError
from deltaworks.web import previews
from deltaworks.web.previews import Previews
from deltaworks.web.workspace import Workspace
from tests.acceptance.conftest import Here
from tests.web.client import TABLES, Client

WIDE = """
import polars as pl
import deltaworks as dw

@dw.asset
def wide() -> pl.LazyFrame:
    return pl.LazyFrame({"text": ["x" * 300_000] * 40})
"""


def made(folder, tables, *assets):
    here = Here(folder)
    here.write("tables.py", tables)
    done = here.run("materialize", *assets, "--lake", str(here.lake))
    assert done.code == 0, done.err
    sight = Workspace(Origin(file=folder / "tables.py", lake=str(here.lake)), os.environ, _now).sight()
    return sight, sight.project.graph.node(assets[0])


def _now():
    return dt.datetime.now(dt.UTC)


def test_of_many_files_only_some_are_opened(client, monkeypatch):
    monkeypatch.setattr("deltaworks.engine.workspace.peeking.MOST_FILES", 2)

    latest = client.get("/api/v1/assets/orders/preview").json
    old = client.get("/api/v1/assets/orders/preview?version=1").json

    assert [len(each["rows"]) for each in (latest, old)] == [2, 2]
    assert (latest["total_rows"], old["total_rows"]) == (5, None)
    assert "2 of 5 rows" in client.get("/assets/orders/data").text
    assert "the first 2, at version 1" in client.get("/assets/orders/data?version=1").text


def test_rows_that_are_too_large_are_left_out(tmp_path, monkeypatch):
    sight, node = made(tmp_path, WIDE, "wide")

    found = Previews().read(sight, node, None, "", 40)

    assert (found.df.height, found.total) == (10, 40)
    assert found.df.estimated_size() <= previews.MOST_BYTES
    monkeypatch.setattr(previews, "MOST_BYTES", 100_000)
    with pytest.raises(
        RequestError, match=r"The first row has 0.3 MB, expected at most 0.1 MB; `deltaworks show wide`"
    ):
        Previews().read(sight, node, None, "", 40)


def test_nobody_waits_for_a_file_that_does_not_come(tmp_path):
    sight, node = made(tmp_path, TABLES, "orders")
    (file,) = (tmp_path / "lake" / "orders").glob("day=2024-01-01/*.parquet")
    content = file.read_bytes()
    file.unlink()
    os.mkfifo(file)  # whoever opens it waits for a writer
    short = Previews(patience_s=0.2)

    told = [failure(short, sight, node) for _ in range(previews.MOST_AT_ONCE + 1)]
    other = Client.of(tmp_path).get("/api/v1/assets/orders/preview?partition=2024-01-02")

    slow = "The first rows of orders were not read within 0.2 s; `deltaworks show orders` takes the time that it needs."
    assert told[:-1] == [slow] * previews.MOST_AT_ONCE
    assert told[-1] == "Other previews take long, so this one has not begun; `deltaworks show orders` shows the rows."
    assert (other.status, other.json["total_rows"]) == (200, 1)
    with contextlib.suppress(BrokenPipeError), file.open("wb") as pipe:  # those who wait may close it before its end
        pipe.write(content)


def failure(reader, sight, node):
    with pytest.raises(StorageError) as refused:
        reader.read(sight, node, None, "", 10)
    return str(refused.value)
