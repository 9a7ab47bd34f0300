"""Hooks of assets are told once a run how the asset ended, whoever started the run, and change nothing about it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pydantic import PrivateAttr

import deltaworks as dw
from deltaworks.errors import InvalidDefinition, InvalidSettings, RunError
from deltaworks.testing import FrozenClock
from tests.acceptance.conftest import Here, Project
from tests.acceptance.running import PATIENCE_S, of_module, reached, started

days = dw.DailyPartitions(start="2024-01-01", end="2024-01-04")


class Post(dw.Resource):
    """Where hooks send what they are told."""

    _sent: list[tuple[str, ...]] = PrivateAttr(default_factory=list)
    _openings: list[int] = PrivateAttr(default_factory=list)

    @contextmanager
    def for_run(self) -> Iterator[Any]:
        self._openings.append(1)
        yield self
        self._openings.append(-1)

    def send(self, *words: object) -> None:
        assert sum(self._openings) == 1, "open, and once"
        self._sent.append(tuple(map(str, words)))


@dw.success_hook
def praise(step: dw.StepEnded, post: Post) -> None:
    post.send("success", step.step, step.job, step.partition)


@dw.failure_hook
def alarm(step: dw.StepEnded, post: Post) -> None:
    post.send("failure", step.step, step.reason)


@dw.skip_hook
def shrug(step: dw.StepEnded, post: Post) -> None:
    post.send("skip", step.step, step.reason)


@dw.failure_hook
def clumsy(step: dw.StepEnded) -> None:
    raise ValueError("hooks may fail")


@dw.failure_hook
def run_alarm(run: dw.RunEnded, post: Post) -> None:
    post.send("run", run.job, *run.failures)


EVERY = (praise, alarm, shrug, clumsy)


@dw.asset(partitions=days, partition_by="day", hooks=EVERY)
def sown(partition: dw.Partition) -> pl.LazyFrame:
    return pl.LazyFrame({"day": [partition.start], "n": [1]})


@dw.asset(partitions=days, partition_by="day", hooks=EVERY)
def grown(sown: pl.LazyFrame, partition: dw.Partition, post: Post) -> pl.LazyFrame:
    if partition.key == "2024-01-02":
        raise ValueError("hail")
    return sown


@dw.asset(hooks=EVERY)
def reaped(grown: pl.LazyFrame) -> pl.LazyFrame:
    return grown


def test_each_asset_tells_its_hooks_once_with_the_resources_of_the_run(tmp_path: Path) -> None:
    post = Post()

    with pytest.raises(RunError, match="hail"):
        dw.materialize([sown, grown, reaped], lake=tmp_path, resources={"post": post})

    (sun, hail, none) = post._sent
    assert sun == ("success", "sown", "None", "None")
    assert hail[:2] == ("failure", "grown")
    assert hail[2].startswith("grown 2024-01-02: ValueError: hail (")
    assert none[:2] == ("skip", "reaped")
    assert "grown 2024-01-02" in none[2]
    assert post._openings == [1, -1]


def test_a_job_of_assets_runs_in_a_test_and_tells_its_own_hooks_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    job = dw.define_asset_job("harvest", "sown+1", partitions=days, tags={"team": "farm"}, hooks=[run_alarm])
    post, assets = Post(), [sown, grown, reaped]

    good = job.execute_in_process(
        lake=tmp_path, assets=assets, resources={"post": post}, partition="2024-01-01", now=FrozenClock("2024-02-01")
    )
    bad = job.execute_in_process(
        lake=tmp_path, assets=assets, resources={"post": post}, partition="2024-01-02", raise_on_failure=False
    )

    assert good.success
    assert {name: step.ending for name, step in good.steps.items()} == {"sown": "success", "grown": "success"}
    assert post._sent[0] == ("success", "sown", "harvest", "2024-01-01")
    assert (bad.success, list(bad.failures)) == (False, ["grown"])
    assert post._sent[-1] == ("run", "harvest", "grown")
    with pytest.raises(RunError, match="hail"):
        job.execute_in_process(lake=tmp_path, assets=assets, resources={"post": post}, partition="2024-01-02")


def test_the_hooks_of_a_job_have_the_resources_of_its_run_which_are_found_before_it(tmp_path: Path) -> None:
    class Office(Post):
        name: str

    @dw.success_hook
    def file(run: dw.RunEnded, post: Office) -> None:
        post.send("filed", run.job)

    job, post = dw.define_asset_job("harvest", ["sown"], partitions=days, hooks=[file]), Office(name="farm")

    job.execute_in_process(lake=tmp_path, assets=[sown], resources={"post": post}, partition="2024-01-01")
    with pytest.raises(InvalidSettings, match="environment variable OFFICE, which is not set"):
        job.execute_in_process(
            lake=tmp_path, assets=[sown], resources={"post": Office(name=dw.EnvVar("OFFICE"))}, partition="2024-01-02"
        )

    assert [words[0] for words in post._sent] == ["success", "filed"]
    assert post._openings == [1, -1], "made ready once, for the hooks of assets and those of the job"
    assert dw.read(sown, lake=tmp_path).collect().height == 1, "nothing of the second run was made"


def test_a_hook_that_leaves_or_prints_does_so_in_the_log_of_the_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    @dw.success_hook
    def leaves(step: dw.StepEnded) -> None:
        print("about to leave")
        sys.exit("enough")

    @dw.success_hook
    def stays(step: dw.StepEnded, post: Post) -> None:
        post.send("stays")

    @dw.asset(hooks=[leaves, stays])
    def corn() -> pl.LazyFrame:
        return pl.LazyFrame({"n": [1]})

    post = Post()

    dw.materialize([corn], lake=tmp_path, resources={"post": post})

    log = "".join(path.read_text() for path in (tmp_path / "_deltaworks" / "logs").rglob("*.jsonl"))
    assert post._sent == [("stays",)]
    assert '"step":"corn"' in log.replace(" ", "")
    assert "about to leave" in log
    assert "hook 'leaves'" in caplog.text
    assert "SystemExit: enough" in caplog.text


def test_a_job_of_assets_gives_its_config_unless_the_test_gives_another(tmp_path: Path) -> None:
    class Sizes(dw.Config):
        rows: int = 1

    @dw.asset
    def sized(config: Sizes) -> pl.LazyFrame:
        return pl.LazyFrame({"n": range(config.rows)})

    job = dw.define_asset_job("sizes", [sized], config={"sized": {"rows": 2}})

    def rows(**config: Sizes) -> int:
        job.execute_in_process(lake=tmp_path, assets=[sized], config=config)
        return dw.read(sized, lake=tmp_path).collect().height

    assert (rows(), rows(sized=Sizes(rows=3))) == (2, 3)


def test_a_job_that_skips_what_is_fresh_makes_only_the_rest(tmp_path: Path) -> None:
    @dw.asset
    def corn() -> pl.LazyFrame:
        return pl.LazyFrame({"n": [1]})

    @dw.asset
    def bread(corn: pl.LazyFrame) -> pl.LazyFrame:
        return corn

    dw.materialize([corn], lake=tmp_path)
    job = dw.define_asset_job("bake", skip_fresh=True)

    runs = [job.execute_in_process(lake=tmp_path, assets=[corn, bread]) for _ in range(2)]

    assert [(run.success, list(run.steps)) for run in runs] == [(True, ["bread"]), (True, [])]


def test_what_is_no_hook_of_an_asset_is_refused_where_it_stands() -> None:
    with pytest.raises(InvalidDefinition, match=r"asset 'x': hook 'run_alarm' .* takes a RunEnded, so give it to the"):

        @dw.asset(name="x", hooks=[run_alarm])
        def first() -> pl.LazyFrame:
            return pl.LazyFrame()

    with pytest.raises(InvalidDefinition, match=r"asset 'y': 'mail' is no hook; decorate it with @success_hook"):

        @dw.asset(name="y", hooks=["mail"])  # type: ignore[list-item]
        def second() -> pl.LazyFrame:
            return pl.LazyFrame()


def test_a_resource_that_a_hook_lacks_is_found_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(InvalidDefinition, match="hook 'praise' asks for a Post as 'post', but there is none"):
        dw.materialize([sown], lake=tmp_path)


CANCELED = """
def told(name):
    return lambda step: (HERE / f"{step.step}.{name}").touch()

@dw.success_hook
def done(step: dw.StepEnded) -> None:
    told("success")(step)

@dw.cancel_hook
def stopped(step: dw.StepEnded) -> None:
    told("cancel")(step)
    raise ValueError("the hook fails, too")

@dw.asset(hooks=[done, stopped])
def first() -> pl.LazyFrame:
    return pl.LazyFrame({"n": [1]})

@dw.asset(hooks=[done, stopped])
def second(first: pl.LazyFrame) -> pl.LazyFrame:
    hold("second")
    return first
"""


def test_a_canceled_run_tells_what_it_had_not_made(project: Project) -> None:
    of_module(project, CANCELED)

    with started(project, "backfill") as process:
        reached(project, "second")
        with started(project, "backfill", "second") as waiting:
            assert waiting.stderr is not None
            assert "is queued" in waiting.stderr.readline()
            waiting.send_signal(signal.SIGTERM)
            waiting.communicate(timeout=PATIENCE_S)
        told_of_waiting = [path.name for path in project.folder.glob("*.cancel")]
        (project.folder / "second.cancel").unlink()
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=PATIENCE_S)

    assert told_of_waiting == ["second.cancel"]
    assert {path.name for path in project.folder.glob("*.*") if path.suffix in (".success", ".cancel")} == {
        "first.success",
        "second.cancel",
    }
    assert "note: hook 'stopped'" in err
    assert "the hook fails, too" in err


RETRIED = """
from pathlib import Path

import polars as pl
import deltaworks as dw

HERE = Path(__file__).parent

def write(line):
    with (HERE / "told").open("a") as told:
        told.write(line + "\\n")

@dw.failure_hook
def alarm(run: dw.RunEnded) -> None:
    write(f"{run.job} {run.partition} {sorted(run.failures)}")

@dw.asset(partitions=dw.StaticPartitions(["a", "b"]), partition_by="key")
def broken(partition: dw.Partition) -> pl.LazyFrame:
    write("called")
    raise ConnectionError("not yet")

@dw.asset(retry=dw.RetryPolicy(max_retries=0))
def never_again() -> pl.LazyFrame:
    write("called once")
    raise ConnectionError("not yet")

once = dw.define_asset_job("once", ["never_again"], retry=dw.RetryPolicy(max_retries=3, delay_s=0))

job = dw.define_asset_job(
    "job",
    ["broken"],
    partitions=dw.StaticPartitions(["a", "b"]),
    hooks=[alarm],
    retry=dw.RetryPolicy(max_retries=1, delay_s=0),
)
"""


def test_a_run_of_a_job_that_is_retried_has_the_hooks_and_the_policy_of_the_job(here: Here) -> None:
    here.write("tables.py", RETRIED)
    once = ["called", "called", "job a ['broken']"]

    failed = here.run("job", "run", "job", "--partition", "a")
    again = here.run("runs", "retry", "latest")

    assert (failed.code, again.code) == (1, 1), again.err
    assert (here.folder / "told").read_text().splitlines() == once * 2


def test_an_asset_that_is_not_to_be_tried_again_is_not_though_its_job_says_so(here: Here) -> None:
    here.write("tables.py", RETRIED)

    failed = here.run("job", "run", "once")

    assert failed.code == 1
    assert (here.folder / "told").read_text().splitlines() == ["called once"]
