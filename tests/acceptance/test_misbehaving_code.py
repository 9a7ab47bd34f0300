"""Functions that raise, hang, exit, flood and devour fail their own partitions, and everything else goes on."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import deltaworks as dw
from deltaworks.errors import RequestError
from tests.acceptance.conftest import Here, Project
from tests.campaign.recorder import recorded
from tests.engine.execution.carried_out import lives

TIMEOUT_S = 10
FIRST = dt.date(2024, 1, 1)

MODULE = """
import os, signal, sys, time
from pathlib import Path

import pandera.polars as pa
import polars as pl
import deltaworks as dw
from deltaworks import LazyFrame

days = dw.DailyPartitions(start="2024-01-01", end="LAST")
FIRST = 738886
LIMITS = {"timeout_s": TIMEOUT_S, "memory_mb": 600}


class Row(pa.DataFrameModel):
    day: pl.Date
    n: int


def good(partition):
    return pl.LazyFrame({"day": [partition.start], "n": [1]})


@dw.asset(partitions=days, partition_by="day", LIMITED)
def bad(partition: dw.Partition) -> LazyFrame[Row]:
    print("begins", partition.key, flush=True)
    Path(__file__).with_name("pids").open("a").write(f"{os.getpid()}\\n")
    match (partition.start.toordinal() - FIRST) % 7 + 1:
        case 1:
            raise ConnectionError("the source is down")
        case 2:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(600)
        case 3:
            return 42
        case 4:
            os._exit(7)
        case 5:
            for _ in range(50):
                print("x" * 1_000_000)
            sys.stdout.write("x" * 50_000_000)
            raise ValueError("printed 100 MB")
        case 6:
            eaten = []
            while True:
                eaten.append(pl.repeat(1.5, 2_000_000, eager=True).to_list())
    return good(partition)


@dw.asset(partitions=days, partition_by="day")
def independent(partition: dw.Partition) -> LazyFrame[Row]:
    return good(partition)


@dw.asset(partitions=days, partition_by="day")
def below(bad: LazyFrame[Row]) -> LazyFrame[Row]:
    return bad
"""

EXPECTED = {
    "2024-01-01": "bad 2024-01-01: ConnectionError: the source is down (",
    "2024-01-02": f"bad 2024-01-02: ran longer than timeout_s={TIMEOUT_S}, so its process was ended",
    "2024-01-03": "bad 2024-01-03: the function returned int, expected a Polars frame",
    "2024-01-04": "bad 2024-01-04: the worker process ended with exit code 7",
    "2024-01-05": "bad 2024-01-05: ValueError: printed 100 MB (",
    "2024-01-06": "bad 2024-01-06: its process took ",
}


@pytest.fixture
def project(here: Here) -> Project:
    """Worked on in this process: code that misbehaves is called in others."""
    return here


def write(project: Project, kind: str, weeks: int = 1) -> None:
    project.write("deltaworks.toml", f'modules = ["tables"]\n[executor]\nkind = "{kind}"\n')
    module = MODULE.replace("LIMITED", "**LIMITS").replace("TIMEOUT_S", str(TIMEOUT_S))
    module = module.replace("LAST", (FIRST + dt.timedelta(weeks=weeks)).isoformat())
    project.write("tables.py", module)


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_six_ways_to_misbehave_fail_six_partitions_and_nothing_else(project: Project, kind: str) -> None:
    write(project, kind)

    done = Project(project.folder).run("backfill", "--json")  # what calls print is told by the process itself

    document = done.json
    assert done.code == 1
    failures: dict[str, Any] = {failure["partition"]: failure["error"] for failure in document["failures"]}
    assert failures.keys() == EXPECTED.keys()
    for day, error in EXPECTED.items():
        assert failures[day].startswith(error), failures[day]
    assert "more than memory_mb=600, and was ended" in failures["2024-01-06"]
    assert document["totals"] == {
        "materialized": 9,
        "failed": 6,
        "skipped": 6,
        "commits": document["totals"]["commits"],
    }
    assert done.err.count("x" * 1_000_000) == 100
    status = project.status()
    assert status["independent"]["partitions"]["fresh"] == 7
    assert (status["bad"]["partitions"]["fresh"], status["bad"]["partitions"]["failed"]) == (1, 6)
    pids = {int(pid) for pid in (project.folder / "pids").read_text().split()}
    assert [pid for pid in pids if lives(pid)] == []


@pytest.mark.soak
@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_each_way_to_misbehave_fails_its_own_partition_twenty_times(project: Project, kind: str) -> None:
    write(project, kind, weeks=20)
    said = [error.partition(": ")[2] for error in EXPECTED.values()]

    with recorded("bad user code") as row:
        command = [sys.executable, "-m", "deltaworks", "backfill", "--json"]
        with (project.folder / "out").open("wb") as out, (project.folder / "err").open("wb") as err:
            code = subprocess.run(command, cwd=project.folder, stdout=out, stderr=err, check=False).returncode
        document = json.loads((project.folder / "out").read_text("utf-8"))
        assert code == 1
        for failure in document["failures"]:
            with row.one():
                days = (dt.date.fromisoformat(failure["partition"]) - FIRST).days
                assert failure["error"].partition(": ")[2].startswith(said[days % 7])
        assert row.tried == 6 * 20
        assert document["totals"]["materialized"] == 9 * 20
        pids = {int(pid) for pid in (project.folder / "pids").read_text().split()}
        assert [pid for pid in pids if lives(pid)] == []
        row.note = f"{kind}: every other partition was made, and no process was left"


def test_what_a_killed_call_has_staged_is_never_seen(project: Project) -> None:
    project.write("deltaworks.toml", 'modules = ["tables"]\n')
    project.write(
        "tables.py",
        """
import time
import polars as pl
import deltaworks as dw

def rows(frame):
    time.sleep(600)
    return frame

@dw.asset(timeout_s=2)
def half() -> pl.LazyFrame:
    return pl.LazyFrame({"n": range(1000)}).map_batches(rows)
""",
    )

    done = project.run("materialize", "half", "--json")

    assert [each["error"] for each in done.json["failures"]] == [
        "half: ran longer than timeout_s=2, so its process was ended"
    ]
    assert not (project.lake / "half" / "_delta_log").exists()


def test_definitions_of_this_process_cannot_be_made_in_another(tmp_path: Path) -> None:
    @dw.asset(timeout_s=1)
    def limited() -> pl.LazyFrame:
        return pl.LazyFrame({"n": [1]})

    with pytest.raises(RequestError) as caught:
        dw.materialize([limited], lake=tmp_path)

    assert str(caught.value) == (
        "limited cannot be called in other processes: these could not load what is defined in this one. Put it into a "
        "module and run `deltaworks materialize`, or leave out timeout_s, memory_mb and isolate."
    )


def test_a_copy_that_user_code_makes_of_its_worker_says_nothing_in_its_place(project: Project) -> None:
    project.write("deltaworks.toml", 'modules = ["tables"]\n[executor]\nkind = "processes"\nworkers = 1\n')
    project.write(
        "tables.py",
        """
import os, sys
import polars as pl
import deltaworks as dw

letters = dw.StaticPartitions(["a", "b", "c"])

@dw.asset(partitions=letters, partition_by="key")
def forking(partition: dw.Partition, log: dw.Logger) -> pl.LazyFrame:
    if os.fork() == 0:
        log.info("said by a copy")
        sys.exit(1)
    log.info("said by the first")
    os.wait()
    return pl.LazyFrame({"key": [partition.key], "n": [1]})
""",
    )

    done = project.run("backfill", "--json")

    assert (done.code, done.json["totals"]["materialized"]) == (0, 3), done.err
    assert (done.err.count("said by the first"), done.err.count("said by a copy")) == (3, 0)


def test_an_unknown_executor_is_refused(project: Project) -> None:
    write(project, "threads")

    said = project.run("backfill", "--executor", "clouds").sentence
    project.write("deltaworks.toml", 'modules = ["tables"]\n[executor]\nkind = "clouds"\n')
    settings = project.run("backfill").sentence

    assert said == "--executor 'clouds' means nothing; use threads, processes or dask."
    assert settings.endswith("setting 'executor.kind': Input should be 'threads', 'processes' or 'dask', not 'clouds'")


def test_code_that_changes_while_a_run_goes_on_is_not_run(project: Project) -> None:
    project.write("deltaworks.toml", 'modules = ["tables"]\n[executor]\nkind = "processes"\nworkers = 1\n')
    project.write(
        "tables.py",
        """
import os
from pathlib import Path
import polars as pl
import deltaworks as dw

letters = dw.StaticPartitions(["a", "b"])
FACTOR = 1

@dw.asset(partitions=letters, partition_by="key")
def numbers(partition: dw.Partition) -> pl.LazyFrame:
    if partition.key == "a":
        here = Path(__file__)
        here.write_text(here.read_text().replace("FACTOR = 1", "FACTOR = 2"))
        os._exit(1)  # the next one loads the module anew
    return pl.LazyFrame({"key": ["b"], "n": [FACTOR]})
""",
    )

    done = project.run("backfill", "--json")

    errors = [each["error"] for each in done.json["failures"]]
    assert errors[0] == "numbers a: the worker process ended with exit code 1"
    assert errors[1].startswith("numbers b: its code was 1:")
    assert "; either the project changed while the run went on, then run the same command again, or" in errors[1]
