"""`check`: what it finds, what it notes beside problems, and the models that it writes."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from deltaworks.validation import declare

BENCH = Path(__file__).parents[2] / "bench"

NOTED = 'import random\nCHANCE = random.Random()\n\n@dw.asset(partitions=days, partition_by="day")\ndef doubled'


def test_values_that_no_code_version_sees_are_noted_and_are_no_problem(shell: Any) -> None:
    tables = shell.folder / "tables.py"
    text = tables.read_text().replace('pl.col("n") * 2', 'pl.col("n") * CHANCE.randint(1, 2)')
    tables.write_text(text.replace('@dw.asset(partitions=days, partition_by="day")\ndef doubled', NOTED))
    line = tables.read_text().splitlines().index("CHANCE = random.Random()") + 1

    answer = shell.run("check")
    document = shell.run("check", "--json").json

    assert (answer.code, document["ok"], document["problems"]) == (0, True, [])
    assert document["notes"] == [{"asset": "doubled", "name": "CHANCE", "file": str(tables), "line": line}]
    note, proved, left, found = answer.lines
    assert note.startswith(f"note: doubled reads CHANCE ({tables}:{line}), whose changes its code version cannot see;")
    assert proved == "proved: 2 functions (doubled, total)"
    assert left == "not rehearsed: numbers, since it has no upstream"
    assert found == "3 assets: no problems found"


def test_an_authors_own_code_version_ends_the_note(shell: Any) -> None:
    tables = shell.folder / "tables.py"
    text = tables.read_text().replace('pl.col("n") * 2', 'pl.col("n") * CHANCE.randint(1, 2)')
    noted = NOTED.replace("days,", 'days, code_version="1",')
    tables.write_text(text.replace('@dw.asset(partitions=days, partition_by="day")\ndef doubled', noted))

    assert shell.run("check", "--json").json == {
        "ok": True,
        "problems": [],
        "notes": [],
        "proved": ["doubled", "total"],
        "opaque": [{"asset": "numbers", "reason": "has no upstream"}],
    }
    assert len(shell.run("check", "total", "--json").json["notes"]) == 0


def test_a_problem_has_the_places_of_both_sides(shell: Any) -> None:
    tables = shell.folder / "tables.py"
    text = tables.read_text().replace("def total(doubled: LazyFrame[Row])", "def total(doubled: LazyFrame[Wide])")
    tables.write_text(text.replace("@dw.asset\n", "class Wide(Row):\n    tail: str\n\n@dw.asset\n"))
    lines = tables.read_text().splitlines()
    reader, model = lines.index("@dw.asset") + 1, lines.index("class Row(pa.DataFrameModel):") + 1

    answer = shell.run("check")
    (problem,) = shell.run("check", "--json").json["problems"]

    message = (
        f"total ({tables}:{reader}) reads column 'tail' of doubled as String, but model Row ({tables}:{model}) "
        "does not have it"
    )
    assert problem == {
        "kind": "contract",
        "asset": "total",
        "message": message,
        "file": str(tables),
        "line": reader,
        "upstream_file": str(tables),
        "upstream_line": model,
    }
    assert (answer.code, f"{tables}:{reader}: {message}" in answer.lines, answer.lines[-1]) == (
        2,
        True,
        "1 problem found",
    )


def test_functions_that_cannot_be_rehearsed_are_told_by_reason_and_are_no_problem(shell: Any) -> None:
    tables = shell.folder / "tables.py"
    more = "".join(
        f"\n@dw.asset\ndef rows_{number}(doubled: LazyFrame[Row]) -> pl.LazyFrame:\n"
        "    return pl.LazyFrame(doubled.collect().to_dicts())\n"
        for number in range(7)
    )
    tables.write_text(tables.read_text() + more)

    answer = shell.run("check")
    document = shell.run("check", "--json").json

    assert answer.lines == [
        "proved: 2 functions (doubled, total)",
        "not rehearsed: numbers, since it has no upstream",
        "not rehearsed: rows_0, rows_1, rows_2, rows_3, rows_4, 2 more, since each takes values out of rows",
        "10 assets: no problems found",
    ]
    assert (answer.code, document["proved"]) == (0, ["doubled", "total"])
    assert document["opaque"][1] == {"asset": "rows_0", "reason": "takes values out of rows"}
    assert len(document["opaque"]) == 8
    assert shell.run("check", "rows_1", "--json").json["opaque"] == [
        {"asset": "rows_1", "reason": "takes values out of rows"}
    ]


def test_five_faults_among_five_hundred_tables_are_each_found_in_their_place(
    shell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(BENCH))
    place = shell.folder / "large"
    importlib.import_module("lakes").write_daily_project(place, assets=500, days=365)
    tables = place / "tables.py"
    narrow = "class Narrow(pa.DataFrameModel):\n    v: int\n\n\nclass Table0("
    text = tables.read_text().replace("class Table0(", narrow)
    for number, right, wrong in [
        (50, 'group_by("day", "name")', 'group_by("day", "nam")'),
        (150, "* 2 - 1", "* 2.5"),
        (200, "table_160: LazyFrame[Table160]", "table_160: LazyFrame[Narrow]"),
        (300, ".str.to_lowercase()", ".dt.to_string()"),
        (400, "named.group_by", 'named.join(scaled, left_on="name", right_on="v").group_by'),
    ]:
        before, start, rest = text.partition(f"def table_{number}(")
        assert right in rest.partition("\n\n\n")[0]
        text = before + start + rest.replace(right, wrong, 1)
    tables.write_text(text)
    lines = text.splitlines()
    first = {number: _line_with(lines, f"def table_{number}(") - 1 for number in (50, 150, 200, 300, 400)}

    answer = shell.run("check", "--json", "--file", str(tables))

    problems = {problem["asset"]: problem for problem in answer.json["problems"]}
    found = {key: (each["kind"], each["file"], each["line"]) for key, each in problems.items()}
    assert answer.code == 2
    assert found == {
        "table_50": ("function", str(tables), first[50]),
        "table_150": ("schema", str(tables), first[150]),
        "table_200": ("contract", str(tables), first[200]),
        "table_300": ("function", str(tables), first[300]),
        "table_400": ("function", str(tables), first[400]),
    }
    assert 'unable to find column "nam"' in problems["table_50"]["message"]
    assert "column 'v' is Float64, but its model declares Int64" in problems["table_150"]["message"]
    assert "lets it be null" in problems["table_200"]["message"]
    assert problems["table_200"]["upstream_line"] == _line_with(lines, "class Table160(")
    assert "not supported for dtype `str`" in problems["table_300"]["message"]
    assert "datatypes of join keys don't match" in problems["table_400"]["message"]
    assert len(answer.json["proved"]) == 499 - 5
    assert not (place / "lake").exists()


def _line_with(lines: list[str], start: str) -> int:
    return next(number for number, line in enumerate(lines, 1) if line.startswith(start))


def model_in(source: str, name: str) -> Any:
    names: dict[str, Any] = {"__name__": __name__}
    exec(source, names)
    return declare(names[name])


def test_a_model_is_written_of_what_a_function_returns(shell: Any) -> None:
    answer = shell.run("check", "--write-schema", "total")

    assert answer.out == (
        "import pandera.polars as pa\n\n\n"
        "class Total(pa.DataFrameModel):\n"
        '    """What total holds."""\n\n'
        "    n: int = pa.Field(nullable=True)\n"
    )
    assert shell.run("check", "--write-schema", "total", "--json").json == {"asset": "total", "schema": answer.out}
    assert not shell.store.exists("")


def test_what_its_model_says_of_nulls_is_kept(shell: Any) -> None:
    source = shell.run("check", "--write-schema", "doubled", "--json").json["schema"]

    columns = model_in(source, "Doubled").columns
    assert [(column.name, column.nullable) for column in columns] == [("day", False), ("n", False)]


def test_a_model_is_written_of_a_table_whose_function_cannot_be_rehearsed(shell: Any) -> None:
    tables = shell.folder / "tables.py"
    tables.write_text(
        tables.read_text().replace(
            "partition: dw.Partition) -> LazyFrame[Row]", "partition: dw.Partition) -> pl.LazyFrame"
        )
    )
    refused = shell.run("check", "--write-schema", "numbers")
    assert refused.code == 2
    assert refused.sentence == (
        "The columns of numbers are not known: its function has no upstream, and it has no table yet. Make it, "
        "then ask again."
    )

    assert shell.run("materialize", "numbers").code == 0

    model = model_in(shell.run("check", "--write-schema", "numbers", "--json").json["schema"], "Numbers")
    assert model.schema() == pl.Schema({"day": pl.Date, "n": pl.Int64})
    assert [column.nullable for column in model.columns] == [False, True]


def test_a_model_stands_for_a_function_that_never_ran(shell: Any) -> None:
    model = model_in(shell.run("check", "--write-schema", "numbers", "--json").json["schema"], "Numbers")

    assert model.schema() == pl.Schema({"day": pl.Date, "n": pl.Int64})


def test_a_model_is_written_of_one_asset_that_is_known(shell: Any) -> None:
    unknown, many = shell.run("check", "--write-schema", "totl"), shell.run("check", "total", "--write-schema", "total")

    assert (unknown.code, unknown.sentence) == (2, "There is no asset 'totl'. Did you mean 'total'?")
    assert (many.code, many.sentence) == (2, "--write-schema is about one asset: leave out the selection.")
