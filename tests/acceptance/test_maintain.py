"""`maintain` while others read, write and run: nobody notices but the disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from tests.acceptance.conftest import Here, Project
from tests.acceptance.test_doctor import diagnosed, write_project

READER = """
import pathlib, sys
import polars as pl
from deltalake import DeltaTable, QueryBuilder
uri, how, stop = sys.argv[1:]
while not pathlib.Path(stop).exists():
    if how == "polars":
        df = pl.read_delta(uri)
    else:
        df = pl.DataFrame(QueryBuilder().register("t", DeltaTable(uri)).execute("select * from t").read_all())
    print(df.height, df["n"].sum(), flush=True)
"""

DOCUMENTED = """
import pandera.polars as pa
import polars as pl
import deltaworks as dw
from deltaworks import LazyFrame

class Row(pa.DataFrameModel):
    n: int = pa.Field(description="How many.")
    x: float = pa.Field(title="A share")
    y: float

@dw.asset(owners=["team:ops"], tags={"tier": "gold"}, group="raw", retention_days=3)
def counts() -> LazyFrame[Row]:
    \"\"\"What was counted.\"\"\"
    return pl.LazyFrame({"n": [1], "x": [0.5], "y": [1.5]})
"""

OBSERVED = """
from pathlib import Path
import polars as pl
import deltaworks as dw

days = dw.DailyPartitions(start="2024-01-01", end="2024-01-03")

@dw.observable_source(partitions=days)
def answers():
    return dict.fromkeys(["2024-01-01", "2024-01-02"], Path(__file__).with_name("seen").read_text())

@dw.observable_source
def release():
    return Path(__file__).with_name("seen").read_text()

@dw.asset(partitions=days, partition_by="day")
def kept(answers: pl.LazyFrame) -> pl.LazyFrame:
    return answers.with_columns(day=pl.col("partition").str.to_date())

@dw.asset
def notes(release: pl.LazyFrame) -> pl.LazyFrame:
    return release
"""


def append(table: Path, times: int) -> None:
    """Add rows of nothing to two partitions: there is something to compact, and the sum stays what it is."""
    df = pl.DataFrame({"day": ["2024-01-01", "2024-01-02"], "n": [0, 0]}).with_columns(pl.col("day").str.to_date())
    for _ in range(times):
        write_deltalake(str(table), df, mode="append")


@contextmanager
def reader(project: Project, asset: str, how: str) -> Iterator[list[tuple[int, int]]]:
    """Read the latest version of a table in another process, again and again; what it saw is there at the end."""
    stop = project.folder / f"stop-{how}"
    process = subprocess.Popen(
        [sys.executable, "-c", READER, str(project.lake / asset), how, str(stop)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    seen: list[tuple[int, int]] = []
    with process:
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            yield seen
            stop.touch()
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 0, err
    for line in (first, *out.splitlines()):
        rows, total = line.split()
        seen.append((int(rows), int(total)))


@pytest.fixture
def made(here: Here) -> Project:
    write_project(here)
    assert here.run("backfill").code == 0
    return here


def test_who_reads_the_latest_version_all_the_time_never_fails(made: Project) -> None:
    with reader(made, "numbers", "polars") as first, reader(made, "numbers", "deltalake") as second:
        freed, deadline = 0, time.monotonic() + 60
        while not freed:
            assert time.monotonic() < deadline
            append(made.lake / "numbers", 3)
            told = made.run("maintain", "--retention-days", "0.00001", "--json")
            assert told.code == 0, told.err
            assert told.json["totals"]["compacted"] == 2
            freed += told.json["totals"]["vacuumed"]
            assert made.run("maintain", "numbers", "--z-order", "n", "--json").code == 0

    assert len(first) + len(second) > 10
    assert {total for _, total in (*first, *second)} == {10 * 3}


def test_a_backfill_beside_maintenance_loses_nothing(made: Project) -> None:
    table = made.lake / "numbers"
    append(table, 5)
    made.edit("numbers_.py", '"n": pl.int_range', '"n": 100 + pl.int_range')
    with subprocess.Popen(
        [sys.executable, "-m", "deltaworks", "backfill", "--only", "all", "--json"],
        cwd=made.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        codes = set()
        while running.poll() is None:
            codes.add(made.run("maintain", "--retention-days", "0", "--json").code)
        out, err = running.communicate(timeout=60)
    assert running.returncode == 0, err

    assert codes == {0}
    assert json.loads(out)["totals"]["materialized"] == 20
    assert made.status()["doubled"]["partitions"]["fresh"] == 10
    assert pl.read_delta(str(table))["n"].sum() == 10 * 303
    assert pl.read_delta(str(made.lake / "doubled"))["n"].sum() == 20 * 303
    assert made.run("doctor", "--json").json == {"ok": True, "problems": [], "repaired": []}


def test_it_says_what_it_did_and_the_second_time_that_there_is_nothing_to_do(made: Project) -> None:
    append(made.lake / "numbers", 5)
    before = made.status("--partitions")

    would = made.run("maintain", "--dry-run")
    assert made.status("--partitions") == before
    told = made.run("maintain", "--retention-days", "0", "--fold-after-days", "0")
    again = made.run("maintain", "--retention-days", "0", "--fold-after-days", "0")
    last = made.run("maintain", "--retention-days", "0", "--fold-after-days", "0", "--json")

    assert "12 files into 2" in would.out
    assert "12 files into 2" in told.out
    assert "of the ledger folded into Parquet" in told.out
    assert "numbers" in again.out
    assert "deleted" in again.out
    assert (last.json["totals"]["freed_bytes"], last.json["folded_runs"]) == (0, 0)
    assert made.run("maintain").out.strip() == "Nothing to do."
    after = made.status("--partitions")
    assert {asset: each | {"version": None} for asset, each in after.items()} == {
        asset: each | {"version": None} for asset, each in before.items()
    }
    (run,) = made.run("runs", "list", "--json").json
    assert made.run("runs", "show", run["run_id"][:12], "--json").json["run_id"] == run["run_id"]


def test_without_anything_to_compact_status_is_the_same_to_the_letter(made: Project) -> None:
    made.run("backfill", "numbers", "--only", "all")
    made.run("backfill", "numbers", "--only", "all")
    before = made.run("status", "--partitions", "--json").out

    assert made.run("maintain", "--retention-days", "0", "--json").json["totals"]["vacuumed"] == 10
    assert made.run("status", "--partitions", "--json").out == before
    assert made.run("show", "numbers@v1").code == 0
    refused = made.run("show", "numbers@v2")
    assert (refused.code, "were removed, as vacuum does" in refused.sentence) == (2, True)
    assert made.run("rerun", "doubled@v1", "--verify").code == 0


def test_it_says_which_versions_can_no_longer_be_read(made: Project) -> None:
    """`doubled` was made from version 1 of `numbers`; nobody has read 2 to 4."""
    for _ in range(3):
        made.run("backfill", "numbers", "--only", "all")
    command = ("maintain", "numbers", "--retention-days", "0")

    would = made.run(*command, "--dry-run").out
    told = made.run(*command).out
    later = made.run(*command, "--json").json["assets"][0]["unreadable_versions"]

    assert "numbers: versions 2 to 3 could then no longer be read whole" in would
    assert "numbers: versions 2 to 3 can no longer be read whole" in told
    assert later == [[2, 3]], "what is gone stays told"
    codes = {version: made.run("show", f"numbers@v{version}").code for version in range(1, 5)}
    assert codes == {1: 0, 2: 2, 3: 2, 4: 0}
    assert "read whole" not in made.run(*command).out, "this vacuum took nothing"

    made.run("backfill", "doubled", "--only", "all")
    assert "numbers: versions before 4 can no longer be read whole" in made.run(*command).out
    assert made.run("show", "numbers@v1").code == 2


def test_columns_and_sizes_that_are_none_are_refused_in_a_sentence(made: Project) -> None:
    refusals = {
        ("--target-size", "big"): "--target-size 'big' is no size; write one such as 128MB or 1GiB.",
        ("numbers", "--z-order", "day"): "'day' is a partition column",
        ("numbers", "--z-order", "n,other"): "there is no column 'other'; there are n.",
        ("--z-order", "n"): "2 assets are selected; name one",
    }
    for arguments, sentence in refusals.items():
        refused = made.run("maintain", *arguments)
        assert (refused.code, sentence in refused.sentence) == (2, True), refused.err


def test_history_shows_maintenance_when_it_is_asked_for_all(made: Project) -> None:
    append(made.lake / "numbers", 3)
    made.run("maintain")

    assert [each["kind"] for each in made.run("history", "numbers", "--json").json] == [None, None, None, "materialize"]
    everything = made.run("history", "numbers", "--all", "--json").json
    assert (everything[0]["kind"], everything[0]["rows"], everything[0]["operation"]) == ("maintain", None, "OPTIMIZE")
    assert everything[0]["partitions"]["count"] == 0
    assert "8 files, now 2" in made.run("history", "numbers", "--all").out


def test_a_definition_tells_other_readers_what_it_is_about(here: Here) -> None:
    here.write("deltaworks.toml", 'modules = ["counts_"]\n')
    here.write("counts_.py", DOCUMENTED)
    assert here.run("materialize", "counts").code == 0
    table = DeltaTable(str(here.lake / "counts"))
    assert table.metadata().description == "What was counted."
    comments = {field.name: field.metadata.get("comment") for field in table.schema().fields}
    assert comments == {"n": "How many.", "x": "A share", "y": None}
    assert here.run("maintain").out.strip() == "Nothing to do."

    here.edit("counts_.py", "How many.", "How many there are.")
    here.edit("counts_.py", "What was counted.", "What is counted.")
    here.edit("counts_.py", '"tier": "gold"', '"tier": "silver"')
    assert here.status()["counts"]["partitions"]["fresh"] == 1
    assert "description" in here.run("maintain").out
    assert here.status()["counts"]["partitions"]["fresh"] == 1

    table = DeltaTable(str(here.lake / "counts"))
    assert table.metadata().description == "What is counted."
    assert table.schema().fields[0].metadata == {"comment": "How many there are."}
    found = {name: value for name, value in table.metadata().configuration.items() if "deltaworks" in name}
    assert found == {"deltaworks.owners": "team:ops", "deltaworks.group": "raw", "deltaworks.tag.tier": "silver"}
    assert here.run("materialize", "counts").code == 0


def test_doctor_finds_what_maintain_repairs(made: Project) -> None:
    append(made.lake / "numbers", 30)

    found = diagnosed(made)

    assert (found["kind"], found["asset"]) == ("small_files", "numbers")
    assert found["message"].startswith("62 small data files of it could be 2")
    assert found["repair"] == "`deltaworks maintain numbers`"
    assert made.run("maintain", "numbers").code == 0
    assert made.run("doctor").code == 0


def test_doctor_finds_what_others_vacuumed_though_something_was_made_from_it(made: Project) -> None:
    made.run("materialize", "numbers", "--partition", "2024-01-03")
    table = DeltaTable(str(made.lake / "numbers"))
    table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)

    found = diagnosed(made)

    assert (found["kind"], found["asset"]) == ("missing_pinned_files", "doubled")
    assert "partition 2024-01-03 of it was made from version 1 of numbers, whose data file" in found["message"]
    assert "`rerun --verify` of that is not possible" in found["message"]
    assert made.run("rerun", "doubled@v1", "--verify").code == 2
    repair = found["repair"].partition(", or ")[0]
    assert made.run(*repair.strip("`").split()[1:]).code == 0
    assert made.run("doctor").code == 0


def test_doctor_finds_what_was_lost_of_a_source_and_of_whole_tables(here: Here) -> None:
    here.write("tables.py", OBSERVED)
    here.write("seen", "1")
    assert here.run("backfill").code == 0
    here.write("seen", "2")
    assert here.run("materialize", "answers", "release").code == 0
    for name in ("answers", "release"):
        DeltaTable(str(here.lake / name)).vacuum(0, enforce_retention_duration=False, dry_run=False)

    problems = here.run("doctor", "--json").json["problems"]

    assert {each["kind"] for each in problems} == {"missing_pinned_files"}
    told = {each["asset"]: each["message"] for each in problems}
    assert told["kept"].startswith("partitions 2024-01-01, 2024-01-02 of it were made from version 1 of answers, whose")
    assert told["notes"].startswith("it was made from version 1 of release, whose data file")
    assert all("is not there, as after a vacuum: `rerun --verify`" in message for message in told.values())
    for asset in told:
        assert here.run("rerun", f"{asset}@v1", "--verify").code == 2
    for each in problems:
        repair = each["repair"].partition(", or ")[0]
        assert here.run(*repair.strip("`").split()[1:]).code == 0, repair
    assert here.run("doctor").code == 0


def test_doctor_names_only_what_was_made_from_the_lost_version_of_a_source(here: Here) -> None:
    here.write("tables.py", OBSERVED)
    for day, seen in (("2024-01-01", "1"), ("2024-01-02", "2"), ("2024-01-02", "3")):
        here.write("seen", seen)
        assert here.run("materialize", "kept", "--partition", day).code == 0
    here.write("seen", "4")
    assert here.run("materialize", "answers").code == 0
    commit = here.lake / "answers" / "_delta_log" / f"{3:020d}.json"
    (lost,) = (json.loads(line)["add"]["path"] for line in commit.read_text().splitlines() if '"add"' in line)
    (here.lake / "answers" / lost).unlink()

    found = diagnosed(here)

    assert found["message"].startswith("partition 2024-01-02 of it was made from version 3 of answers, whose data file")


def test_doctor_finds_claims_and_ledgers_that_are_broken(made: Project) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        dead.wait()
    claim = made.lake / "_deltaworks" / "claims" / "maintain.json"
    claim.parent.mkdir(exist_ok=True)
    who = {"purpose": "deltaworks maintain", "host": os.uname().nodename, "pid": dead.pid}
    claim.write_text(json.dumps(who))
    assert diagnosed(made)["kind"] == "stale_claim"
    claim.write_text(json.dumps(who | {"host": "elsewhere"}))
    assert made.run("doctor").code == 0
    os.utime(claim, (time.time() - 2 * 86400,) * 2)
    assert "has been held by deltaworks maintain" in diagnosed(made)["message"]
    claim.unlink()

    made.run("maintain", "--fold-after-days", "0")
    (folded,) = (made.lake / "_deltaworks" / "ledger").rglob("*.parquet")
    folded.write_bytes(b"torn")
    found = diagnosed(made)
    assert (found["kind"], found["repair"]) == (
        "damaged_ledger",
        f"delete {folded}; only the history of the runs in it is lost",
    )
    folded.unlink()
    assert made.run("doctor").code == 0
