"""What is kept of a code location is good for the files that it was read from, and for no others."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from deltaworks.engine.definitions.mappings.declared import FunctionMapping
from deltaworks.engine.workspace.locations.spec import LocationSpec
from deltaworks.engine.workspace.locations.workspace import CodeLocation, load_workspace

TABLES = """
from typing import Annotated

import pandera.polars as pa
import polars as pl

import deltaworks as dw

days = dw.DailyPartitions(start="2024-01-01", end="2024-01-04")


class Row(pa.DataFrameModel):
    day: pl.Date


def same_day(key: str) -> list[str]:
    return [key]


@dw.asset(partitions=days, partition_by="day")
def rows(partition: dw.Partition) -> dw.LazyFrame[Row]:
    return pl.LazyFrame({"day": [partition.start]})


@dw.asset(partitions=days, partition_by="day")
def copied(rows: Annotated[dw.LazyFrame[Row], dw.Input(mapping=same_day)]) -> dw.LazyFrame[Row]:
    return rows
"""


def names(location: CodeLocation) -> set[str]:
    assert location.description is not None
    return {str(asset.key) for asset in location.description.assets}


def test_a_file_that_changes_during_a_command_is_seen_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    file = tmp_path / "tables_of_shop.py"
    file.write_text(TABLES)
    spec = LocationSpec("shop", sys.executable, ("tables_of_shop",), tmp_path)

    before = load_workspace([spec], os.environ)
    found = before.location("shop").definitions()
    assert found is not None, before.faults
    (mapping,) = (each.mapping for asset in found.assets for each in asset.signature.upstreams)
    assert isinstance(mapping, FunctionMapping)
    file.write_text(TABLES.replace("def copied", "def renamed"))
    assert list(mapping.function("2024-01-02")) == ["2024-01-02"]  # what is learned is kept when the command ends
    before.close()
    os.utime(file, (1, 1))  # what was written a moment ago is loaded again the next time

    after = load_workspace([spec], os.environ)
    after.close()
    assert names(after.location("shop")) == {"rows", "renamed"}
    again = load_workspace([spec], os.environ)
    assert (again.location("shop").is_cached, names(again.location("shop"))) == (True, {"rows", "renamed"})


EDITED = """
from pathlib import Path

file = Path(__file__)
file.write_text(file.read_text().partition("from pathlib")[0].replace("def copied", "def doubled"))
"""


def test_a_file_that_changes_while_it_is_imported_is_seen_by_the_next_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "tables_of_shop.py").write_text(TABLES + EDITED)
    spec = LocationSpec("shop", sys.executable, ("tables_of_shop",), tmp_path)

    first, second = (names(load_workspace([spec], os.environ).location("shop")) for _ in range(2))

    assert (first, second) == ({"rows", "copied"}, {"rows", "doubled"})
