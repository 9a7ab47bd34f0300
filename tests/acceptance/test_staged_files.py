"""An asset whose rows another engine writes as Parquet: they are judged and committed like any others."""

from __future__ import annotations

import pytest

import deltaworks as dw
from tests.acceptance.conftest import Here

MODULE = """
from pathlib import Path
import pandera.polars as pa
import polars as pl
import deltaworks as dw

days = dw.DailyPartitions(start="2024-01-01", end="2024-01-04")

class Row(pa.DataFrameModel):
    day: pl.Date
    n: int = pa.Field(ge=0, metadata={{"on_fail": "{on_fail}"}})

@dw.asset(partitions=days, partition_by="day", backfill=dw.BackfillPolicy.{policy})
def counted(partition: dw.Partition, staging: dw.Staging) -> dw.StagedFiles[Row]:
    df = pl.DataFrame({{
        "day": [partition.start, partition.start, partition.end.replace(day=partition.end.day - 1)],
        "n": [1, 2, 3],
    }})
    home = Path(staging.folder)
{write}
"""
WHOLE = """
    df.write_parquet(home / "part-0.parquet")
    (home / "_SUCCESS").touch()
    return dw.StagedFiles([staging.folder], rows=3, metadata={"engine": "another"})
"""


def written(here: Here, write: str, on_fail: str = "fail", policy: str = "ranges(10)") -> None:
    here.write("tables.py", MODULE.format(write=write, on_fail=on_fail, policy=policy))


def refused(here: Here) -> str:
    made = here.run("backfill", "--from", "2024-01-01", "--to", "2024-01-01", "--json")
    assert made.code == 1
    (failure,) = made.json["failures"]
    left = [path for path in here.lake.rglob("*.parquet") if "kept" not in path.parts]
    assert not left, "nothing is left, neither staged nor committed"
    return str(failure["error"])


def test_files_of_another_engine_are_cut_checked_and_committed(here: Here) -> None:
    written(here, WHOLE)

    made = here.run("backfill", "--json")

    assert made.code == 0, made.out
    assert made.json["totals"]["materialized"] == 3
    df = dw.read("counted", lake=here.lake).collect().sort("day", "n")
    assert [(str(day), n) for day, n in df.rows()] == [("2024-01-01", 1), ("2024-01-01", 2), ("2024-01-03", 3)]
    (commit,) = here.run("history", "counted", "--json").json
    assert set(map(str, commit["metadata"].values())) == {"{'engine': 'another'}"}
    assert here.status()["counted"]["partitions"]["fresh"] == 3
    assert not list((here.lake / "_deltaworks" / "staging").rglob("*.*"))
    assert here.run("check").code == 0


def test_folders_say_what_files_do_not_hold(here: Here) -> None:
    write = """
    folder = home / "out" / f"day={partition.key}"
    folder.mkdir(parents=True)
    df.drop("day").write_parquet(folder / "a.parquet")
    df.drop("day").write_parquet(folder / "b.parquet")
    return dw.StagedFiles(["out"])
"""
    written(here, write, policy="ranges(1)")

    assert here.run("backfill", "--json").code == 0

    df = dw.read("counted", lake=here.lake).collect()
    assert df.group_by("day").len().sort("day")["len"].to_list() == [6, 6, 6]


def test_a_folder_of_rows_without_a_value_holds_nulls(here: Here) -> None:
    write = """
    for value in ("1", "__HIVE_DEFAULT_PARTITION__"):
        (home / f"word={value}").mkdir()
        df.write_parquet(home / f"word={value}" / "part-0.parquet")
    return dw.StagedFiles([staging.folder])
"""
    written(here, write, policy="ranges(1)")
    here.edit("tables.py", "    day: pl.Date\n", "    day: pl.Date\n    word: str = pa.Field(nullable=True)\n")

    assert here.run("backfill", "--from", "2024-01-01", "--to", "2024-01-01", "--json").code == 0

    assert set(dw.read("counted", lake=here.lake).collect()["word"]) == {"1", None}


def test_each_file_counts_once_and_what_an_engine_has_left_for_itself_does_not(here: Here) -> None:
    """As Spark does, whose tasks may fail and run twice; `_day` is a folder of rows all the same."""
    write = """
    for name in ("a.parquet", "_temporary/0/a.parquet", ".a.parquet", "_metadata.parquet", "_day=1/b.parquet"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        df.write_parquet(home / name)
    (home / "a.parquet.crc").write_bytes(b"sum")
    return dw.StagedFiles([staging.folder, "./a.parquet", "a.parquet", staging.folder + "//a.parquet", "."], rows=6)
"""
    written(here, write, policy="ranges(1)")

    assert here.run("backfill", "--json").code == 0

    assert dw.read("counted", lake=here.lake).collect().height == 18


def test_rows_that_break_their_contract_are_treated_as_their_author_says(here: Here) -> None:
    write = WHOLE.replace("    df.write", '    df = df.with_columns(n=pl.col("n") - 2)\n    df.write')
    written(here, write)
    assert "n" in refused(here)

    written(here, write, on_fail="quarantine")
    assert here.run("backfill", "--json").code == 0

    assert dw.read("counted", lake=here.lake).collect()["n"].min() == 0
    rejects = here.run("show", "counted", "--rejects", "--json")
    assert "-1" in rejects.out


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (
            WHOLE.replace("df.write", 'df.cast({"n": pl.Int32}).write'),
            "counted 2024-01-01: staged file part-0.parquet has column 'n' as Int32, expected Int64. Nothing is cast: "
            "write it with the columns of the model.",
        ),
        (WHOLE.replace("df.write", 'df.with_columns(m=1).write'), "has column 'm', which the model does not"),
        (WHOLE.replace("df.write", 'df.drop("n").write'), "lacks column 'n' (Int64)"),
        (WHOLE.replace("rows=3", "rows=4"), "the staged files have 3 rows, expected 4 as the function said"),
        (WHOLE.replace("[staging.folder]", '["gone.parquet"]'), "is neither a file nor a folder with *.parquet files"),
        (WHOLE.replace("[staging.folder]", '["/etc/hosts"]'), "staged file /etc/hosts does not lie in"),
        (WHOLE.replace("[staging.folder]", '["../../x.parquet"]'), "does not lie in"),
        (WHOLE.replace("df.write_parquet(", 'Path.touch('), "cannot be read as Parquet"),
        (
            WHOLE.replace('home / "part', '(home / "day=x").mkdir() or home / "day=x" / "part'),
            "counted 2024-01-01: folder day=x of staged files is no Date",
        ),
        (
            WHOLE.replace("df.write", 'df.with_columns(day=pl.date(2024, 2, 1)).write'),
            "outside the requested partition",
        ),
    ],
)  # fmt: skip
def test_files_that_are_not_as_they_must_be_are_refused(here: Here, write: str, reason: str) -> None:
    written(here, write, policy="ranges(1)")

    assert reason in refused(here)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("dw.StagedFiles[Row]:", "dw.StagedFiles:", "StagedFiles needs a model in brackets"),
        (", staging: dw.Staging", "", "it needs an argument `staging: Staging`"),
        ("-> dw.StagedFiles[Row]", "-> dw.LazyFrame[Row]", "it must return StagedFiles[Model]"),
    ],
)
def test_a_definition_that_makes_no_sense_is_refused_when_it_is_loaded(
    here: Here, old: str, new: str, reason: str
) -> None:
    written(here, WHOLE)
    here.edit("tables.py", old, new)

    assert reason in here.run("check").out + here.run("check").err
