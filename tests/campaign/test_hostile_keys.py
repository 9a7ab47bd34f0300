"""Keys and names that would like to be somewhere else: refused, or written inside their table and read back."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

import deltaworks as dw
from deltaworks.errors import DeltaworksError
from tests.campaign.recorder import Row, recorded

PLAIN = (
    ".. . / \\ ../ /../ // %2F %2e%2e % %25 = & # ? * ~ $HOME `id` ' \" '-- ; | - --help @v1 + ( ) [ ] { } ^ , a B 0 "
    "null NULL None __HIVE_DEFAULT_PARTITION__ _delta_log _deltaworks key= day=2024-01-01 .tmp .json#1 file: s3://b C: "
    "con <script> {{7*7}} é ☃ 🦆"
)
SPACES = (
    " ",
    "  ",
    "\n",
    "\r",
    "\t",
    "\x00",
    "\x1b[2J",
    "\x7f",
    "\ufeff",
    "\u202e",
    "\u0301",
    "\u2028",
    "\u0085",
    "\ud7ff",
)
FRAGMENTS = (*PLAIN.split(), *SPACES, "x" * 50, "é" * 40)


def keys(chance: random.Random, count: int) -> list[str]:
    """So many different keys, each of one to five fragments, or of any characters."""
    found: dict[str, None] = {}
    while len(found) < count:
        if chance.random() < 0.8:
            key = "".join(chance.choices(FRAGMENTS, k=chance.randint(1, 5)))
        else:
            key = "".join(chr(chance.choice((chance.randrange(256), chance.randrange(0xD800)))) for _ in range(12))
        found[key] = None
    return list(found)


def places(folder: Path, lake: Path) -> set[str]:
    """All that lies in a folder, but for what is in the lake."""
    return {
        os.path.join(top, name)
        for top, folders, files in os.walk(folder)
        for name in (*folders, *files)
        if not Path(top).is_relative_to(lake)
    }


def is_key(key: str) -> bool:
    """Whether it may be a partition's."""
    try:
        dw.StaticPartitions([key])
    except DeltaworksError:
        return False
    return True


def write(row: Row, folder: Path, hostile: Sequence[str]) -> int:
    """Make a partition of each key that may be one; return how many were refused."""
    lake = folder / "lake"
    lake.mkdir(parents=True)
    allowed = [key for key in hostile if is_key(key)]
    before = places(folder, lake)

    @dw.asset(partitions=dw.StaticPartitions(allowed), partition_by="key", code_version="1")
    def table(partition: dw.Partition) -> pl.LazyFrame:
        return pl.LazyFrame({"key": [partition.key], "n": [1]})

    report = dw.materialize([table], lake=lake)
    assert report.entry.failures == ()
    assert places(folder, lake) == before, "nothing is outside"
    assert {each.name for each in lake.iterdir()} == {"table", "_deltaworks"}
    assert sorted(pl.read_delta(str(lake / "table"))["key"]) == sorted(allowed)
    assert sorted(dw.read("table", lake=lake).collect()["key"]) == sorted(allowed)
    row.tried += len(hostile)
    row.survived += len(hostile)
    return len(hostile) - len(allowed)


def one_row() -> pl.LazyFrame:
    return pl.LazyFrame({"n": [1]})


def name_assets(row: Row, hostile: Sequence[str]) -> int:
    """Call assets so; return how many names were refused. What is not, is a folder below the lake, part by part."""
    refused = 0
    for name in hostile:
        with row.one():
            try:
                key = dw.asset(name=name, code_version="1")(one_row).key
            except DeltaworksError:
                refused += 1
                continue
            parts = str(key).split("/")
            assert all(part and not part.startswith((".", "_")) and os.path.normpath(part) == part for part in parts)
            assert "\x00" not in str(key)
    return refused


def test_a_hundred_hostile_keys_stay_inside_their_table(tmp_path: Path) -> None:
    with recorded("hostile keys and names") as row:
        hostile = keys(row.chance, 100)
        assert write(row, tmp_path, hostile) < 60, "most are keys"
        assert name_assets(row, hostile) > 50, "few are names"


@pytest.mark.soak
def test_ten_thousand_hostile_keys_stay_inside_their_table(tmp_path: Path) -> None:
    with recorded("hostile keys and names") as row:
        hostile = keys(row.chance, 10_000)
        refused = sum(write(row, tmp_path / str(at), hostile[at : at + 200]) for at in range(0, 10_000, 200))
        named = name_assets(row, hostile)
        row.note = f"{refused:,} of 10,000 keys and {named:,} of 10,000 asset names refused, none outside its table"
