"""Ops in processes of their own: what they give goes from one to the other, and what they do harms nobody else."""

from __future__ import annotations

import os
from typing import Any

from tests.acceptance.conftest import Here

HEAD = """
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any
import polars as pl
import deltaworks as dw

HERE = Path(__file__).parent
MAIN = os.environ["MAIN"]

def is_elsewhere():
    return str(os.getpid()) != MAIN
"""

WORK = """
@dw.asset
def flights() -> pl.LazyFrame:
    return pl.LazyFrame({"n": [1, 2, 3]})

class Letter(dw.Config):
    times: int = 1

class Post(dw.Resource):
    url: str

@dw.op
def rows(flights: Annotated[pl.DataFrame, dw.In(asset="flights")]) -> pl.LazyFrame:
    assert not is_elsewhere()
    return flights.lazy()

@dw.op(out=dw.DynamicOut(), isolate=True)
def fan(df: pl.DataFrame, letter: Letter) -> Iterator[dw.DynamicOutput[int]]:
    assert is_elsewhere()
    for n in df["n"]:
        yield dw.DynamicOutput(n * letter.times, f"k{n}")

@dw.op(isolate=True)
def doubled(n: int, post: Post, log: dw.Logger, attempt: dw.Attempt) -> pl.LazyFrame:
    log.info("%s to %s", attempt.step, post.url)
    print("made by", attempt.step)
    return pl.LazyFrame({"n": [2 * n]})

@dw.op
def total(frames: list[pl.LazyFrame]) -> int:
    assert not is_elsewhere()
    return pl.concat(frames).collect()["n"].sum()

@dw.op(isolate=True)
def note(total: int, flights: Annotated[pl.DataFrame, dw.In(asset="flights")]) -> None:
    (HERE / "noted").write_text(f"{total} of {flights.height}")

@dw.job
def work() -> None:
    note(total(fan(rows()).map(doubled).collect()))

defs = dw.Definitions(assets=[flights], jobs=[work], resources={"post": Post(url=dw.EnvVar("POST_URL"))})
"""


def told(here: Here, *arguments: str) -> Any:
    result = here.run(*arguments, "--json", MAIN=str(os.getpid()), POST_URL="mail.example")
    assert result.code in (0, 1), result.err
    return result.json


def test_values_go_from_process_to_process_and_back(here: Here) -> None:
    here.write("tables.py", HEAD + WORK)
    told(here, "backfill")

    ran = told(here, "job", "run", "work", "--config", "fan.times=10")

    assert (ran["status"], ran["failures"]) == ("success", [])
    assert (here.folder / "noted").read_text() == "120 of 3"
    lines = [line for line in told(here, "runs", "logs") if line.get("step") == "doubled[k2]" and "text" in line]
    assert {(line["stream"], line["text"]) for line in lines} == {
        ("log", "doubled[k2]: doubled[k2] to $POST_URL"),
        ("stdout", "made by doubled[k2]"),
    }


HARM = """
@dw.op(timeout_s=1, retry=dw.RetryPolicy(max_retries=1, delay_s=0, retry_on=["CallTimedOut"]))
def hangs(attempt: dw.Attempt) -> str:
    if attempt.number == 1:
        time.sleep(600)
    return "came back"

@dw.op(isolate=True, retry=dw.RetryPolicy(max_retries=3, delay_s=0, retry_on=["CallTimedOut"]))
def dies(attempt: dw.Attempt) -> None:
    os._exit(attempt.number + 6)

@dw.op(isolate=True)
def gives_what_none_can_take() -> Any:
    return threading.Lock()

@dw.op
def keeps_what_none_can_take() -> Any:
    return threading.Lock()

@dw.op
def takes_it_here(lock: Any) -> bool:
    return lock.locked()

@dw.op(isolate=True)
def takes_it_elsewhere(lock: Any) -> bool:
    return lock.locked()

@dw.job
def harm() -> None:
    hangs()
    dies()
    gives_what_none_can_take()
    lock = keeps_what_none_can_take()
    takes_it_here(lock)
    takes_it_elsewhere(lock)
"""


def test_what_happens_in_a_process_is_the_failure_of_its_step_alone(here: Here) -> None:
    here.write("tables.py", HEAD + HARM)

    ran = told(here, "job", "run", "harm", "--executor", "threads")

    steps = {each["step"]: each for each in ran["steps"]}
    assert {name: each["status"] for name, each in steps.items()} == {
        "hangs": "success",
        "dies": "failure",
        "gives_what_none_can_take": "failure",
        "keeps_what_none_can_take": "success",
        "takes_it_here": "success",
        "takes_it_elsewhere": "failure",
    }
    assert (steps["hangs"]["tries"], steps["dies"]["tries"]) == (2, 1)
    assert steps["dies"]["reason"] == "the worker process ended with exit code 7"
    assert "it gave as 'result' what cannot be pickled (lock: " in steps["gives_what_none_can_take"]["reason"]
    assert steps["takes_it_elsewhere"]["reason"] == (
        "it is called in another process, and output 'result' of keeps_what_none_can_take, which it reads, cannot be "
        "pickled"
    )
    retried = [line for line in told(here, "runs", "logs") if line.get("event") == "step_retried"]
    assert [(line["step"], line["reason"]) for line in retried] == [
        ("hangs", "ran longer than timeout_s=1, so its process was ended")
    ]


KEPT = """
from contextlib import contextmanager

def tell(what):
    with open(HERE / "told", "a") as file:
        file.write(f"{what}\\n")

class Line(dw.Resource):
    number: str

    @contextmanager
    def for_run(self):
        if not (HERE / "told").exists():
            tell("refused")
            raise ConnectionError(f"{self.number} is busy")
        tell("opened")
        try:
            yield self
        finally:
            tell("closed")

@dw.op(timeout_s=60, retry=dw.RetryPolicy(max_retries=1, delay_s=0, retry_on=[ConnectionError]))
def calls(line: Line) -> None:
    tell("called")

@dw.op(timeout_s=2, ins={"after": dw.In(dw.Nothing)})
def hangs(line: Line) -> None:
    tell("called again")
    time.sleep(600)

@dw.job
def kept() -> None:
    hangs(after=calls())

defs = dw.Definitions(jobs=[kept], resources={"line": Line(number=dw.EnvVar("POST_URL"))})
"""


def test_a_process_makes_a_resource_ready_for_the_call_that_asks_and_puts_it_away_though_it_is_ended(
    here: Here,
) -> None:
    here.write("tables.py", HEAD + KEPT)

    ran = told(here, "job", "run", "kept", "--workers", "1")

    assert {each["step"]: (each["status"], each["tries"]) for each in ran["steps"]} == {
        "calls": ("success", 2),
        "hangs": ("failure", 1),
    }
    assert "ran longer than timeout_s=2" in ran["failures"][0]["error"]
    assert (here.folder / "told").read_text().split("\n")[:-1] == [
        "refused",
        "opened",
        "called",
        "called again",
        "closed",
    ]


WHERE = """
@dw.op
def where() -> str:
    (HERE / "where").write_text("elsewhere" if is_elsewhere() else "here")
    raise ValueError("no")

@dw.job
def placed() -> None:
    where()
"""


def test_a_retry_runs_where_it_is_told(here: Here) -> None:
    here.write("tables.py", HEAD + WHERE)

    told(here, "job", "run", "placed", "--executor", "threads")
    first = (here.folder / "where").read_text()
    told(here, "runs", "retry", "latest", "--executor", "processes")

    assert (first, (here.folder / "where").read_text()) == ("here", "elsewhere")
