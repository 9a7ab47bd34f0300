"""Sizes: what browsers load stays small, also of a project of a thousand assets."""

import gzip
import re

import pytest

from deltaworks.engine.workspace.project import Origin
from deltaworks.web.http.static import contents
from tests.web.client import Client
from tests.web.routes import pages_of

PAGE_BYTES = 100_000
SCRIPTS_BYTES = 20_000

THOUSAND = """
from typing import Annotated
import polars as pl
import deltaworks as dw

def name_of(number):
    return f"stage_{number % 40:02}/table_{number:04}"

def made(number):
    if number < 40:
        def one() -> pl.LazyFrame:
            return pl.LazyFrame({"a": [1]})
    else:
        above = dw.Input(asset=name_of(number - 40))
        def one(table: Annotated[pl.LazyFrame, above]) -> pl.LazyFrame:
            return table
    return dw.asset(name=name_of(number), group=f"group_{number % 25}", owners=["team:shop"])(one)

defs = dw.Definitions(assets=[made(number) for number in range(1000)])
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("thousand")
    (found / "tables.py").write_text(THOUSAND)
    return found


def test_every_page_of_a_thousand_assets_is_at_most_100_kb(folder):
    client = Client.of(folder)
    key = "stage_39%2Ftable_0999"
    sizes = {}
    for pattern in [*pages_of(Origin(file=folder / "tables.py")), "/lineage?select=*", "/assets?sort=status"]:
        path = re.sub(r"\{[^}]*\}", "x", pattern.replace("{key}", key))
        answer = client.get(path, accept_encoding="gzip")
        sizes[path] = len(answer.body)
        assert answer.status in (200, 303, 404, 422), path
        assert answer.headers.get("content-encoding") == "gzip" or len(answer.body) < 1000, path

    print(*(f"{size:7} {path}" for path, size in sizes.items()), sep="\n")
    assert client.get("/api/v1/assets?limit=1").json["total"] == 1000
    assert {path: size for path, size in sizes.items() if size > PAGE_BYTES} == {}


def test_all_scripts_together_are_at_most_20_kb():
    scripts = {name: len(gzip.compress(each)) for name, each in contents().items() if name.endswith(".js")}

    print(scripts)
    assert "app.js" in scripts
    assert sum(scripts.values()) <= SCRIPTS_BYTES
