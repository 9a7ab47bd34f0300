"""Wrong input gets one sentence and the right exit code, and writes nothing."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest

from tests.acceptance.conftest import Here, Project

MODULE = """
import pandera.polars as pa
import polars as pl
import deltaworks as dw
from deltaworks import LazyFrame

days = dw.DailyPartitions(start="2024-01-01", end="2024-01-04")

class Row(pa.DataFrameModel):
    day: pl.Date
    n: int

@dw.asset(partitions=days, partition_by="day", group="raw")
def numbers(partition: dw.Partition) -> LazyFrame[Row]:
    lf = pl.LazyFrame({"day": partition.keys, "n": [1] * len(partition.keys)})
    return lf.with_columns(pl.col("day").str.to_date())

@dw.asset(partitions=days, partition_by="day")
def doubled(numbers: LazyFrame[Row]) -> LazyFrame[Row]:
    return numbers.with_columns(pl.col("n") * 2)
"""


@pytest.fixture
def small(here: Here) -> Project:
    here.write("deltaworks.toml", 'modules = ["numbers_"]\n')
    here.write("numbers_.py", MODULE)
    return here


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["backfill", "number"], "There is no asset 'number'. Did you mean 'numbers'?"),
        (["backfill", "group:row"], "No asset is in group 'row'. Did you mean 'raw'?"),
        (["backfill", "--partition", "2024-01-09"], "has no partition '2024-01-09'.*2024-01-01 to 2024-01-03"),
        (["backfill", "--partition", "yesterday"], "has no partition 'yesterday'"),
        (["backfill", "--from", "2024-01-03", "--to", "2024-01-01"], "reversed"),
        (["backfill", "--from", "2024-01-03"], "needs both ends"),
        (["backfill", "--only", "everything"], "'everything' means nothing; use missing, stale"),
        (
            ["materialize", "doubled"],
            r"numbers 2024-01-01\.\.2024-01-03, which is missing.*`deltaworks backfill",
        ),
        (["materialize", "doubled", "--partition", "2024-01-02"], "made from numbers 2024-01-02, which is missing"),
        (["show", "numbers"], "no table 'numbers' in lake .* yet; `deltaworks backfill` makes it"),
        (["show", "numbers@12"], r"numbers@v12"),
        (["backfill", "--lake", "ftp://host/lake"], "a place is a path, a file:// URI, or begins with s3://"),
        (["backfill", "--lake", "/proc/deltaworks-lake"], "cannot"),
    ],
)
def test_a_wrong_request_is_refused_in_one_sentence(small: Project, arguments: list[str], told: str) -> None:
    result = small.run(*arguments)

    assert result.code == (1 if "/proc/deltaworks-lake" in arguments else 2)
    assert re.search(told, result.sentence), result.sentence
    assert not small.lake.exists()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("import polars as pl", "import polar as pl", "cannot import 'numbers_'.*polar"),
        ("n: int", "n: int\n    n ==", "cannot import 'numbers_': SyntaxError"),
        ("def doubled(numbers:", "def doubled(nubers:", "'nubers'.*Did you mean 'numbers'"),
        ("def doubled(numbers: LazyFrame[Row])", "def doubled(numbers)", "argument 'numbers' has no annotation"),
        ('partition_by="day", group', 'partition_by="date", group', "no.* column 'date'"),
        ("    n: int", "    n: pl.UInt32", "UInt32.*use Int64"),
        ('end="2024-01-04"', 'end="2023-01-04"', "is not after start"),
    ],
)
def test_a_wrong_module_is_refused_with_file_and_line(small: Project, old: str, new: str, told: str) -> None:
    text = (small.folder / "numbers_.py").read_text()
    small.write("numbers_.py", text.replace(old, new, 1))

    backfill, check = small.run("backfill"), small.run("check", "--json")

    assert (backfill.code, check.code) == (2, 2)
    assert re.search(r"numbers_\.py:\d+: ", backfill.sentence), backfill.sentence
    assert re.search(told, backfill.sentence), backfill.sentence
    (problem,) = check.json["problems"]
    assert check.json["ok"] is False
    assert (Path(problem["file"]).name, problem["line"] > 0) == ("numbers_.py", True)
    assert not small.lake.exists()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('modules = ["numbers_"]\nlakes = "x"', "no setting 'lakes'. Did you mean 'lake'?"),
        ('modules = ["numbers_"]\n[executor]\nworkers = 0', "executor.workers.*greater than or equal to 1"),
        ("modules = [", "not valid TOML"),
        ('lake = "x"', "names no modules"),
        ('modules = ["absent"]', "cannot import 'absent': .*`modules` in the settings, or -m, names it"),
    ],
)
def test_wrong_settings_are_refused(small: Project, text: str, told: str) -> None:
    small.write("deltaworks.toml", text)

    result = small.run("status")

    assert result.code == 2
    assert re.search(told, result.sentence), result.sentence


def test_a_folder_without_a_project_says_what_to_write(project: Project) -> None:
    result = project.run("status")

    assert result.code == 2
    assert "there is no deltaworks.toml" in result.sentence
    assert "-f FILE.py" in result.sentence


def test_a_table_whose_dtypes_changed_is_left_as_it_is(small: Project) -> None:
    assert small.run("backfill").code == 0
    before = sorted(path.name for path in (small.lake / "numbers").rglob("*"))
    text = (small.folder / "numbers_.py").read_text().replace("n: int", "n: float").replace('"n": [1]', '"n": [1.5]')
    small.write("numbers_.py", text)

    result = small.run("backfill")

    assert result.code == 2
    assert re.search(r"column 'n' is Int64, expected Float64.*Nothing was written", result.sentence), result.sentence
    assert sorted(path.name for path in (small.lake / "numbers").rglob("*")) == before


def test_on_an_absent_lake_everything_is_missing_and_nothing_is_created(small: Project) -> None:
    status, plan = small.status(), small.run("plan", "--json")

    assert [found["partitions"]["missing"] for found in status.values()] == [3, 3]
    assert [found["version"] for found in status.values()] == [None, None]
    unknown = {"rows": None, "bytes": None, "duration_s": None}
    assert plan.json["totals"] == {"assets": 2, "partitions": 6, **unknown}
    assert small.run("check", "--json").json["ok"] is True
    assert not small.lake.exists()


def test_a_function_that_raises_fails_its_partition_with_its_line(small: Project) -> None:
    small.edit(
        "numbers_.py",
        "    lf = pl.LazyFrame(",
        "    assert partition.key != '2024-01-02', 'no data'\n    lf = pl.LazyFrame(",
    )

    result = small.run("backfill", "--json")

    assert result.code == 1
    assert result.json["totals"] == {"materialized": 4, "failed": 1, "skipped": 1, "commits": 2}
    assert re.search(
        r"numbers 2024-01-02: AssertionError: no data \(.*numbers_\.py:15\)", result.json["failures"][0]["error"]
    )
    assert "Traceback" not in result.err


def test_a_partition_whose_upstream_is_missing_is_left_out_with_the_command_that_adds_it(small: Project) -> None:
    small.run("backfill", "numbers", "--from", "2024-01-01", "--to", "2024-01-02")

    result = small.run("backfill", "doubled", "--json")

    assert result.code == 0
    assert result.json["totals"] == {"materialized": 2, "failed": 0, "skipped": 1, "commits": 1}
    (left,) = result.json["left_out"]
    assert left["partitions"]["ranges"] == [["2024-01-03", "2024-01-03"]]
    added = small.run(*left["command"].split()[1:], "--json")
    assert added.json["totals"]["materialized"] == 2
    assert pl.read_delta(str(small.lake / "doubled"))["n"].to_list() == [2, 2, 2]


def test_a_single_file_is_a_project(project: Project) -> None:
    project.write("numbers_.py", MODULE)

    result = project.run("backfill", "-f", "numbers_.py", "--json")

    assert result.json["totals"]["materialized"] == 6
    assert (project.lake / "doubled" / "_delta_log").is_dir()


def test_a_column_of_another_dtype_than_its_model_has_is_one_problem(here: Here) -> None:
    here.write("tables.py", UNSIGNED)

    found = here.run("check")

    assert found.code == 2
    assert "column 'n' is UInt32, but its model declares Int64." in found.out
    assert "1 problem found" in found.out


UNSIGNED = """
import pandera.polars as pa
import polars as pl
import deltaworks as dw
from deltaworks import LazyFrame

class Row(pa.DataFrameModel):
    n: int

@dw.asset
def numbers() -> LazyFrame[Row]:
    return pl.LazyFrame({"n": [1]})

@dw.asset
def counted(numbers: LazyFrame[Row]) -> LazyFrame[Row]:
    return numbers.select(n=pl.len())
"""
