"""What a run does and what its code prints is kept for whoever asks later, and never mixed into an answer."""

from __future__ import annotations

import json
import signal

import pytest

from tests.acceptance.conftest import Here, Project, Result
from tests.acceptance.running import PATIENCE_S, of_module, reached, release, started

TALKING = """
import subprocess
import sys

@dw.asset(partitions=days, partition_by="day")
def loud(partition: dw.Partition, log: dw.Logger) -> LazyFrame[Row]:
    print("out of", partition.key)
    print("two\\nlines", file=sys.stderr)
    print("no end", end="")
    log.warning("told by %s", partition.key)
    return rows(partition)

@dw.asset
def starter() -> pl.LazyFrame:
    subprocess.run([sys.executable, "-c", "print('a program')"], check=True)
    os.write(1, b"past Python\\n")
    return pl.LazyFrame({"n": [1]})
"""


@pytest.fixture
def project(here: Here) -> Project:
    """Asked in this process; what talks runs in one of its own."""
    return here


def talk(project: Project, *arguments: str, **environ: str) -> Result:
    """Run a command in a process of its own, whose streams are its own."""
    return Project(project.folder).run(*arguments, **environ)


def lines_of(project: Project, run: str = "latest") -> list[dict[str, str]]:
    result = project.run("runs", "logs", run, "--json")
    assert result.code == 0, result.err
    lines: list[dict[str, str]] = result.json
    return lines


def test_lines_are_kept_by_step_in_their_order_and_events_stand_between(project: Project) -> None:
    of_module(project, TALKING)
    assert talk(project, "backfill", "loud").code == 0

    lines = lines_of(project)

    of_a_day = [
        (line["stream"], line["text"]) for line in lines if line.get("step") == "loud 2024-01-07" if "text" in line
    ]
    assert of_a_day == [
        ("stdout", "out of 2024-01-07"),
        ("stderr", "two"),
        ("stderr", "lines"),
        ("log", "loud 2024-01-07: told by 2024-01-07"),
        ("stdout", "no end"),
    ]
    events = [line["event"] for line in lines if "event" in line]
    assert (events[0], events[-1]) == ("run_started", "run_ended")
    assert (events.count("step_started"), events.count("step_ended")) == (10, 10)
    assert sum(int(line["partitions"]) for line in lines if line.get("event") == "partitions_committed") == 10
    assert all(line["at"].endswith("+00:00") for line in lines)
    shown = project.run("runs", "logs").out
    assert "loud 2024-01-07  WARNING: loud 2024-01-07: told by 2024-01-07" in shown
    assert "run ended  success" in shown


def test_an_answer_in_json_is_one_document_whatever_is_printed(project: Project) -> None:
    result = talk(of_module(project, TALKING), "backfill", "--json")

    assert result.json["status"] == "success"
    assert "a program" in result.err
    assert "past Python" in result.err


def test_output_without_measure_is_cut_and_the_cut_is_said(project: Project) -> None:
    of_module(
        project,
        """
@dw.asset
def endless() -> pl.LazyFrame:
    import resource
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(100):
        print("x" * 1024 * 1024)
    (HERE / "grown").write_text(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before))
    return pl.LazyFrame({"n": [1]})
""",
    )
    assert talk(project, "backfill", "--json").code == 0

    lines = [line for line in lines_of(project) if line.get("step") == "endless" and "text" in line]

    kept = sum(len(line["text"]) + 1 for line in lines if line["stream"] == "stdout")
    assert 1_000_000 < kept <= 1024 * 1024
    assert (lines[-1]["stream"], lines[-1]["text"].split(" ", 1)[1]) == ("cut", "more bytes of output are not kept")
    cut = int(lines[-1]["text"].split(" ")[0].replace(",", ""))
    assert kept + cut >= 100 * 1024 * 1024
    assert int((project.folder / "grown").read_text()) < 50 * 1024, "KiB of memory"


def test_secret_values_are_written_nowhere(project: Project) -> None:
    of_module(
        project,
        """
from pydantic import SecretStr

class Service(dw.Resource):
    token: SecretStr

@dw.asset
def leaky(service: Service) -> pl.LazyFrame:
    print("with", service.token.get_secret_value())
    raise ValueError("refused: " + service.token.get_secret_value())

defs = dw.Definitions(assets=[leaky], resources={"service": Service(token=dw.EnvVar("SERVICE_TOKEN"))})
""",
    )
    result = talk(project, "backfill", "--json", SERVICE_TOKEN="canary-value")

    assert result.json["totals"]["failed"] == 1
    assert "refused: $SERVICE_TOKEN" in result.json["failures"][0]["error"]
    held = [file for file in project.lake.rglob("*") if file.is_file() and b"canary-value" in file.read_bytes()]
    assert held == []
    assert "canary-value" not in result.out + result.err
    assert {"with $SERVICE_TOKEN"} <= {line.get("text") for line in lines_of(project)}


def test_a_run_is_followed_to_its_end(project: Project) -> None:
    of_module(
        project,
        """
@dw.asset
def slow() -> pl.LazyFrame:
    print("before")
    hold("middle")
    print("after")
    return pl.LazyFrame({"n": [1]})
""",
    )
    with started(project, "backfill", "--json") as run:
        reached(project, "middle")
        with started(project, "runs", "logs", "--follow") as follower:
            assert follower.stdout is not None
            while "before" not in follower.stdout.readline():
                assert follower.poll() is None
            release(project, "middle")
            rest, err = follower.communicate(timeout=PATIENCE_S)
        out, _ = run.communicate(timeout=PATIENCE_S)

    assert json.loads(out)["status"] == "success"
    assert (follower.returncode, err) == (0, "")
    assert "after" in rest
    assert "run ended  success" in rest.splitlines()[-1]


def test_ctrl_c_ends_the_following_and_not_the_run(project: Project) -> None:
    of_module(
        project,
        """
@dw.asset
def slow() -> pl.LazyFrame:
    hold("middle")
    return pl.LazyFrame({"n": [1]})
""",
    )
    with started(project, "backfill", "--json") as run:
        reached(project, "middle")
        with started(project, "runs", "logs", "--follow") as follower:
            assert follower.stdout is not None
            assert "run started" in follower.stdout.readline()
            follower.send_signal(signal.SIGINT)
            _, err = follower.communicate(timeout=PATIENCE_S)
        release(project, "middle")
        run.communicate(timeout=PATIENCE_S)

    assert (follower.returncode, err, run.returncode) == (0, "", 0)


def test_what_is_not_there_is_said(project: Project) -> None:
    of_module(project, TALKING)
    run_id = talk(project, "backfill", "starter", "--json").json["run_id"]
    for file in (project.lake / "_deltaworks" / "logs" / run_id).iterdir():
        file.unlink()

    assert project.run("runs", "logs").out == f"Nothing is kept of run {run_id}.\n"
    assert lines_of(project) == []
    assert project.run("runs", "logs", "--follow", "--json").code == 2
