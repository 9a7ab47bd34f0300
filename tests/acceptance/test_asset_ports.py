"""Assets as Dagster's users know them from its concepts: one that a graph stands behind, and a subset of several."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandera.polars as pa
import polars as pl

import deltaworks as dw
from deltaworks import LazyFrame


class Channel(dw.Resource):
    """Where people share files."""

    name: str

    def files(self) -> list[dict[str, Any]]:
        return [{"name": f"{self.name}-{number}.txt", "size_bytes": number * 10} for number in range(1, 4)]


class File(pa.DataFrameModel):
    name: str = pa.Field(unique=True)
    size_bytes: int = pa.Field(gt=0)


@dw.op(retry=dw.RetryPolicy(max_retries=2, delay_s=0.0))
def fetched(channel: Channel) -> list[dict[str, Any]]:
    return channel.files()


@dw.op
def stored(files: list[dict[str, Any]]) -> dw.MaterializeResult[File]:
    return dw.MaterializeResult(pl.DataFrame(files), {"files": len(files)})


@dw.graph_asset
def shared_files() -> dw.MaterializeResult[File]:
    """Every file of the channel: one op asks the service, another makes rows of what it says."""
    return stored(fetched())


@dw.asset
def largest(shared_files: LazyFrame[File]) -> LazyFrame[File]:
    return shared_files.sort("size_bytes").tail(1)


def test_a_graph_backed_asset_is_read_like_any_other(tmp_path: Path) -> None:
    dw.materialize([shared_files, largest], lake=tmp_path, resources={"channel": Channel(name="news")})

    assert dw.read(shared_files, lake=tmp_path).collect().height == 3
    assert dw.read(largest, lake=tmp_path).collect().to_dicts() == [{"name": "news-3.txt", "size_bytes": 30}]


class Number(pa.DataFrameModel):
    n: int


computed: list[str] = []


@dw.multi_asset(outs={name: dw.AssetSpec(Number) for name in ("one", "two", "three")}, can_subset=True)
def numbers(wanted: dw.Wanted) -> Mapping[str, pl.LazyFrame]:
    """Three tables, of which a call computes those that are selected."""
    found: dict[str, pl.LazyFrame] = {}
    for n, name in enumerate(("one", "two", "three"), start=1):
        if name in wanted:
            computed.append(name)
            found[name] = pl.LazyFrame({"n": [n]}, schema={"n": pl.Int64})
    return found


def test_a_subset_of_a_multi_asset_computes_only_what_is_selected(tmp_path: Path) -> None:
    computed.clear()

    dw.materialize([numbers["one"], numbers["three"]], lake=tmp_path)

    assert computed == ["one", "three"]
    assert not (tmp_path / "two").exists()
    dw.materialize([numbers], lake=tmp_path)
    assert computed == ["one", "three", "one", "two", "three"]
    assert [dw.read(name, lake=tmp_path).collect().item() for name in ("one", "two", "three")] == [1, 2, 3]
    assert set(numbers(dw.Wanted({"two"}))) == {"two"}
