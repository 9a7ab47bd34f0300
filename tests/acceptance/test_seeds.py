"""Seeds: small files of the project that are tables, made again when their content changes."""

from __future__ import annotations

import re
from typing import Any

import polars as pl
import pytest

TABLES = """
import pandera.polars as pa
import polars as pl
import deltaworks as dw
from deltaworks import LazyFrame

class Region(pa.DataFrameModel):
    code: str = pa.Field(unique=True)
    since: pl.Date
    zip: str

regions = dw.seed("regions", "data/regions.csv", model=Region, group="seeds", description="Where we sell.")
holidays = dw.seed("holidays", "data/holidays.parquet")

@dw.asset
def codes(regions: LazyFrame[Region]) -> LazyFrame[Region]:
    return regions.filter(pl.col("zip").str.starts_with("0"))
"""
CSV = "code,since,zip\neu,2013-01-02,01234\nus,2014-05-06,94110\n"


@pytest.fixture
def seeded(here: Any) -> Any:
    here.write("deltaworks.toml", 'lake = "./lake"\nmodules = ["tables"]\n')
    here.write("tables.py", TABLES)
    (here.folder / "data").mkdir()
    here.write("data/regions.csv", CSV)
    pl.DataFrame({"day": ["2013-12-25"]}).write_parquet(here.folder / "data" / "holidays.parquet")
    return here


def test_a_seed_is_a_table_that_is_stale_when_its_file_changed(seeded: Any) -> None:
    assert seeded.run("check").code == 0
    assert seeded.run("backfill", "--json").json["totals"]["materialized"] == 3
    assert pl.read_delta(str(seeded.lake / "regions")).sort("code").rows() == [
        ("eu", _day("2013-01-02"), "01234"),
        ("us", _day("2014-05-06"), "94110"),
    ]
    assert seeded.run("status", "kind:seed", "--json").json["assets"][0]["partitions"]["fresh"] == 1

    seeded.write("data/regions.csv", CSV + "asia,2015-01-01,00001\n")

    planned = seeded.run("plan", "--json").json["steps"]
    assert [(step["asset"], step["reasons"]) for step in planned] == [
        ("regions", ["code: regions.csv changed since it was made"]),
        ("codes", ["upstream: regions is stale, since code: regions.csv changed since it was made"]),
    ]
    assert seeded.run("backfill", "--json").json["totals"]["materialized"] == 2
    assert pl.read_delta(str(seeded.lake / "codes")).height == 2

    (seeded.folder / "data" / "regions.csv").touch()
    assert seeded.run("plan", "--json").json["steps"] == []


def test_a_seed_that_breaks_its_contract_is_never_visible(seeded: Any) -> None:
    seeded.write("data/regions.csv", CSV + "us,2015-01-01,00001\n")

    failed = seeded.run("backfill", "regions")

    assert failed.code == 1
    assert "code: unique" in failed.err
    assert not (seeded.lake / "regions" / "_delta_log").exists()


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("data/regions.csv", "data/region.csv", "there is no file .*region.csv; put it back, or take the seed out of"),
        ("data/regions.csv", "tables.py", "is neither .csv nor .parquet"),
        ("model=Region", "model=int", "model must be a pandera.polars DataFrameModel"),
        ('dw.seed("regions"', 'dw.seed("../regions"', "asset key '../regions'"),
    ],
)
def test_a_seed_that_makes_no_sense_is_refused_with_its_line(seeded: Any, old: str, new: str, problem: str) -> None:
    seeded.edit("tables.py", old, new)

    refused = seeded.run("check", "--json")

    assert refused.code == 2
    (found,) = refused.json["problems"]
    assert re.search(problem, found["message"])
    assert found["line"] == 12


def _day(text: str) -> object:
    return pl.Series([text]).str.to_date().item()
