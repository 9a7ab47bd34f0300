"""`lineage` says what columns are made of, and what is made of them."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

SVG = "{http://www.w3.org/2000/svg}"

MORE = """
@dw.asset(partitions=days, partition_by="day")
def noisy(doubled: LazyFrame[Row], partition: dw.Partition) -> pl.LazyFrame:
    hidden = pl.col("n").map_elements(lambda n: n + 1, return_dtype=pl.Int64)
    return doubled.filter(partition.contains("day")).with_columns(noise=hidden, one=pl.lit(1))

@dw.asset(name="sub/report.v1")
def report(noisy: pl.LazyFrame, total: pl.LazyFrame) -> pl.LazyFrame:
    shared = noisy.join(total.rename({"n": "all"}), how="cross").sort("day")
    return shared.select("day", pl.col("noise").alias("a.b"), share=pl.col("n") / pl.col("all"))

@dw.asset
def unsaid(total: pl.LazyFrame) -> pl.LazyFrame:
    return pl.LazyFrame({"x": [total.collect().row(0)[0]]})

@dw.asset
def after(unsaid: pl.LazyFrame) -> pl.LazyFrame:
    return unsaid.select(y=pl.col("x") + 1)
"""

RULED = """
import pandera.polars as pa

class Clean(pa.DataFrameModel):
    day: pl.Date
    n: int = pa.Field(ge=0, metadata={"on_fail": "drop"})
    noise: int

@dw.asset
def clean(noisy: pl.LazyFrame) -> LazyFrame[Clean]:
    return noisy.select("day", "n", "noise")

@dw.asset
def dates(clean: LazyFrame[Clean]) -> pl.LazyFrame:
    return clean.select("day")
"""


@pytest.fixture
def tables(shell: Any) -> Any:
    file = shell.folder / "tables.py"
    file.write_text(file.read_text() + MORE)
    return shell


def test_an_asset_is_shown_with_what_each_column_is_made_of(tables: Any) -> None:
    answer = tables.run("lineage", "noisy")

    assert answer.code == 0
    assert answer.lines == [
        "noisy",
        "made from doubled; further up numbers",
        "read by sub/report.v1",
        "rows decided by doubled.day",
        "",
        "column made of feeds",
        "day doubled.day sub/report.v1.day, rows of sub/report.v1",
        "n doubled.n sub/report.v1.share",
        "noise any of doubled.day, doubled.n sub/report.v1.a.b",
        "one - -",
    ]
    assert not (tables.folder / "lake").exists()


def test_a_column_is_shown_as_a_tree_up_to_the_sources_and_down_to_all_readers(tables: Any) -> None:
    assert tables.run("lineage", "doubled.n").out.splitlines() == [
        "doubled.n",
        "upstream",
        "  numbers.n",
        "  rows: numbers.day",
        "downstream",
        "  noisy.n",
        "    sub/report.v1.share",
        "  noisy.noise, perhaps: Python hides it",
        "    sub/report.v1.a.b",
        "  total.n",
        "    sub/report.v1.share",
        "    unsaid.*, perhaps: Python hides it",
        "      after.*, perhaps: Python hides it",
    ]


def test_json_lists_every_column_with_its_influence_and_distance(tables: Any) -> None:
    found = tables.run("lineage", "sub/report.v1.share", "--json").json

    assert (found["asset"], found["column"], found["opaque"]) == ("sub/report.v1", "share", False)
    assert [(each["asset"], each["column"], each["kind"], each["distance"]) for each in found["upstream"]] == [
        ("noisy", "day", "rows", 1),
        ("noisy", "n", "value", 1),
        ("total", "n", "value", 1),
        ("doubled", "day", "rows", 2),
        ("doubled", "n", "value", 2),
        ("numbers", "day", "rows", 3),
        ("numbers", "n", "value", 3),
    ]
    assert found["downstream"] == []


def test_json_of_an_asset_has_its_columns_one_step_away(tables: Any) -> None:
    found = tables.run("lineage", "total", "--json").json

    assert (found["asset"], found["column"]) == ("total", None)
    assert [(each["asset"], each["distance"]) for each in found["upstream"]] == [("doubled", 1), ("numbers", 2)]
    assert {each["asset"] for each in found["downstream"]} == {"sub/report.v1", "unsaid", "after"}
    (column,) = found["columns"]
    assert column["column"] == "n"
    assert column["upstream"] == [{"asset": "doubled", "column": "n", "kind": "value", "distance": 1}]
    assert {(each["asset"], each["column"]) for each in column["downstream"]} == {
        ("sub/report.v1", "share"),
        ("unsaid", "*"),
    }


def test_columns_that_nothing_is_made_of_are_listed(tables: Any) -> None:
    some = tables.run("lineage", "noisy", "--unread")
    hidden = tables.run("lineage", "total", "--unread")

    assert some.lines == ["1 of 4 columns of noisy feed no other column:", "one"]
    assert hidden.lines == [
        "Every column of total feeds another one.",
        "note: Python hides what is used by unsaid; all that it is given counts",
    ]
    assert tables.run("lineage", "after", "--unread").lines == ["after is read by no other asset."]
    assert tables.run("lineage", "noisy", "--unread", "--json").json == {
        "asset": "noisy",
        "columns": ["day", "n", "noise", "one"],
        "unread": ["one"],
        "readers": ["sub/report.v1"],
    }


def test_a_column_whose_rule_leaves_rows_out_is_not_unread(tables: Any) -> None:
    file = tables.folder / "tables.py"
    file.write_text(file.read_text() + RULED)

    unread = tables.run("lineage", "clean", "--unread")

    assert unread.lines == [
        "1 of 3 columns of clean feed no other column:",
        "noise",
        "note: n feeds no other asset, only clean itself, by a rule that leaves rows out or as a partition",
    ]
    assert "rows decided by clean.n, noisy.n" in tables.run("lineage", "clean").lines
    assert tables.run("lineage", "dates.day").out.splitlines()[:5] == [
        "dates.day",
        "upstream",
        "  clean.day",
        "    noisy.day",
        "      doubled.day",
    ]


def test_columns_that_nobody_can_name_stand_for_all(tables: Any) -> None:
    lines = tables.run("lineage", "unsaid").lines

    assert "its columns are known only from its data; a model would name them" in lines
    assert lines[-1] == "* any of total.n after.*"


def test_a_table_of_others_without_a_model_is_not_said_to_be_made(tables: Any) -> None:
    file = tables.folder / "tables.py"
    file.write_text(file.read_text() + '\ntheirs = dw.external_asset("theirs", uri="./theirs")\n')

    lines = tables.run("lineage", "theirs").lines

    assert "its columns are known only from its data; a model would name them" in lines


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("numbers.dya", "Asset 'numbers' has no column 'dya': its columns are day, n. Did you mean 'day'?"),
        ("nmbers", "There is no asset 'nmbers'. Did you mean 'numbers'?"),
        ("nmbers.n", "There is no asset 'nmbers.n'. Did you mean 'numbers'?"),
        ("nothing.like.this", "There is no asset 'nothing.like'. `deltaworks list` shows what is defined."),
        (
            "unsaid.x",
            "Asset 'unsaid' has no column 'x': which columns it has is known only from its data; a model would say so.",
        ),
    ],
)
def test_a_wrong_name_gets_one_sentence(tables: Any, what: str, sentence: str) -> None:
    answer = tables.run("lineage", what)

    assert (answer.code, answer.sentence) == (2, sentence)


def test_a_column_has_no_unread_columns(tables: Any) -> None:
    answer = tables.run("lineage", "numbers.n", "--unread")

    assert answer.code == 2
    assert answer.sentence == "--unread is about all columns of an asset: `deltaworks lineage numbers --unread`."


def test_names_with_dots_are_told_apart(tables: Any) -> None:
    assert tables.run("lineage", "sub/report.v1", "--json").json["column"] is None
    assert tables.run("lineage", "sub/report.v1.a.b", "--json").json["column"] == "a.b"


def test_the_tables_around_one_are_drawn(tables: Any) -> None:
    file = tables.folder / "around.svg"

    assert tables.run("lineage", "noisy", "--svg", str(file)).code == 0

    picture = ElementTree.parse(file).getroot()
    titles = [each.text for each in picture.iter(f"{SVG}title")]
    assert sorted(titles) == ["doubled", "noisy", "numbers", "sub/report.v1"]
    (chosen,) = [each for each in picture.iter(f"{SVG}rect") if each.get("stroke") == "#3b55d9"]
    assert chosen is not None
    assert len(list(picture.iter(f"{SVG}path"))) == 3
    refused = tables.run("lineage", "noisy", "--svg", str(tables.folder))
    assert (refused.code, refused.sentence) == (
        2,
        f"The picture cannot be written to {tables.folder}: Is a directory.",
    )
