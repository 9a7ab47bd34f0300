"""Which values may go where: types are compared when a graph is composed, values when an op returned them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Union

import pandera.polars as pa
import polars as pl
import pytest

import deltaworks as dw
from deltaworks.engine.definitions.ops.value_type import is_of, misfit, spelled


class Narrow(pa.DataFrameModel):
    n: int


class Wide(pa.DataFrameModel):
    n: int
    name: str


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (int, int),
        (bool, int),
        (int, float),
        (int, object),
        (Any, str),
        (int, Any),
        (int, Union[int, None]),  # noqa: UP007 - as authors of older code write it
        (int, int | str),
        (int | bool, int),
        (None, int | None),
        (list[int], Sequence[int]),
        (list[bool], list[int]),
        (list, list[int]),
        (list[Any], list[int]),
        (dict[str, int], Mapping[str, float]),
        (tuple[int, str], tuple[int, str]),
        (tuple[int, int], tuple[int, ...]),
        (tuple[int, int], Sequence[int]),
        (Literal["a"], Literal["a", "b"]),
        (Literal["a"], str),
        (Annotated[int, "beside"], int),
        (pl.DataFrame, pl.LazyFrame),
        (dw.LazyFrame[Wide], dw.DataFrame[Narrow]),
        (pl.LazyFrame, dw.LazyFrame[Narrow]),
    ],
)
def test_what_fits(given: Any, wanted: Any) -> None:
    assert misfit(given, wanted) is None


@pytest.mark.parametrize(
    ("given", "wanted", "why"),
    [
        (int, str, "int is no str"),
        (float, int, "float is no int"),
        (int | str, int, "int | str is no int"),
        (int | None, int, "int | None is no int"),
        (None, int, "None is no int"),
        (list[str], list[int], r"list[str] is no list[int]"),
        (dict[str, str], Mapping[str, int], "dict[str, str] is no Mapping[str, int]"),
        (tuple[int, int], tuple[int], "tuple[int, int] is no tuple[int]"),
        (tuple[int, str], tuple[int, ...], "tuple[int, str] is no tuple[int, ...]"),
        (str, Literal["a"], "str is no Literal['a']"),
        (Literal["c"], Literal["a", "b"], "Literal['c'] is no Literal['a', 'b']"),
        (pl.DataFrame, int, "DataFrame is no int"),
        (
            dw.LazyFrame[Narrow],
            dw.LazyFrame[Wide],
            "model Wide asks for column 'name' as String",
        ),
    ],
)
def test_what_does_not_fit_is_said(given: Any, wanted: Any, why: str) -> None:
    assert (misfit(given, wanted) or "").startswith(why)


@pytest.mark.parametrize(
    ("value", "wanted", "fits"),
    [
        (3, int, True),
        (3, float, True),
        (3.5, int, False),
        (None, int | None, True),
        (None, int, False),
        ([1], list[int], True),
        ((1, 2), tuple[int], False),
        ((1, 2), tuple[int, ...], True),
        ("a", Literal["a"], True),
        ("b", Literal["a"], False),
        (pl.DataFrame(), dw.LazyFrame[Narrow], True),
        (3, pl.LazyFrame, False),
        ({"a": 1}, Mapping[str, int], True),
    ],
)
def test_values_are_of_their_type(value: object, wanted: Any, fits: bool) -> None:
    assert is_of(value, wanted) is fits


def test_types_are_spelled_as_they_are_written() -> None:
    assert spelled(dict[str, list[int] | None]) == "dict[str, list[int] | None]"
