"""Reading by an asset's name and by its table's folder are one thing, also where there is nothing to read."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

import deltaworks as dw
from deltaworks.engine.planning.graph import build_graph
from deltaworks.engine.workspace.reading import read_asset
from deltaworks.errors import RequestError
from deltaworks.io.store import Store


@dw.asset(location="old/totals")
def totals() -> pl.LazyFrame:
    return pl.LazyFrame({"n": [1]})


def test_what_has_no_table_is_refused_alike_by_name_and_by_folder(tmp_path: Path) -> None:
    graph = build_graph(dw.Definitions([totals]), dt.datetime.now(dt.UTC))
    sentence = f"There is no table 'old/totals' in lake {tmp_path} yet; `deltaworks backfill` makes it."

    with pytest.raises(RequestError) as by_name:
        read_asset(graph, Store.at(str(tmp_path)), "totals")
    with pytest.raises(RequestError) as by_folder:
        dw.read("old/totals", lake=tmp_path)
    with pytest.raises(RequestError) as by_asset:
        dw.read(totals, lake=tmp_path)

    assert {str(each.value) for each in (by_name, by_folder, by_asset)} == {sentence}


def test_what_has_a_table_is_read_alike_by_name_and_by_folder(tmp_path: Path) -> None:
    graph = build_graph(dw.Definitions([totals]), dt.datetime.now(dt.UTC))
    dw.materialize([totals], lake=tmp_path)

    by_name = read_asset(graph, Store.at(str(tmp_path)), "totals")

    assert by_name.collect().equals(dw.read("old/totals", lake=tmp_path).collect())
