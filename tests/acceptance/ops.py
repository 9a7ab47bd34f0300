"""Ops and assets that the stories of jobs share."""

from __future__ import annotations

from collections.abc import Iterator

import pandera.polars as pa
import polars as pl

import deltaworks as dw


@dw.op
def flour() -> int:
    return 2


@dw.op
def cups(flour: int) -> int:
    return flour * 3


@dw.op
def grams(flour: int) -> float:
    return flour * 500.0


@dw.op
def recipe(cups: int, grams: float) -> str:
    return f"{cups} cups or {grams:.0f} g"


@dw.op(out=dw.DynamicOut())
def letters(word: str) -> Iterator[dw.DynamicOutput[str]]:
    for place, letter in enumerate(word):
        yield dw.DynamicOutput(letter, mapping_key=f"{letter}{place}")


@dw.op
def word() -> str:
    return "tea"


@dw.op
def upper(letter: str) -> str:
    return letter.upper()


@dw.op
def joined(letters: list[str]) -> str:
    return "".join(letters)


class Carrier(pa.DataFrameModel):
    carrier: str
    flights: int


days = dw.DailyPartitions(start="2024-01-01", end="2024-01-03")


@dw.asset(partitions=days, partition_by="day")
def carriers(partition: dw.Partition) -> pl.LazyFrame:
    return pl.LazyFrame({"day": [partition.start], "carrier": ["UA"], "flights": [partition.start.day]})


@dw.asset
def every_carrier(carriers: pl.LazyFrame) -> dw.LazyFrame[Carrier]:
    return carriers.select("carrier", "flights")
